//! Holds what clients were told against what the log holds. The numbers are those of the list of invariants.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::effects::{Account, Effect, Effects};
use super::operations::{Answered, Before, Operation};
use super::{Line, Refusal, Verb, What};
use crate::position::Position;

/// What a history and a log do not agree about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{rule}: {what}")]
pub struct Complaint {
    /// Which promise is broken.
    pub rule: Promise,
    /// How, with the client, its operation and the position.
    pub what: String,
}

/// What clients are promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// I1: what was acknowledged stands in the log as it was answered.
    Kept,
    /// I2: attempts under one key have one effect and one answer.
    Once,
    /// I3: nothing is decided after its deadline.
    InTime,
    /// I4: what was refused has no effect, what nobody asked for does not happen, and a refusal is true.
    Refused,
    /// I6: what came in and what was charged is what the clients know of.
    Sums,
    /// I8: what was answered before something was asked stands before it, and is seen by it.
    Ordered,
    /// The history itself is wrong: nothing can be said about the log.
    History,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "I1, an acknowledged effect stands",
            Self::Once => "I2, one effect and one answer a key",
            Self::InTime => "I3, nothing after its deadline",
            Self::Refused => "I4, a refusal is true and does nothing",
            Self::Sums => "I6, the money is what the clients know of",
            Self::Ordered => "I8, order",
            Self::History => "the history is wrong",
        })
    }
}

/// Refusals that say something about the account: they follow from its state, and another attempt of the call that is
/// decided by the same owner gets the same.
const DECLINES: [&str; 8] = [
    "insufficient_credit",
    "account_closed",
    "amount_not_positive",
    "amount_too_large",
    "items_count",
    "balance_too_large",
    "lots_full",
    "account_unknown",
];

/// Everything about which a history and a log do not agree. Empty: they do.
///
/// `one_owner`: of each partition there was never more than one owner that could answer at a time. Otherwise answers
/// about a state that only a newer term has changed are allowed to be old.
pub fn check(lines: &[Line], log: &Effects, one_owner: bool) -> Vec<Complaint> {
    let mut check = Check { log, one_owner, complaints: Vec::new() };
    let operations = check.operations(lines);
    let before = Before::of(&operations);
    let mut first_attempts = BTreeMap::new();
    for (operation, before) in operations.iter().zip(&before.each) {
        check.answer(operation);
        check.order(operation, before);
        check.shown(operation, before);
        // A later attempt of a call gets the answer of the first, from the state of then.
        let request = operation.request;
        let call = request.key.as_ref().map(|key| (&operation.account, key, request.deadline));
        let from = call.map_or(before.account, |call| *first_attempts.entry(call).or_insert(before.account));
        check.refusal(operation, from);
    }
    check.keys(&operations, &before);
    check.accounts(&operations);
    check.complaints.sort();
    check.complaints
}

struct Check<'a> {
    log: &'a Effects,
    one_owner: bool,
    complaints: Vec<Complaint>,
}

impl<'a> Check<'a> {
    fn complain(&mut self, rule: Promise, what: impl Into<String>) {
        self.complaints.push(Complaint { rule, what: what.into() });
    }

    /// Brings requests and outcomes together.
    fn operations(&mut self, lines: &'a [Line]) -> Vec<Operation<'a>> {
        let mut operations = BTreeMap::new();
        for line in lines {
            if let What::Invoke(request) = &line.what {
                let name = (line.client, line.op);
                let account = (request.app.clone(), request.user.clone());
                let operation = Operation { name, request, account, sent: line.at, outcome: None };
                if let Some(twice) = operations.insert(name, operation) {
                    self.complain(Promise::History, format!("{twice} was sent twice"));
                }
            }
        }
        for line in lines.iter().filter(|line| !matches!(line.what, What::Invoke(_))) {
            match operations.get_mut(&(line.client, line.op)) {
                Some(operation) if operation.outcome.is_none() && line.at >= operation.sent => {
                    operation.outcome = Some((line.at, &line.what));
                }
                _ => {
                    let what =
                        format!("client {}, operation {}: an outcome of nothing", line.client, line.op);
                    self.complain(Promise::History, what);
                }
            }
        }
        operations.into_values().collect()
    }

    /// I1: what the answer says stands at the position it names.
    fn answer(&mut self, operation: &Operation<'_>) {
        let Some((_, answer)) = operation.ok() else { return };
        let Some(position) = answer.position else {
            if operation.request.verb != Verb::Read {
                self.complain(
                    Promise::History,
                    format!("{operation} was done, and the answer names no position"),
                );
            }
            return;
        };
        let Some(effect) = self.log.all.get(&position).filter(|effect| effect.account == operation.account)
        else {
            let what =
                format!("{operation} was answered with {position}, where no event of this account stands");
            return self.complain(Promise::Kept, what);
        };
        let request = operation.request;
        let acts = !operation.shows_account();
        let keyed = acts && !matches!(request.verb, Verb::Open | Verb::Close);
        let verb =
            |verb: Option<Verb>| verb.map_or("no act of a client".to_owned(), |verb| format!("{verb:?}"));
        let key =
            |key: &Option<String>| key.as_ref().map_or("no key".to_owned(), |key| format!("the key {key:?}"));
        let number = |name: &str, number: i64| format!("the {name} {number}");
        let (amount, balance) = (number("amount", effect.amount), number("balance", effect.balance));
        let pairs = [
            (acts, Some(verb(Some(request.verb))), verb(effect.verb)),
            (keyed, Some(key(&request.key)), key(&effect.key)),
            (keyed, answer.charged.map(|amount| number("amount", amount)), amount),
            (true, answer.balance.map(|balance| number("balance", balance)), balance),
        ];
        for (told, held) in
            pairs.into_iter().filter_map(|(counts, told, held)| Some((told.filter(|_| counts)?, held)))
        {
            if told != held {
                self.complain(
                    Promise::Kept,
                    format!("{operation} was told {told} at {position}, which holds {held}"),
                );
            }
        }
    }

    /// I8: what is new stands behind all that was answered before it was sent.
    fn order(&mut self, operation: &Operation<'_>, before: &Answered) {
        let position = operation.ok().and_then(|(_, answer)| answer.position);
        let Some(position) = position.filter(|_| operation.is_new()) else { return };
        if let Some(earlier) = before.partition.filter(|earlier| *earlier >= position) {
            let what =
                format!("{operation} stands at {position}, and {earlier} was answered before it was sent");
            self.complain(Promise::Ordered, what);
        }
    }

    /// I8: an account is shown with all that was answered before the question was sent.
    fn shown(&mut self, operation: &Operation<'_>, before: &Answered) {
        let shown = operation.ok().filter(|_| operation.shows_account());
        let Some(position) = shown.and_then(|(_, answer)| answer.position) else { return };
        let Some(known) = before.account else { return };
        if position < known && self.must_know(&operation.account, position) {
            let what = format!("{operation} saw {position}, and {known} was answered before it was sent");
            self.complain(Promise::Ordered, what);
        }
    }

    /// Whoever has the account's state of this position must have the next event too: it is of the same term, so
    /// its owner decided both.
    fn must_know(&self, account: &Account, position: Position) -> bool {
        let mut events =
            self.log.of(account).skip_while(|(at, _)| *at < position).map(|(_, effect)| effect.term);
        let (here, next) = (events.next(), events.next());
        self.one_owner || here == next
    }

    /// I4: for want of credit is refused only what the account did not have, at a moment it was in.
    fn refusal(&mut self, operation: &Operation<'_>, from: Option<Position>) {
        let Some((_, Refusal { code, needed, available: Some(available) })) = operation.refused() else {
            return;
        };
        if code != "insufficient_credit" {
            return;
        }
        let from = from.filter(|_| self.one_owner);
        let mut states =
            self.log.of(&operation.account).filter(|(at, _)| from.is_none_or(|from| *at >= from));
        let held = states.any(|(_, effect)| effect.balance == *available);
        if !held || needed.is_some_and(|needed| needed <= *available) {
            let needed = needed.map(|needed| format!(" of the {needed} needed")).unwrap_or_default();
            let what = format!(
                "{operation} was refused because {available}{needed} were available, which is not so"
            );
            self.complain(Promise::Refused, what);
        }
    }

    /// What the attempts under one key were told, and what became of it.
    fn keys(&mut self, operations: &[Operation<'_>], before: &Before) {
        let mut by_key: BTreeMap<(&Account, &str), Vec<&Operation<'_>>> = BTreeMap::new();
        for operation in operations.iter().filter(|operation| operation.request.verb != Verb::Read) {
            if let Some(key) = &operation.request.key {
                by_key.entry((&operation.account, key)).or_default().push(operation);
            }
        }
        for ((account, key), attempts) in by_key {
            self.answers_agree(&attempts, before);
            let effects = self.log.by_key.get(&(account.clone(), key.to_owned()));
            for position in effects.into_iter().flatten() {
                self.effect_was_asked_for(*position, &attempts);
            }
        }
    }

    /// I2: only one attempt was told that it was the first; what was done once is not declined later; a call that was
    /// declined stays so while its owner is the same.
    fn answers_agree(&mut self, attempts: &[&Operation<'_>], before: &Before) {
        let mut firsts = BTreeMap::new();
        for attempt in attempts.iter().filter(|attempt| attempt.is_new()) {
            let position = attempt.ok().and_then(|(_, answer)| answer.position);
            if let Some(other) = firsts.insert(position, attempt) {
                self.complain(
                    Promise::Once,
                    format!("{attempt} and {other} were both told that they were the first"),
                );
            }
        }
        // An owner whose term is over may still say what it knows.
        let one_owner = self.one_owner;
        let declined = |attempt: &&&Operation<'_>| {
            attempt.refused().is_some_and(|(_, refusal)| DECLINES.contains(&refusal.code.as_str()))
        };
        let declines = attempts.iter().filter(declined);
        for decline in declines.filter(|_| one_owner) {
            for done in attempts.iter().filter(|other| other.same_content(decline)) {
                let Some((answered, answer)) = done.ok() else { continue };
                if answered < decline.sent {
                    self.complain(Promise::Once, format!("{decline} was declined after {done} was done"));
                }
                if decline.is_same_call(done) && before.owner_was_there(self.log, answer, decline.sent) {
                    let what = format!("{done} was done after the same call, {decline}, was declined");
                    self.complain(Promise::Once, what);
                }
            }
        }
    }

    /// I3, I4: an effect was asked for by an attempt that was not refused, and in time.
    fn effect_was_asked_for(&mut self, position: Position, attempts: &[&Operation<'_>]) {
        let effect = &self.log.all[&position];
        let fitting = || attempts.iter().filter(|attempt| effect.is_what(attempt.request));
        let asked: Vec<_> = fitting().filter(|attempt| attempt.may_have_happened()).collect();
        if asked.is_empty() {
            let refused = fitting().next();
            let refused =
                refused.map_or("nobody asked for it".to_owned(), |one| format!("{one} was refused"));
            return self.complain(Promise::Refused, format!("{effect} stands at {position}, but {refused}"));
        }
        let deadlines: Option<Vec<i64>> = asked.iter().map(|attempt| attempt.request.deadline).collect();
        let latest = deadlines.and_then(|deadlines| deadlines.into_iter().max());
        if let (Some(decided), Some(latest)) = (effect.decided, latest)
            && decided > latest
        {
            let what =
                format!("{effect} at {position} was decided at {decided}, the last deadline was {latest}");
            self.complain(Promise::InTime, what);
        }
    }

    /// I4, I6: of the accounts that the history opened, everything was asked for, and the sums are the clients'.
    fn accounts(&mut self, operations: &[Operation<'_>]) {
        let mut by_account: BTreeMap<&Account, Vec<&Operation<'_>>> = BTreeMap::new();
        for operation in operations {
            by_account.entry(&operation.account).or_default().push(operation);
        }
        let opens = |one: &&Operation<'_>| one.request.verb == Verb::Open && one.may_have_happened();
        for (account, mine) in by_account.into_iter().filter(|(_, mine)| mine.iter().any(opens)) {
            let keys: BTreeSet<_> =
                mine.iter().filter_map(|operation| operation.request.key.as_deref()).collect();
            for (position, effect) in self.log.of(account).filter(|(_, effect)| !effect.is_item) {
                let needs_none = !matches!(effect.verb, Some(Verb::Grant | Verb::Deposit | Verb::Debit));
                if !effect.key.as_deref().map_or(needs_none, |key| keys.contains(key)) {
                    let what = format!("{effect} stands at {position}, but nobody asked for it");
                    self.complain(Promise::Refused, what);
                }
            }
            self.sums(account, &mine, "paid in or given", &[Verb::Open, Verb::Grant, Verb::Deposit]);
            self.sums(account, &mine, "charged", &[Verb::Debit]);
        }
    }

    /// I6: the log holds what was acknowledged and what was never answered, and nothing else.
    fn sums(&mut self, account: &Account, mine: &[&Operation<'_>], name: &str, verbs: &[Verb]) {
        let asked = || mine.iter().filter(|operation| verbs.contains(&operation.request.verb));
        let effects = || {
            let counts =
                |effect: &Effect| !effect.is_item && effect.verb.is_some_and(|verb| verbs.contains(&verb));
            self.log.of(account).filter(move |(_, effect)| counts(effect))
        };
        let mut known = BTreeMap::new();
        for operation in asked().filter(|operation| !operation.shows_account()) {
            let Some((_, answer)) = operation.ok() else { continue };
            let position = answer.position;
            let held = || self.log.all.get(&position?).map(|effect| effect.amount);
            known.insert(position, answer.charged.or(operation.request.amount).or_else(held).unwrap_or(0));
        }
        let is_open_end = |effect: &Effect| {
            // A client that repeats a call by itself is told "it was open already" of what its own first try opened.
            let mut open =
                asked().filter(|one| one.may_have_happened() && (one.ok().is_none() || one.shows_account()));
            open.any(|one| {
                effect.is_what(one.request) && (effect.key.is_none() || one.request.key == effect.key)
            })
        };
        let unanswered =
            effects().filter(|(at, effect)| !known.contains_key(&Some(*at)) && is_open_end(effect));
        let unanswered: i128 = unanswered.map(|(_, effect)| i128::from(effect.amount)).sum();
        let log: i128 = effects().map(|(_, effect)| i128::from(effect.amount)).sum();
        let known: i128 = known.into_values().map(i128::from).sum();
        if log != known + unanswered {
            let (app, user) = account;
            let what = format!(
                "{app}/{user} was {name} {log} credits by the log, but the clients know of {known}, and of {unanswered} \
                 by requests that were never answered"
            );
            self.complain(Promise::Sums, what);
        }
    }
}
