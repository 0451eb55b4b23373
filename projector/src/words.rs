//! How names and lists stand in the columns of the views.

use ledger_core::account::LotKind;
use ledger_core::charge::Item;
use ledger_core::event::Slice;
use ledger_core::level::Line;
use ledger_core::{Code, Level, Usdc};
use serde::Deserialize;

use crate::rows::JournalKind;

/// The word of each value, and back.
macro_rules! words {
    ($text:ident, $parse:ident, $type:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        pub(crate) fn $text(value: $type) -> &'static str {
            match value { $($type::$variant => $word,)* }
        }

        pub(crate) fn $parse(word: &str) -> Option<$type> {
            match word { $($word => Some($type::$variant),)* _ => None }
        }
    };
}

pub(crate) use words;

words!(level_text, level_of, Level { Healthy = "healthy", Low = "low", Exhausted = "exhausted" });
words!(line_text, line_of, Line { Low = "low", Exhausted = "exhausted" });
words!(lot_kind_text, lot_kind_of, LotKind { Paid = "paid", Promo = "promo" });
words!(kind_text, kind_of, JournalKind {
    Opened = "opened",
    Granted = "granted",
    Deposited = "deposited",
    Debited = "debited",
    Declined = "declined",
    Crossed = "crossed",
    Closed = "closed",
});

pub(crate) fn code_text(code: Code) -> &'static str {
    code.as_str()
}

/// A slice as it stands in JSON.
#[derive(Deserialize)]
struct JsonSlice {
    lot: u32,
    amount: Usdc,
}

pub(crate) fn lots_of(json: &str) -> Option<Vec<Slice>> {
    let lots: Vec<JsonSlice> = serde_json::from_str(json).ok()?;
    Some(lots.into_iter().map(|JsonSlice { lot, amount }| Slice { lot, amount }).collect())
}

/// The items of a charge, as they stand in JSON.
pub(crate) fn items_json(items: &[Item]) -> String {
    serde_json::to_string(items).expect("numbers and texts are always JSON")
}

pub(crate) fn items_of(json: &str) -> Option<Vec<Item>> {
    serde_json::from_str(json).ok()
}
