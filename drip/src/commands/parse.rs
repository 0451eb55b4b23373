//! Reads the values of flags.

use std::time::Duration;

use drip_client::{Decimal, Item};
use ledger_core::Usdc;
use reqwest::Url;
use serde_json::{Map, Value};

/// A JSON object.
pub(crate) fn metadata(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("must be a JSON object such as {{\"plan\": \"pro\"}}: {error}"))
}

/// `name=quantity@price`.
pub(crate) fn item(text: &str) -> Result<Item, String> {
    let shape = || "must be NAME=QUANTITY@PRICE, such as tokens=4808@0.0000025".to_owned();
    let (left, price) = text.rsplit_once('@').ok_or_else(shape)?;
    let (name, quantity) = left.rsplit_once('=').ok_or_else(shape)?;
    let decimal =
        |what: &str, text: &str| text.parse::<Decimal>().map_err(|error| format!("the {what} {error}"));
    let (quantity, unit_price) = (decimal("quantity", quantity)?, decimal("price", price)?);
    Ok(Item { name: name.to_owned(), quantity, unit_price })
}

/// `NAME=VALUE`. What is wrong is not repeated: it may be a secret.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.trim().is_empty());
    let (name, value) = pair.ok_or_else(|| "must be NAME=VALUE".to_owned())?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

/// "60s", "500ms", "2m", or plain seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "must be a number of seconds, such as 60s".to_owned())?;
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        unit => Err(format!("has the unit \"{unit}\"; there are ms, s and m")),
    }
}

/// How this Drip is reached from outside. Paths are put behind it. Empty, as in the environment: it is not known.
pub(crate) fn public_url(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    match url {
        Some(url) if url.query().is_none() && url.fragment().is_none() => {
            Ok(url.as_str().trim_end_matches('/').to_owned())
        }
        _ => Err("must be an address such as https://drip.example.org".to_owned()),
    }
}

/// Where users top up, with names in braces for what differs between them. Empty: nowhere.
pub(crate) fn top_up_url(text: &str) -> Result<String, String> {
    match text.split_once("://") {
        None if text.is_empty() => Ok(String::new()),
        Some(("http" | "https", rest)) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err("must be an address such as https://example.org/top-up?user={user_id}".to_owned()),
    }
}

/// An address of mail. Empty: there is none.
pub(crate) fn mail_address(text: &str) -> Result<String, String> {
    match text.split_once('@') {
        None if text.is_empty() => Ok(String::new()),
        Some((name, host)) if !name.is_empty() && host.contains('.') && !host.contains('@') => {
            Ok(text.to_owned())
        }
        _ => Err("must be an address of mail, such as drip@agentmail.to".to_owned()),
    }
}

/// An amount that is not below zero.
pub(crate) fn amount(text: &str) -> Result<Usdc, String> {
    let amount = text.parse::<Usdc>().map_err(|error| error.to_string())?;
    if amount < Usdc::ZERO { Err("must not be negative".to_owned()) } else { Ok(amount) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_such_as_can_be_reached() {
        for (text, read) in [
            ("https://a.b", "https://a.b"),
            ("http://10.0.0.1:8377/x/", "http://10.0.0.1:8377/x"),
            ("HTTPS://A.b ", "https://a.b"),
            ("", ""),
        ] {
            assert_eq!(public_url(text).as_deref(), Ok(read), "{text}");
        }
        for text in ["a.b", "ftp://a.b", "https://", "https://a.b?c", "https://a.b/#c"] {
            assert!(public_url(text).is_err(), "{text}");
        }
        assert!(top_up_url("https://a.b/{app}/{user_id}").is_ok());
        for text in ["notaurl", "ftp://a.b", "https://"] {
            assert!(top_up_url(text).is_err(), "{text}");
        }
        assert!(mail_address("drip@agentmail.to").is_ok());
        for text in ["drip", "@a.b", "drip@", "drip@a", "a@b.c@d.e"] {
            assert!(mail_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_not_negative() {
        assert_eq!(amount("1.5"), Ok(Usdc::from_credits(1_500_000)));
        assert_eq!(amount("0"), Ok(Usdc::ZERO));
        for text in ["-0.000001", "-1", "one", ""] {
            assert!(amount(text).is_err(), "{text}");
        }
    }

    #[test]
    fn items_are_read_from_the_right_so_that_names_are_free() {
        for (text, name, quantity, price) in
            [("tokens=4808@0.0000025", "tokens", "4808", "0.0000025"), ("a=b@c=1@2", "a=b@c", "1", "2")]
        {
            let item = item(text).unwrap();
            let read = (item.name.as_str(), item.quantity.as_str(), item.unit_price.as_str());
            assert_eq!(read, (name, quantity, price));
        }
        for text in ["tokens", "tokens=1", "1@2", "tokens=x@1", "tokens=1@1e3", "tokens=1@"] {
            assert!(item(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_units() {
        for (text, millis) in [("60s", 60_000), ("2", 2_000), ("500ms", 500), ("2m", 120_000), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1s", "1h", "1.5s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
