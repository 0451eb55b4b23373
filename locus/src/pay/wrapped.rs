//! Wrapped APIs: other vendors' services, paid per call from the wallet.

use std::collections::BTreeMap;

use ledger_core::Usdc;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Pay, data};
use crate::decimal;
use crate::error::Error;

/// What a wrapped call gave.
#[derive(Debug, Clone, PartialEq)]
pub struct WrappedAnswer {
    /// The upstream's own answer, as it stands in the envelope. Numbers in it are JSON numbers: no money is read here.
    pub data: Value,
    /// What the upstream says it cost, in USDC and without Locus's fee: `costDollars` beside or inside the data (seen for
    /// Exa). Unknown for most; the true debit is only seen in the wallet.
    pub cost: Option<Usdc>,
}

impl WrappedAnswer {
    /// The upstream's answer without its own `data`, when it wraps itself as Firecrawl does.
    pub fn inner(&self) -> &Value {
        self.data.get("data").filter(|inner| inner.is_object()).unwrap_or(&self.data)
    }
}

impl Pay {
    /// Calls another vendor's API by way of Locus: `POST /wrapped/{provider}/{endpoint}` with the upstream's own body.
    ///
    /// It costs money and is sent once. A 502 in the API's words was not charged (documented), so such an error
    /// [is retryable](Error::is_retryable); a 500 means that the upstream worked and the payment failed (documented).
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind); [`PendingApproval`](crate::ErrorKind::PendingApproval) when a human must
    /// agree first.
    pub async fn wrapped<B>(&self, provider: &str, endpoint: &str, body: &B) -> Result<WrappedAnswer, Error>
    where
        B: Serialize + Sync + ?Sized,
    {
        let call = self.post(&["wrapped", provider, endpoint], &body)?.slow().upstream_is_free();
        let answer = self.send(&call).await?;
        let data = answer.decode(&call, data(&call, &answer)?)?;
        Ok(WrappedAnswer { data, cost: cost(&answer.body) })
    }
}

/// `costDollars`, at most two envelopes deep: an amount, or an object with a `total`.
fn cost(json: &str) -> Option<Usdc> {
    let mut level = json;
    for _ in 0..3 {
        if let Some(cost) = member(level, "costDollars") {
            return decimal::literal(cost).or_else(|| decimal::literal(member(cost, "total")?));
        }
        level = member(level, "data")?;
    }
    None
}

/// The text of a member of a JSON object.
fn member<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let members: BTreeMap<String, &'a RawValue> = serde_json::from_str(json).ok()?;
    members.get(name).map(|value| value.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_found_beside_and_inside_the_data() {
        for (json, shown) in [
            (r#"{"success":true,"costDollars":{"total":0.005},"data":{}}"#, Some("0.005")),
            (
                r#"{"data":{"results":[],"costDollars":{"total":0.0075,"search":{"neural":0.005}}}}"#,
                Some("0.0075"),
            ),
            (r#"{"data":{"data":{"costDollars":"0.01"}}}"#, Some("0.01")),
            (r#"{"data":{"costDollars":{"sum":1}}}"#, None),
            (r#"{"data":{"results":[]}}"#, None),
            (r#"{"data":[1]}"#, None),
            ("[]", None),
        ] {
            assert_eq!(cost(json).map(|cost| cost.to_string()).as_deref(), shown, "{json}");
        }
    }
}
