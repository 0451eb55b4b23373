//! The environment of a container: what it may hold, and that it is kept encrypted.

use std::collections::BTreeMap;

use ledger_core::AccountId;
use ledger_core::sealed::Sealed;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use crate::edge::problem::{EdgeCode, Problem};
use crate::vault::Vault;

/// How many variables a container may have, and how long name and value may be, in bytes.
const VARIABLES_MAX: usize = 100;
const VARIABLE_NAME_MAX: usize = 100;
const VARIABLE_MAX: usize = 4_096;
/// How variables begin that Drip sets itself.
const OWN_VARIABLES: &str = "DRIP_";

/// What is checked of variables, as far as a schema can say it.
pub(super) fn schema() -> Schema {
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(VARIABLE_NAME_MAX))
        .pattern(Some("^[A-Za-z_][A-Za-z0-9_]*$"));
    let value = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(VARIABLE_MAX))
        .pattern(Some("^[^\\u0000]*$"));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .description(Some(
            "Its environment: up to 100 variables. Those that begin with `DRIP_` are Drip's own.",
        ))
        .max_properties(Some(VARIABLES_MAX))
        .property_names(Some(name))
        .additional_properties(Some(value))
        .into()
}

/// Checks them, and encrypts them for the account. Problem: one that can not be, or there is no key.
pub(super) fn seal(
    account: &AccountId,
    variables: &BTreeMap<String, String>,
    vault: Option<&Vault>,
) -> Result<Sealed, Problem> {
    if variables.len() > VARIABLES_MAX {
        return Err(Problem::invalid("variables", format_args!("must be at most {VARIABLES_MAX}")));
    }
    for (name, value) in variables {
        check_variable(name, value)?;
    }
    let vault = vault.ok_or_else(|| {
        let detail = "Variables are kept encrypted, and this Drip has no key: set DRIP_SECRET_KEY.";
        Problem::new(EdgeCode::NotConfigured, detail).at("variables")
    })?;
    let json = serde_json::to_string(variables).expect("texts are always JSON");
    Ok(vault.seal(account, &json))
}

fn check_variable(name: &str, value: &str) -> Result<(), Problem> {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named = !name.is_empty() && name.len() <= VARIABLE_NAME_MAX && name.chars().all(letters);
    if !named || name.starts_with(|c: char| c.is_ascii_digit()) {
        let rule = "must have names of letters, digits and '_', of at most 100 bytes";
        return Err(Problem::invalid("variables", rule));
    }
    if name.starts_with(OWN_VARIABLES) {
        return Err(Problem::invalid("variables", "must not begin with DRIP_: those are Drip's own"));
    }
    if value.len() > VARIABLE_MAX || value.contains('\0') {
        return Err(Problem::invalid("variables", "must have values of at most 4096 bytes, without NUL"));
    }
    Ok(())
}
