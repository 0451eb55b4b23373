//! Double entry, derived: every movement has named counterparties and sums to zero.

use schemars::JsonSchema;
use serde::Serialize;

use crate::event::Event;
use crate::ids::AccountId;
use crate::money::Usdc;

/// One side of a movement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// A user's account.
    User(AccountId),
    /// Where paid money comes from: `$treasury`.
    Treasury,
    /// Where given money comes from: `$promo`.
    Promo,
    /// Who earns the usage: `$developer`.
    Developer,
    /// Who earns the fee: `$fee`.
    Fee,
}

/// What a movement does to one party: positive is more, negative is less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Posting {
    /// Whom.
    pub party: Party,
    /// How much.
    pub amount: Usdc,
}

/// The postings of one event; none when it moves no money.
pub fn postings(event: &Event) -> Vec<Posting> {
    let user = |account: &AccountId| Party::User(account.clone());
    let movements = match event {
        Event::AccountOpened(event) => transfer(Party::Promo, user(&event.account), event.initial_balance),
        Event::Granted(event) => transfer(Party::Promo, user(&event.account), event.amount),
        Event::Deposited(event) => transfer(Party::Treasury, user(&event.account), event.amount),
        Event::Debited(event) => {
            let from = user(&event.usage.account);
            vec![
                (from, event.charged.negated()),
                (Party::Developer, event.charged - event.fee),
                (Party::Fee, event.fee),
            ]
        }
        Event::Genesis(_) | Event::TermOpened(_) | Event::PolicySet(_) | Event::SourceMarked(_) => vec![],
        Event::ContainerSet(_) | Event::Paused(_) | Event::Resumed(_) | Event::SolvencyChecked(_) => vec![],
        Event::LifecycleStepped(_) | Event::NoticeStepped(_) | Event::CheckoutStepped(_) => vec![],
        Event::Declined(_) | Event::Crossed(_) | Event::AccountClosed(_) | Event::HorizonRaised(_) => vec![],
    };
    let moved = movements.into_iter().filter(|(_, amount)| !amount.is_zero());
    moved.map(|(party, amount)| Posting { party, amount }).collect()
}

fn transfer(from: Party, to: Party, amount: Usdc) -> Vec<(Party, Usdc)> {
    vec![(from, amount.negated()), (to, amount)]
}
