//! I6: what came in by checkout sessions is what was paid.

use std::collections::{BTreeMap, BTreeSet};

use super::containers::name;
use super::{Check, Effect};

impl Check<'_> {
    pub(super) fn money(&mut self, at_rest: bool) {
        let told = self.told;
        let mut paid: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for deed in self.deeds {
            if let Effect::SessionPaid { session, amount } = &deed.effect {
                paid.entry(session).or_default().push(*amount);
            }
        }
        self.deposits(&paid);
        for (name, session) in &told.sessions {
            for (amount, at) in &session.paid {
                self.was_paid(&paid, name, *amount, &format!("session {name} was parked at {at}"));
            }
            if at_rest && session.opened && !session.credited && !session.parked && paid.contains_key(&**name)
            {
                self.complain(
                    "I6",
                    format!("session {name} was paid, and the money is in no account and waits for nobody"),
                );
            }
        }
    }

    fn deposits(&mut self, paid: &BTreeMap<&str, Vec<i64>>) {
        let mut credited = BTreeSet::new();
        for deposit in &self.told.deposits {
            let (session, at) = (&*deposit.session, deposit.at);
            let whose = format!("{}: session {session} was credited at {at}", name(&deposit.account));
            if !credited.insert(session) {
                self.complain("I6", format!("{whose} once more"));
            }
            // What a person credits is that person's word.
            if !deposit.by_hand {
                self.was_paid(paid, session, deposit.amount, &whose);
            }
        }
    }

    fn was_paid(&mut self, paid: &BTreeMap<&str, Vec<i64>>, session: &str, amount: i64, whose: &str) {
        let amounts = paid.get(session).map_or(&[][..], Vec::as_slice);
        if !amounts.contains(&amount) {
            let found =
                amounts.first().map_or("nothing was paid".to_owned(), |paid| format!("{paid} were paid"));
            self.complain("I6", format!("{whose} with {amount} credits, and {found}"));
        }
    }
}
