//! The business "no": one ordered list of stable codes. The order is the order in which the rules are asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::Usdc;

/// One table makes the enum, its text form, the documentation and the drift test.
macro_rules! codes {
    ($($variant:ident = $code:literal, $status:literal, $transient:literal, $title:literal;)*) => {
        /// The stable code of a rejection. Callers may build on the text for ever; the order is the precedence.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, in order of precedence.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable text.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// One sentence for people.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// The HTTP status it is answered with.
            pub fn http_status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The same call may succeed later without being changed.
            pub fn is_transient(self) -> bool {
                match self { $(Self::$variant => $transient,)* }
            }
        }
    };
}

codes! {
    WrongPartition = "wrong_partition", 421, true, "The account belongs to another partition.";
    DeadlinePassed = "deadline_passed", 408, true, "The deadline had passed: this attempt was not decided. An earlier attempt with the same key may have been.";
    DeadlineTooFar = "deadline_too_far", 422, false, "The deadline is more than 30 seconds ahead.";
    AppUnknown = "app_unknown", 404, false, "There is no such app.";
    AccountUnknown = "account_unknown", 404, false, "The app has no such user: open the account first.";
    KeyReused = "key_reused", 409, false, "The key was used for something else: a new act needs a new key.";
    KeyReserved = "key_reserved", 422, false, "Keys that begin with '$' are the ledger's own.";
    KeyExpired = "key_expired", 409, false, "The key is older than keys are remembered: it may have been used before.";
    KeyAhead = "key_ahead", 422, false, "The key's own time is more than 5 minutes ahead of the ledger's clock.";
    AccountClosed = "account_closed", 409, false, "The account is closed.";
    AccountPaused = "account_paused", 409, true, "The account was put to sleep by a person: restore it first.";
    RestoreWithoutCredit = "restore_without_credit", 402, true, "There is no credit to run on: pay in first, or force it.";
    ContainerUnknown = "container_unknown", 404, false, "The account has no container.";
    NothingDue = "nothing_due", 409, true, "There is nothing to do now.";
    Claimed = "claimed", 409, true, "Another worker is at it.";
    TooEarly = "too_early", 409, true, "It is too early to try that again.";
    Moved = "moved", 409, true, "Something happened meanwhile that this does not know of: look again.";
    StepOutOfPlace = "step_out_of_place", 422, false, "This can not have happened as things stand.";
    CheckoutUnknown = "checkout_unknown", 404, false, "The account has no such checkout session that could still bring money.";
    CheckoutsFull = "checkouts_full", 409, true, "The account has 100 checkout sessions that wait for money or for a person.";
    AmountNotPositive = "amount_not_positive", 422, false, "The amount must be more than zero.";
    AmountTooLarge = "amount_too_large", 422, false, "One command moves at most 1000000000 USDC.";
    ItemsCount = "items_count", 422, false, "A charge has 1 to 16 items.";
    BalanceTooLarge = "balance_too_large", 422, false, "A balance is at most 1000000000000 USDC.";
    LotsFull = "lots_full", 409, false, "The account has 10000 grants and deposits with money left: some must be spent first.";
    InsufficientCredit = "insufficient_credit", 402, true, "The account has not enough credit.";
    SourceRange = "source_range", 422, false, "The items of a source's batch must be numbered in order inside (from, to].";
    SourceGap = "source_gap", 409, true, "Items before this batch are missing: go on from the mark.";
    SourceDiffers = "source_differs", 409, false, "Another feed is known under this source name.";
    SourceShorter = "source_shorter", 409, false, "The feed ends before what is known under this source name.";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Code {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(())
    }
}

/// A refusal, with what the caller needs to act on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub code: Code,
    /// Figures that belong to the code.
    pub details: Details,
}

/// The figures of a rejection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Details {
    /// None.
    None,
    /// [`Code::InsufficientCredit`]: what it would have cost, and what is there.
    Credit {
        /// The whole credits that were due.
        needed: Usdc,
        /// What the account could have spent.
        available: Usdc,
    },
    /// [`Code::SourceGap`], [`Code::SourceShorter`], [`Code::SourceDiffers`]: how far the source is known here.
    Mark {
        /// The number of the last item that is done with.
        to: u64,
    },
    /// [`Code::WrongPartition`]: whose it is.
    Owner {
        /// The partition that decides for the account.
        partition: crate::ids::PartitionId,
    },
}

impl From<Code> for Rejection {
    fn from(code: Code) -> Self {
        Self { code, details: Details::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_as_they_print_and_as_serde_names_them() {
        for code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
        assert!(Code::ALL.is_sorted());
    }
}
