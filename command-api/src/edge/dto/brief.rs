//! Brief answers of a batch: what a caller who knows its debits by their places needs, and nothing it knows already.

use ledger_core::event::Event;
use ledger_core::{Position, Usdc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::ask::{self, Answer};
use crate::edge::problem::Problem;

/// What became of one debit, briefly: an object of `position` and `balance`, or of `error`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BriefResult)]
#[serde(untagged)]
pub enum BriefResult {
    /// It stands in the log; or what a dry run found.
    Receipt(BriefReceipt),
    /// It does not.
    Error(BriefError),
}

/// A debit that stands in the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BriefReceipt)]
#[serde(deny_unknown_fields)]
pub struct BriefReceipt {
    /// Where it stands; none for a dry run.
    #[schema(value_type = Option<String>, required, example = "0-1234-7")]
    pub position: Option<Position>,
    /// The balance after it, in USDC.
    #[schema(value_type = String, example = "0.993")]
    pub balance: Usdc,
    /// `true` when it had happened before, under the same key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(value_type = Option<bool>)]
    pub duplicate: bool,
}

/// A debit that was not made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BriefError)]
#[serde(deny_unknown_fields)]
pub struct BriefError {
    /// Why not.
    pub error: BriefProblem,
}

/// A problem, by its code alone.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BriefProblem)]
#[serde(deny_unknown_fields)]
pub struct BriefProblem {
    /// The stable code.
    #[schema(value_type = String, example = "insufficient_credit")]
    pub code: &'static str,
}

impl BriefResult {
    /// At most so many bytes, in either format.
    pub(crate) const MAX: usize = 112;

    /// Of what a writer answered to a debit; `refusal` names why there is none.
    pub(crate) fn of(answer: Answer, refusal: impl FnOnce(Answer) -> Problem) -> Self {
        match answer {
            Answer::Brief(ask::BriefReceipt { position, balance, duplicate }) => {
                Self::Receipt(BriefReceipt { position: Some(position), balance, duplicate })
            }
            // The first outcome of a repeated key was read from the log.
            Answer::Done(receipt) if matches!(receipt.event, Event::Debited(_)) => {
                let (position, duplicate) = (Some(receipt.position), receipt.duplicate);
                Self::Receipt(BriefReceipt { position, balance: receipt.balance(), duplicate })
            }
            Answer::WouldCharge(would) => {
                Self::Receipt(BriefReceipt { position: None, balance: would.balance, duplicate: false })
            }
            other => Self::Error(BriefError { error: BriefProblem { code: refusal(other).body().code } }),
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger_core::{Code, PartitionId};

    use super::*;
    use crate::edge::dto::format::Format;
    use crate::edge::problem::EdgeCode;

    #[test]
    fn no_brief_answer_is_larger_than_its_bound() {
        let position = Position { partition: PartitionId(u16::MAX), sequence: u64::MAX, index: u32::MAX };
        let balance = Usdc::from_credits(-i64::MAX);
        let longest = BriefReceipt { position: Some(position), balance, duplicate: true };
        let codes = EdgeCode::ALL.iter().map(|code| code.as_str());
        let errors = codes.chain(Code::ALL.iter().map(|code| code.as_str()));
        let errors = errors.map(|code| BriefResult::Error(BriefError { error: BriefProblem { code } }));
        for result in errors.chain([BriefResult::Receipt(longest)]) {
            for format in [Format::Json, Format::MessagePack] {
                // A comma of JSON stands between two.
                let length = format.write(&result).unwrap().len() + 1;
                assert!(length <= BriefResult::MAX, "{result:?}: {length}");
            }
        }
    }

    #[test]
    fn a_brief_answer_is_as_short_as_can_be() {
        let position = Some(Position { partition: PartitionId(0), sequence: 12, index: 3 });
        let receipt = |duplicate| BriefReceipt { position, balance: Usdc::from_credits(7_000), duplicate };
        let json = |receipt| serde_json::to_string(&receipt).unwrap();
        assert_eq!(json(receipt(false)), r#"{"position":"0-12-3","balance":"0.007"}"#);
        assert_eq!(json(receipt(true)), r#"{"position":"0-12-3","balance":"0.007","duplicate":true}"#);
        let dry = BriefReceipt { position: None, ..receipt(false) };
        assert_eq!(json(dry), r#"{"position":null,"balance":"0.007"}"#);
    }
}
