//! An app's rules: numbered events in each partition, so that each partition can be judged alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::Usdc;
use crate::time::HOUR;

/// What a declined debit does to the account's level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDecline {
    /// Exhausted when the balance is below the smallest charge it was used to.
    #[default]
    Dust,
    /// Always exhausted.
    Exhaust,
    /// Nothing.
    Ignore,
}

/// The rules of one app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Basis points (1/100 %) of each debit that go to `$fee`: 0 to 10,000.
    #[schemars(range(max = 10_000))]
    pub fee_bps: u16,
    /// At or below so many percent of the baseline the level is low: 0 to 99.
    #[schemars(range(max = 99))]
    pub low_percent: u8,
    /// What a declined debit does.
    pub on_decline: OnDecline,
    /// For how many hours keys of usage are remembered: 1 to 168.
    #[schemars(range(min = 1, max = 168))]
    pub key_window_hours: u16,
    /// How many keys of usage are remembered at most, in each partition: 16 to 1,000,000,000, about 40 bytes each.
    /// Beyond it the oldest are forgotten before their time, and keys as old as they are refused.
    #[schemars(range(min = 16, max = 1_000_000_000))]
    #[serde(skip_serializing_if = "is_usual_budget")]
    pub key_budget: u32,
}

/// The budget of a policy that names none.
pub const KEY_BUDGET: u32 = 10_000_000;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands in references")]
fn is_usual_budget(budget: &u32) -> bool {
    *budget == KEY_BUDGET
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            fee_bps: 500,
            low_percent: 20,
            on_decline: OnDecline::Dust,
            key_window_hours: 24,
            key_budget: KEY_BUDGET,
        }
    }
}

/// A policy outside its ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {range}")]
pub struct InvalidPolicy {
    /// The field.
    pub field: &'static str,
    /// What it may be.
    pub range: &'static str,
}

impl Policy {
    /// Checks the ranges. Error: the first field outside of its own.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        let rules = [
            (self.fee_bps <= 10_000, "fee_bps", "0 to 10000"),
            (self.low_percent <= 99, "low_percent", "0 to 99"),
            ((1..=168).contains(&self.key_window_hours), "key_window_hours", "1 to 168"),
            ((16..=1_000_000_000).contains(&self.key_budget), "key_budget", "16 to 1000000000"),
        ];
        let broken = rules.into_iter().find(|(holds, _, _)| !holds);
        broken.map_or(Ok(()), |(_, field, range)| Err(InvalidPolicy { field, range }))
    }

    /// The window of keys, in microseconds.
    pub fn key_window(&self) -> i64 {
        i64::from(self.key_window_hours) * HOUR
    }

    /// Splits off the fee of whole credits: the fee, and the carry after (in 1/10,000 credit).
    pub fn fee(&self, charged: Usdc, carry: u16) -> (Usdc, u16) {
        // AMOUNT_MAX times 10,000 and a carry fit u64, whose division by a constant is none.
        let charged = u64::try_from(charged.credits()).expect("a charge is not negative");
        let exact = charged * u64::from(self.fee_bps) + u64::from(carry);
        let fee = i64::try_from(exact / 10_000).expect("a fee is at most the charge");
        let carry = u16::try_from(exact % 10_000).expect("below 10,000");
        (Usdc::from_credits(fee), carry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fee_over_many_debits_is_the_fee_of_their_sum() {
        let policy = Policy { fee_bps: 333, ..Policy::default() };
        let (mut fees, mut carry) = (Usdc::ZERO, 0);
        for _ in 0..1_000 {
            let (fee, after) = policy.fee(Usdc::from_credits(7), carry);
            fees += fee;
            carry = after;
        }
        assert_eq!(fees.credits(), 7_000 * 333 / 10_000);
    }

    #[test]
    fn a_policy_outside_its_ranges_names_the_field() {
        let bad = Policy { low_percent: 100, ..Policy::default() };
        assert_eq!(bad.check().unwrap_err().to_string(), "low_percent must be 0 to 99");
        assert_eq!(Policy::default().check(), Ok(()));
    }
}
