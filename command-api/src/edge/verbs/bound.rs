//! How large the answer of a debit can become: known before anything is decided. MessagePack is never longer than JSON.

use ledger_core::Charge;
use ledger_core::command::Debit;
use ledger_core::event::Usage;

use crate::edge::dto::brief::BriefResult;
use crate::edge::dto::convert::AnswerForm;

/// Names, numbers, a key that was made, positions and punctuation of a receipt; or of a problem, which is shorter
/// than a thousand bytes whatever it says besides its key.
const FIXED: usize = 1_000;
/// Names, digits and punctuation of one item.
const ITEM: usize = 100;

/// What stands around the results, in bytes.
const AROUND: usize = 100;

/// The answers of a batch are at most so many bytes.
pub(super) fn of_results(debits: &[Debit], form: AnswerForm) -> usize {
    AROUND
        + match form {
            AnswerForm::Full => debits.iter().map(|debit| of_result(&debit.usage)).sum(),
            AnswerForm::Brief => debits.len() * BriefResult::MAX,
        }
}

/// At most so many bytes.
fn of_result(usage: &Usage) -> usize {
    let key = usage.key.as_ref().map_or(0, |key| text(&key.text()));
    let items = match &usage.charge {
        Charge::Items(items) => items.iter().map(|item| ITEM + text(item.name.as_str())).sum(),
        Charge::Amount(_) => 0,
    };
    FIXED + text(usage.account.user.as_str()) + text(usage.meter.as_str()) + key + items
}

/// Names hold no control characters, so that JSON at most doubles their bytes.
fn text(name: &str) -> usize {
    2 * name.len()
}

#[cfg(test)]
mod tests {
    use ledger_core::charge::{Item, Quantity, UnitPrice};
    use ledger_core::event::{Debited, Event};
    use ledger_core::ids::Label;
    use ledger_core::rejection::{Code, Details};
    use ledger_core::{AccountId, AppId, Key, Level, Meter, PartitionId, Position, Rejection, Usdc, UserId};

    use super::*;
    use crate::ask::Receipt;
    use crate::edge::dto::answers::{ErrorBody, ReceiptBody};
    use crate::edge::dto::format::Format;
    use crate::edge::problem::Problem;

    fn worst_usage() -> Usage {
        let item = Item {
            name: Label::new(&"\"".repeat(200)).unwrap(),
            quantity: Quantity::parse("999999999.999999").unwrap(),
            unit_price: UnitPrice::parse("999999.999999999999").unwrap(),
        };
        Usage {
            account: AccountId {
                app: AppId::new("demo").unwrap(),
                user: UserId::new(&"\"".repeat(200)).unwrap(),
            },
            key: Some(Key::new(&"\\".repeat(200)).unwrap()),
            item: None,
            charge: Charge::Items(vec![item; 16]),
            meter: Meter::new(&"\"".repeat(100)).unwrap(),
            scope: None,
            occurred_at: None,
            metadata: None,
        }
    }

    #[test]
    fn no_receipt_is_larger_than_its_bound() {
        let usage = worst_usage();
        let large = Usdc::from_credits(-i64::MAX);
        let event = Event::Debited(Debited {
            usage: usage.clone(),
            charged: large,
            fee: large,
            slices: ledger_core::event::Slices::new(),
            balance: large,
            level: Level::Exhausted,
            epoch_started: None,
        });
        let position = Position { partition: PartitionId(u16::MAX), sequence: u64::MAX, index: u32::MAX };
        let receipt = ReceiptBody::of(Receipt { event, position, duplicate: false });
        for format in [Format::Json, Format::MessagePack] {
            let bytes = format.write(&receipt).unwrap().len();
            assert!(bytes < of_result(&usage), "{format:?}: {bytes}");
        }
    }

    #[test]
    fn no_problem_of_the_ledger_is_larger_than_the_fixed_part() {
        let large = Usdc::from_credits(-i64::MAX);
        for code in Code::ALL {
            let details = Details::Credit { needed: large, available: Usdc::from_credits(1) };
            let error = Problem::from(Rejection { code: *code, details }).of_request(&"x".repeat(36));
            let body = ErrorBody { error };
            for format in [Format::Json, Format::MessagePack] {
                let bytes = format.write(&body).unwrap().len();
                assert!(bytes < FIXED, "{code}: {bytes}");
            }
        }
    }
}
