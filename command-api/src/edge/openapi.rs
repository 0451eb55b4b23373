//! The OpenAPI document, made from the endpoints themselves, and the JSON Schemas of the bodies sent over NATS.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;
use utoipa::openapi::info::{InfoBuilder, License};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::edge::dto::requests::{GetRequest, RoutingRequest};
use crate::edge::http::endpoints;
use crate::edge::nats::{SUBJECTS, straight_subject};
use crate::edge::problem::problems_page;

const INTRODUCTION: &str = "\
A ledger of pay-per-use credits. Bodies are JSON; unknown fields are refused. `/v1/debits` takes MessagePack too: \
the same names, amounts as decimal strings or whole numbers (never floats), metadata as the text of its JSON.

Amounts are USDC with at most six decimals: in requests a decimal string or a JSON number, read by its digits; in \
answers always a decimal string. Times are RFC 3339. A position such as `0-1234-7` says where an event stands in the \
log, for ever.

Every act has a key, chosen before it is first sent: the same key and content again answers the first outcome with \
`duplicate: true`. A deadline (header `Drip-Deadline`, or the field `deadline`) is the moment after which nothing is \
decided; all attempts of one call carry the same one.

";

/// The document that `/openapi.json` serves.
pub fn openapi() -> OpenApi {
    let (_, mut document) = endpoints().split_for_parts();
    let version = concat!("v", env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
    document.info = InfoBuilder::new()
        .title("Drip")
        .version(version)
        .description(Some(format!("{INTRODUCTION}{}", problems_page())))
        .license(Some(License::new("MIT")))
        .build();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().add_security_scheme("api_key", bearer);
    document
}

/// The JSON Schemas of what is sent over NATS, by subject. They are the bodies of HTTP.
pub fn command_schemas() -> Value {
    let document = serde_json::to_string(&openapi()).expect("the document is JSON");
    let document = document.replace("#/components/schemas/", "#/$defs/");
    let document: Value = serde_json::from_str(&document).expect("only references were changed");
    let mut schemas = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
    // HTTP says the same in path and query.
    for (name, schema) in
        [(GetRequest::name(), GetRequest::schema()), (RoutingRequest::name(), RoutingRequest::schema())]
    {
        schemas.insert(name.into_owned(), serde_json::to_value(schema).expect("a schema is JSON"));
    }
    let mut defs = Map::new();
    for (_, body) in SUBJECTS {
        add_with_all_it_names(&schemas, body, &mut defs);
    }
    let subjects = SUBJECTS.iter().flat_map(|(subject, body)| {
        let both = [Some((*subject).to_owned()), straight_subject(subject)].into_iter().flatten();
        both.map(move |subject| (subject, json!({ "$ref": format!("#/$defs/{body}") })))
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Bodies of requests over NATS, by subject; the first * is the app, the second a partition",
        "description": "JSON, or MessagePack with the header Content-Type: application/msgpack. In MessagePack, amounts, \
                        quantities and prices are decimal strings or whole numbers and never floats; metadata is a \
                        string, the text of its JSON object; the rest is the same.",
        "properties": subjects.collect::<Map<_, _>>(),
        "$defs": defs,
    })
}

fn add_with_all_it_names(schemas: &Map<String, Value>, name: &str, defs: &mut Map<String, Value>) {
    let Some(schema) = schemas.get(name).filter(|_| !defs.contains_key(name)) else { return };
    defs.insert(name.to_owned(), schema.clone());
    let text = schema.to_string();
    for named in text.split("#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()) {
        add_with_all_it_names(schemas, named, defs);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Compares with the file that is checked in; `DRIP_BLESS=1` writes it.
    fn check(name: &str, made: &Value) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas").join(name);
        let made = serde_json::to_string_pretty(made).unwrap() + "\n";
        if std::env::var_os("DRIP_BLESS").is_some() {
            std::fs::write(&file, &made).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept == made,
            "schemas/{name} is not what the code makes: run the test with DRIP_BLESS=1 and look"
        );
    }

    #[test]
    fn the_openapi_document_is_the_one_checked_in() {
        check("openapi.json", &serde_json::to_value(openapi()).unwrap());
    }

    #[test]
    fn the_schemas_of_commands_are_those_checked_in() {
        check("commands.json", &command_schemas());
    }

    #[test]
    fn every_reference_of_the_schemas_leads_somewhere() {
        for document in [serde_json::to_value(openapi()).unwrap(), command_schemas()] {
            let text = document.to_string();
            for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(document.pointer(reference).is_some(), "{reference}");
            }
        }
    }

    #[test]
    fn every_code_is_in_the_description() {
        let description = openapi().info.description.unwrap();
        for code in ledger_core::Code::ALL {
            assert!(description.contains(code.as_str()), "{code}");
        }
    }
}
