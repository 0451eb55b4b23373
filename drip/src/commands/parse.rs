//! Reads the values of flags.

use std::time::Duration;

use drip_client::{Decimal, Item};
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

#[cfg(test)]
mod tests {
    use super::*;

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
