//! What a request calls the amount that the ledger refused, and what it may be there.

use ledger_core::Charge;
use ledger_core::rejection::Code;

use crate::edge::problem::Problem;

/// A field of a request that says how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AmountField {
    /// Of a debit, a deposit, a grant.
    Amount,
    /// Of a debit: the sum of its items.
    Items,
    /// Of an opening.
    InitialBalance,
    /// Of a source's batch.
    GrantMissing,
}

impl AmountField {
    /// How a debit says what it charges.
    pub(super) fn of(charge: &Charge) -> Self {
        match charge {
            Charge::Amount(_) => Self::Amount,
            Charge::Items(_) => Self::Items,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::Items => "items",
            Self::InitialBalance => "initial_balance",
            Self::GrantMissing => "grant_missing",
        }
    }

    /// The end of the sentence that its name begins.
    fn least(self) -> &'static str {
        match self {
            Self::Amount => "must be more than zero",
            Self::Items => "must add up to more than zero",
            Self::InitialBalance | Self::GrantMissing => "must be zero or more",
        }
    }

    /// The ledger's answer, which knows nothing of fields; with this one where it is about the amount.
    pub(super) fn named_in(self, problem: Problem) -> Problem {
        match problem.body().code.parse() {
            Ok(Code::AmountNotPositive) => problem.saying(self.name(), self.least()),
            Ok(Code::AmountTooLarge) => problem.at(self.name()),
            _ => problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_the_amount_names_its_field() {
        for (field, code, name, detail) in [
            (AmountField::Amount, Code::AmountNotPositive, "amount", "amount must be more than zero"),
            (AmountField::Items, Code::AmountNotPositive, "items", "items must add up to more than zero"),
            (
                AmountField::InitialBalance,
                Code::AmountNotPositive,
                "initial_balance",
                "initial_balance must be zero or more",
            ),
            (AmountField::Items, Code::AmountTooLarge, "items", Code::AmountTooLarge.title()),
            (AmountField::Amount, Code::AccountClosed, "", Code::AccountClosed.title()),
        ] {
            let problem = field.named_in(code.into());
            let told = problem.body();
            assert_eq!((told.field.as_deref().unwrap_or(""), told.detail.as_str()), (name, detail), "{code}");
        }
    }
}
