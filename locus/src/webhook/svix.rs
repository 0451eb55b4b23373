//! Webhooks of AgentMail, signed the way Svix does (documented).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderMap;

use super::Distrust;
use super::checkout::matches;
use crate::secret::Secret;

/// How far the moment of the signature may be from now, in seconds, either way (documented).
pub const TOLERANCE_SECONDS: i64 = 300;

/// Checks that AgentMail signed the body under this secret ("whsec_…") and not long ago; `now` is in seconds since 1970.
/// Answers with the id of the delivery: a repeated one has the same, so drop what you have seen.
///
/// # Errors
///
/// Why it is not believed.
pub fn verify_svix<'a>(
    secret: &Secret,
    headers: &'a HeaderMap,
    body: &[u8],
    now: i64,
) -> Result<&'a str, Distrust> {
    let key = key(secret)?;
    let [id, timestamp, signatures] =
        [header(headers, "svix-id")?, header(headers, "svix-timestamp")?, header(headers, "svix-signature")?];
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    // Several while a secret is being changed; versions other than v1 are not HMACs.
    let signatures = signatures.split(' ').filter_map(|one| one.strip_prefix("v1,"));
    let mut decoded = signatures.filter_map(|one| BASE64_STANDARD.decode(one).ok());
    if !decoded.any(|signature| matches(&key, &parts, &signature).is_ok()) {
        return Err(Distrust::Mismatch);
    }
    fresh(timestamp, now)?;
    Ok(id)
}

/// The bytes behind "whsec_".
fn key(secret: &Secret) -> Result<Vec<u8>, Distrust> {
    let text = secret.expose();
    let key = BASE64_STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text));
    key.ok().filter(|key| !key.is_empty()).ok_or(Distrust::NoSecret)
}

fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Distrust> {
    let value = headers.get(name).ok_or(Distrust::MissingHeader(name))?;
    value.to_str().map_err(|_| Distrust::MalformedHeader(name))
}

fn fresh(timestamp: &str, now: i64) -> Result<(), Distrust> {
    let signed: i64 = timestamp.parse().map_err(|_| Distrust::MalformedHeader("svix-timestamp"))?;
    let away = now.saturating_sub(signed);
    let near = (-TOLERANCE_SECONDS..=TOLERANCE_SECONDS).contains(&away);
    if near { Ok(()) } else { Err(Distrust::Stale(away)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;
    const BODY: &str = r#"{"event_type":"message.delivered"}"#;
    const SECRET: &str = "whsec_ZHJpcC10ZXN0LXNlY3JldC0wMDAx";
    const SIGNATURE: &str = "v1,a2GOz3ngGvmL0UjkANhPHZqcM29mefR9mIb0GOMqG84=";

    fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        let all = [("svix-id", id), ("svix-timestamp", timestamp), ("svix-signature", signature)];
        let pairs = all.iter().filter(|(_, value)| !value.is_empty());
        pairs.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn verify(headers: &HeaderMap, body: &str, now: i64) -> Result<String, Distrust> {
        verify_svix(&Secret::new(SECRET), headers, body.as_bytes(), now).map(str::to_owned)
    }

    #[test]
    fn a_signature_of_agentmail_is_believed() {
        let good = headers("msg_1", "1700000000", SIGNATURE);
        for now in [NOW, NOW + 300, NOW - 300] {
            assert_eq!(verify(&good, BODY, now).as_deref(), Ok("msg_1"));
        }
        let several = headers("msg_1", "1700000000", &format!("v2,x v1,AAAA {SIGNATURE}"));
        assert_eq!(verify(&several, BODY, NOW).as_deref(), Ok("msg_1"));
        let bare = Secret::new(SECRET.trim_start_matches("whsec_"));
        assert_eq!(verify_svix(&bare, &good, BODY.as_bytes(), NOW), Ok("msg_1"));
    }

    #[test]
    fn what_was_changed_is_not_believed() {
        use Distrust::{MalformedHeader, Mismatch, MissingHeader, NoSecret, Stale};
        let good = headers("msg_1", "1700000000", SIGNATURE);
        assert_eq!(verify(&good, "{}", NOW), Err(Mismatch));
        assert_eq!(verify(&good, BODY, NOW + 301), Err(Stale(301)));
        assert_eq!(verify(&good, BODY, NOW - 301), Err(Stale(-301)));
        assert_eq!(verify(&headers("msg_2", "1700000000", SIGNATURE), BODY, NOW), Err(Mismatch));
        assert_eq!(verify(&headers("msg_1", "1700000001", SIGNATURE), BODY, NOW), Err(Mismatch));
        assert_eq!(verify(&headers("msg_1", "1700000000", "v1,!!"), BODY, NOW), Err(Mismatch));
        assert_eq!(verify(&headers("msg_1", "1700000000", &SIGNATURE[3..]), BODY, NOW), Err(Mismatch));
        for (missing, without) in [
            ("svix-id", headers("", "1700000000", SIGNATURE)),
            ("svix-timestamp", headers("msg_1", "", SIGNATURE)),
            ("svix-signature", headers("msg_1", "1700000000", "")),
        ] {
            assert_eq!(verify(&without, BODY, NOW), Err(MissingHeader(missing)));
        }
        for none in ["", "whsec_", "whsec_!!"] {
            assert_eq!(verify_svix(&Secret::new(none), &good, BODY.as_bytes(), NOW), Err(NoSecret));
        }
        assert_eq!(fresh("soon", NOW), Err(MalformedHeader("svix-timestamp")));
        assert_eq!(fresh("-9223372036854775808", NOW), Err(Stale(i64::MAX)));
    }
}
