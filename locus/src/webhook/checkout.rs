//! Webhooks of checkout sessions.
//!
//! They are documented and not delivered in beta. Their signature has no time in it, so an old delivery verifies for
//! ever: read the session before acting on one.

use hmac::{Hmac, KeyInit, Mac};
use ledger_core::Usdc;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value};
use sha2::Sha256;

use super::{Distrust, NoEvent};
use crate::decimal;
use crate::secret::Secret;

/// The documented header.
const HEADER: &str = "X-Signature-256";
/// Headers that public code was seen to look for, in this order.
const OTHER_HEADERS: [&str; 2] = ["X-Locus-Signature", "X-Webhook-Signature"];

/// Whether other headers than the documented one are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OtherHeaders {
    /// Only `X-Signature-256`.
    #[default]
    Refused,
    /// When that is missing, `X-Locus-Signature` and then `X-Webhook-Signature`.
    Accepted,
}

/// Checks that the body was signed with the secret of its session, or of the account: `HMAC-SHA256` over the raw body
/// under the secret as it stands, in hex of any case, with or without `sha256=` before it.
///
/// # Errors
///
/// Why it is not believed. The first header that is there decides.
pub fn verify_checkout(
    secret: &Secret,
    headers: &HeaderMap,
    body: &[u8],
    others: OtherHeaders,
) -> Result<(), Distrust> {
    let (name, value) = signature(headers, others)?;
    let hex = value.trim();
    let hex = hex
        .get(..7)
        .filter(|head| head.eq_ignore_ascii_case("sha256="))
        .map_or(hex, |head| &hex[head.len()..]);
    let signature = hex::decode(hex).map_err(|_| Distrust::MalformedHeader(name))?;
    matches(secret.expose().as_bytes(), &[body], &signature)
}

fn signature(headers: &HeaderMap, others: OtherHeaders) -> Result<(&'static str, &str), Distrust> {
    let others = OTHER_HEADERS.into_iter().filter(|_| others == OtherHeaders::Accepted);
    let mut names = std::iter::once(HEADER).chain(others);
    let found = names.find_map(|name| Some((name, headers.get(name)?)));
    let (name, value) = found.ok_or(Distrust::MissingHeader(HEADER))?;
    value.to_str().map(|value| (name, value)).map_err(|_| Distrust::MalformedHeader(name))
}

/// The signature is that of the parts, one after the other. In constant time.
pub(super) fn matches(key: &[u8], parts: &[&[u8]], signature: &[u8]) -> Result<(), Distrust> {
    if key.is_empty() {
        return Err(Distrust::NoSecret);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Distrust::NoSecret)?;
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(signature).map_err(|_| Distrust::Mismatch)
}

open_enum! {
    /// What happened to a session. Only these two are documented; log any other and do nothing.
    CheckoutEventKind {
        /// It was paid.
        Paid = "checkout.session.paid",
        /// Nobody paid in time.
        Expired = "checkout.session.expired",
    }
}

/// What a webhook says. A hint and no proof: what is credited comes from the session as it is read, and from your own
/// record of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckoutEvent {
    /// What happened.
    pub kind: CheckoutEventKind,
    /// To which session.
    pub session_id: Option<String>,
    /// Over how much, in USDC.
    pub amount: Option<Usdc>,
    /// In what.
    pub currency: Option<String>,
    /// The transaction that paid it.
    pub payment_tx_hash: Option<String>,
    /// Who paid.
    pub payer_address: Option<String>,
    /// What was handed in with the session, and more; not to be trusted for amounts.
    pub metadata: Map<String, Value>,
}

/// Reads the body of a webhook, by the documented names and by those that public code was seen to use: `event` or
/// `type`; `sessionId`, `session_id`, `checkoutSessionId` or `id`; `paymentTxHash` or `txHash`; in `data` or without it.
///
/// # Errors
///
/// When it is no JSON object. Whatever is missing in one is unknown.
pub fn parse_checkout(body: &[u8]) -> Result<CheckoutEvent, NoEvent> {
    let whole: Map<String, Value> = serde_json::from_slice(body).map_err(|_| NoEvent)?;
    let data = whole.get("data").and_then(Value::as_object).unwrap_or(&whole);
    let ids = ["sessionId", "session_id", "checkoutSessionId"];
    // Beside `data` an `id` would be that of the event.
    let session_id = text(data, &ids).or_else(|| text(data, &["id"])).or_else(|| text(&whole, &ids));
    Ok(CheckoutEvent {
        kind: text(&whole, &["event", "type"]).map(Into::into).unwrap_or_default(),
        session_id,
        amount: amount(body),
        currency: text(data, &["currency"]),
        payment_tx_hash: text(data, &["paymentTxHash", "txHash"]),
        payer_address: text(data, &["payerAddress"]),
        metadata: data.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default(),
    })
}

fn text(object: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| object.get(*name)?.as_str()).map(str::to_owned)
}

/// The amount from its digits, which a `Value` no longer has.
fn amount(body: &[u8]) -> Option<Usdc> {
    #[derive(serde::Deserialize)]
    struct Amount {
        #[serde(default, deserialize_with = "decimal::option")]
        amount: Option<Usdc>,
        #[serde(default, deserialize_with = "crate::lenient::option")]
        data: Option<Box<Amount>>,
    }
    let whole: Amount = serde_json::from_slice(body).ok()?;
    whole.data.map_or(whole.amount, |data| data.amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"event":"checkout.session.paid","data":{"sessionId":"s-1","amount":"5.00"}}"#;
    const HEX: &str = "52d3f86ebdfbe4710e0a81d435a3a96f89d4462d9cb8e092517db2baf6f27773";

    fn verify(headers: &[(&'static str, &str)], body: &str, others: OtherHeaders) -> Result<(), Distrust> {
        let pairs = headers.iter().map(|(name, value)| {
            (
                name.to_ascii_lowercase().parse::<reqwest::header::HeaderName>().unwrap(),
                value.parse().unwrap(),
            )
        });
        verify_checkout(&Secret::new("whsec_test_123"), &pairs.collect(), body.as_bytes(), others)
    }

    #[test]
    fn the_documented_signature_is_believed_however_it_is_written() {
        let upper = HEX.to_uppercase();
        for value in [format!("sha256={HEX}"), HEX.to_owned(), upper.clone(), format!("SHA256={upper}")] {
            assert_eq!(verify(&[(HEADER, &value)], BODY, OtherHeaders::Refused), Ok(()), "{value}");
        }
    }

    #[test]
    fn what_is_not_signed_is_not_believed() {
        use Distrust::{MalformedHeader, Mismatch, MissingHeader};
        let refused = OtherHeaders::Refused;
        let tampered = BODY.replace("5.00", "500.00");
        assert_eq!(verify(&[(HEADER, HEX)], &tampered, refused), Err(Mismatch));
        assert_eq!(verify(&[(HEADER, HEX)], &format!("{BODY} "), refused), Err(Mismatch));
        assert_eq!(verify(&[(HEADER, &HEX[..62])], BODY, refused), Err(Mismatch));
        assert_eq!(verify(&[(HEADER, "")], BODY, refused), Err(Mismatch));
        assert_eq!(verify(&[(HEADER, "whsec_test_123")], BODY, refused), Err(MalformedHeader(HEADER)));
        assert_eq!(verify(&[(HEADER, "sha256=zz")], BODY, refused), Err(MalformedHeader(HEADER)));
        assert_eq!(verify(&[], BODY, refused), Err(MissingHeader(HEADER)));
        assert_eq!(verify(&[], BODY, OtherHeaders::Accepted), Err(MissingHeader(HEADER)));
    }

    #[test]
    fn other_headers_count_only_when_they_are_wanted_and_the_documented_one_is_missing() {
        for name in OTHER_HEADERS {
            assert_eq!(verify(&[(name, HEX)], BODY, OtherHeaders::Accepted), Ok(()), "{name}");
            let refused = verify(&[(name, HEX)], BODY, OtherHeaders::Refused);
            assert_eq!(refused, Err(Distrust::MissingHeader(HEADER)), "{name}");
            let both = verify(&[(HEADER, &"0".repeat(64)), (name, HEX)], BODY, OtherHeaders::Accepted);
            assert_eq!(both, Err(Distrust::Mismatch), "{name}");
        }
    }

    #[test]
    fn an_empty_secret_signs_nothing() {
        let headers =
            HeaderMap::from_iter([(HEADER.to_ascii_lowercase().parse().unwrap(), HEX.parse().unwrap())]);
        let empty = verify_checkout(&Secret::new(""), &headers, BODY.as_bytes(), OtherHeaders::Refused);
        assert_eq!(empty, Err(Distrust::NoSecret));
    }

    #[test]
    fn an_event_is_read_by_all_its_names() {
        for body in [
            r#"{"event":"checkout.session.paid","data":{"sessionId":"s-1","amount":"5.00","paymentTxHash":"0x7"}}"#,
            r#"{"type":"checkout.session.paid","data":{"session_id":"s-1","amount":5,"txHash":"0x7"}}"#,
            r#"{"type":"checkout.session.paid","sessionId":"s-1","data":{"amount":5.0,"txHash":"0x7"}}"#,
            r#"{"event":"checkout.session.paid","checkoutSessionId":"s-1","amount":"5","txHash":"0x7"}"#,
            r#"{"event":"checkout.session.paid","data":{"id":"s-1","amount":"5","txHash":"0x7"},"id":"evt"}"#,
        ] {
            let event = parse_checkout(body.as_bytes()).unwrap();
            assert_eq!(event.kind, CheckoutEventKind::Paid, "{body}");
            assert_eq!(event.session_id.as_deref(), Some("s-1"), "{body}");
            assert_eq!(event.amount, Usdc::parse("5").ok(), "{body}");
            assert_eq!(event.payment_tx_hash.as_deref(), Some("0x7"), "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_body_and_no_header_is_too_strange(body in ".*", header in "[ -~]{0,80}") {
            let _ = parse_checkout(body.as_bytes());
            proptest::prop_assert!(verify(&[(HEADER, &header)], &body, OtherHeaders::Accepted).is_err());
        }
    }

    #[test]
    fn what_an_event_does_not_say_is_unknown() {
        let event =
            parse_checkout(br#"{"event":"checkout.paid","data":{"sessionId":7,"metadata":[1]},"id":"e"}"#);
        let kind = CheckoutEventKind::Other("checkout.paid".to_owned());
        assert_eq!(event, Ok(CheckoutEvent { kind, ..CheckoutEvent::default() }));
        assert_eq!(parse_checkout(b"{}"), Ok(CheckoutEvent::default()));
        for bad in [&b""[..], b"[]", b"7", b"{", b"\xff"] {
            assert_eq!(parse_checkout(bad), Err(NoEvent));
        }
    }
}
