//! Keys: idempotency keys are made here, API keys are only looked at.

use uuid::Uuid;

/// A new idempotency key: a UUIDv7. It carries its own time, so that a retry which is much too late is refused instead
/// of charged.
pub fn new_key() -> String {
    Uuid::now_v7().to_string()
}

/// The app an API key belongs to: `drip_<app>_<secret>`. `None` when the text is no such key.
pub fn app_of_key(api_key: &str) -> Option<&str> {
    let (app, secret) = api_key.strip_prefix("drip_")?.split_once('_')?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (!app.is_empty() && !secret.is_empty() && app.chars().all(plain)).then_some(app)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_key_names_its_app() {
        for (key, app) in [
            ("drip_demo_abc_d-e", Some("demo")),
            ("drip_my-app2_x", Some("my-app2")),
            ("drip_demo_", None),
            ("drip__x", None),
            ("drip_Demo_x", None),
            ("sk_demo_x", None),
            ("", None),
        ] {
            assert_eq!(app_of_key(key), app, "{key}");
        }
    }

    #[test]
    fn new_keys_carry_their_time_and_differ() {
        let (first, second) = (new_key(), new_key());
        assert_ne!(first, second);
        assert_eq!(Uuid::parse_str(&first).unwrap().get_version_num(), 7);
    }
}
