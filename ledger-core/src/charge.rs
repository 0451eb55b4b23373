//! What a debit asks for: an amount, or items whose exact sum is rounded down once over the account's whole life.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::Label;
use crate::money::{AMOUNT_MAX, InvalidDecimal, Usdc, parse_decimal};
use crate::short_text::ShortText;
use crate::text_form::text_form;

/// How many items one charge may have.
pub const ITEMS_MAX: usize = 16;

/// How many units of 10^-18 USDC make one credit.
pub const ATTO_PER_CREDIT: i128 = 1_000_000_000_000;

/// A non-negative decimal with a fixed number of decimals and a limit.
macro_rules! decimal {
    ($(#[$doc:meta])* $name:ident, $decimals:literal, $limit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
        #[serde(try_from = "String")]
        #[schemars(with = "String")]
        pub struct $name(u64);

        impl $name {
            /// The largest value, in units.
            pub const UNITS_MAX: u64 = $limit * 10_u64.pow($decimals);

            /// Takes units of the last decimal; `None` above the limit.
            pub fn from_units(units: u64) -> Option<Self> {
                (units <= Self::UNITS_MAX).then_some(Self(units))
            }

            /// The value in units of the last decimal.
            pub fn units(self) -> u64 {
                self.0
            }

            /// Reads a plain decimal number. Negative is refused as such.
            pub fn parse(text: &str) -> Result<Self, InvalidQuantity> {
                match parse_decimal(text, $decimals, Self::UNITS_MAX)? {
                    (true, 1..) => Err(InvalidQuantity::Negative),
                    (_, units) => Ok(Self(units)),
                }
            }

            fn text(self) -> ShortText {
                let mut text = ShortText::empty();
                text.decimal(self.0, $decimals);
                text
            }
        }

        text_form!($name, InvalidQuantity, $name::parse, text);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.text())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

decimal! {
    /// How much of something was used: 0 to 10^9 with six decimals.
    Quantity, 6, 1_000_000_000
}

decimal! {
    /// The price of one, in USDC: 0 to 10^6 with twelve decimals.
    UnitPrice, 12, 1_000_000
}

/// Why a text is not a quantity or a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuantity {
    /// Not a decimal of that kind.
    #[error(transparent)]
    Decimal(#[from] InvalidDecimal),
    /// Below zero.
    #[error("must not be negative")]
    Negative,
}

/// One line of a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What was used: "ContextTokens".
    pub name: Label,
    /// How much of it.
    pub quantity: Quantity,
    /// What one costs, in USDC.
    pub unit_price: UnitPrice,
}

impl Item {
    /// Quantity × price in 10^-18 USDC, exact: at most 10^33.
    pub fn atto(&self) -> i128 {
        i128::from(self.quantity.0) * i128::from(self.unit_price.0)
    }
}

/// What a debit asks for. One shape everywhere: commands, events, rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Charge {
    /// Whole credits.
    Amount(Usdc),
    /// Lines with quantity and price, 1 to [`ITEMS_MAX`] of them.
    Items(Vec<Item>),
}

/// What remains below one credit of an account's itemised charges, in 10^-18 USDC: 0 to 10^12 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Carry(u64);

impl Carry {
    /// The value in 10^-18 USDC.
    pub fn atto(self) -> u64 {
        self.0
    }

    pub(crate) fn from_atto(atto: u64) -> Option<Self> {
        (i128::from(atto) < ATTO_PER_CREDIT).then_some(Self(atto))
    }
}

impl Charge {
    /// The exact sum in 10^-18 USDC. Far above every limit it stops at the end of the range.
    pub fn atto(&self) -> i128 {
        match self {
            Self::Amount(amount) => i128::from(amount.credits()) * ATTO_PER_CREDIT,
            Self::Items(items) => items.iter().fold(0, |sum, item| sum.saturating_add(item.atto())),
        }
    }

    /// Splits the exact sum plus `carry` into whole credits and the carry after. An amount leaves the carry alone.
    /// `None` when the sum is above [`AMOUNT_MAX`] or below zero: such a charge is never accepted.
    pub fn split(&self, carry: Carry) -> Option<(Usdc, Carry)> {
        let limit = i128::from(AMOUNT_MAX.credits()) * ATTO_PER_CREDIT;
        let atto = self.atto();
        if !(0..=limit).contains(&atto) {
            return None;
        }
        match self {
            Self::Amount(amount) => Some((*amount, carry)),
            Self::Items(_) => Some(split_atto(atto + i128::from(carry.0))),
        }
    }
}

fn split_atto(atto: i128) -> (Usdc, Carry) {
    let credits = i64::try_from(atto / ATTO_PER_CREDIT).expect("AMOUNT_MAX and a carry fit i64");
    let carry = u64::try_from(atto % ATTO_PER_CREDIT).expect("the remainder of a sum that is not negative");
    (Usdc::from_credits(credits), Carry(carry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(quantity: &str, unit_price: &str) -> Item {
        Item {
            name: Label::new("tokens").unwrap(),
            quantity: Quantity::parse(quantity).unwrap(),
            unit_price: UnitPrice::parse(unit_price).unwrap(),
        }
    }

    #[test]
    fn items_are_charged_in_whole_credits_and_the_rest_is_carried() {
        let charge = Charge::Items(vec![item("1", "0.0000025")]);
        let (first, carry) = charge.split(Carry::default()).unwrap();
        assert_eq!((first.credits(), carry.atto()), (2, 500_000_000_000));
        let (second, carry) = charge.split(carry).unwrap();
        assert_eq!((second.credits(), carry.atto()), (3, 0));
    }

    #[test]
    fn a_charge_above_the_limit_has_no_split() {
        let most = item("1000000000", "1000000");
        assert_eq!(Charge::Items(vec![most; ITEMS_MAX]).split(Carry::default()), None);
        assert_eq!(
            Charge::Items(vec![item("1000000000", "1")]).split(Carry::default()).unwrap().0,
            AMOUNT_MAX
        );
    }

    #[test]
    fn quantities_and_prices_keep_to_their_ranges() {
        assert_eq!(Quantity::parse("1000000000").unwrap().units(), Quantity::UNITS_MAX);
        assert!(Quantity::parse("1000000000.000001").is_err());
        assert!(Quantity::parse("0.0000001").is_err());
        assert_eq!(Quantity::parse("-1"), Err(InvalidQuantity::Negative));
        assert_eq!(UnitPrice::parse("0.000000000001").unwrap().units(), 1);
        assert!(UnitPrice::parse("1000000.1").is_err());
    }

    proptest! {
        #[test]
        fn what_was_ever_charged_is_the_exact_total_rounded_down_once(
            lines in proptest::collection::vec((0..1_000_000_000_u64, 0..1_000_000_000_u64), 1..50)
        ) {
            let mut carry = Carry::default();
            let (mut charged, mut exact) = (0_i128, 0_i128);
            for (quantity, price) in lines {
                let line = Item {
                    name: Label::new("x").unwrap(),
                    quantity: Quantity::from_units(quantity).unwrap(),
                    unit_price: UnitPrice::from_units(price).unwrap(),
                };
                exact += line.atto();
                let (credits, after) = Charge::Items(vec![line]).split(carry).unwrap();
                charged += i128::from(credits.credits());
                carry = after;
            }
            prop_assert_eq!(charged, exact / ATTO_PER_CREDIT);
        }
    }
}
