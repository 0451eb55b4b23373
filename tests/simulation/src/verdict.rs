//! The end: the judge reads the log and the history; the last owner's memory is held against the log.

use std::collections::BTreeSet;

use event_log::Entry;
use judge::history::{Effects, Line};
use judge::{Fold, Rule, Violation};
use ledger_core::Ledger;
use ledger_core::commit::Commit;
use ledger_core::event::Event;

use crate::outcome::Outcome;

/// The first thing that is wrong. `one_owner`: there never was a second one beside the first.
pub(crate) fn judge(
    entries: &[Entry],
    history: &[Line],
    ledger: &Ledger,
    one_owner: bool,
) -> Result<(), String> {
    let (mut fold, mut effects) = (Fold::new(0), Effects::default());
    for (sequence, entry) in (1..).zip(entries) {
        match entry {
            Entry::Commit(stored) => {
                fold.commit(sequence, &stored.bytes).map_err(|violation| named(&violation))?;
                effects.take(&stored.bytes).map_err(|error| format!("I7: {error}"))?;
            }
            Entry::Foreign { sequence, .. } => {
                fold.foreign(*sequence).map_err(|violation| named(&violation))?;
            }
        }
    }
    fold.check_sums().map_err(|violation| named(&violation))?;
    if let Some(complaint) = judge::history::check(history, &effects, one_owner).first() {
        return Err(complaint.to_string());
    }
    for (id, account) in ledger.accounts() {
        let (app, user) = (id.app.as_str(), id.user.as_str());
        let folded = fold.number(app, user).map(|number| fold.account(number).balance);
        if folded != Some(account.balance().credits()) {
            return Err(format!(
                "I11: {app}/{user} has {:?} in memory, {folded:?} in the log",
                account.balance()
            ));
        }
    }
    Ok(())
}

/// With the number that its rule has in the list of invariants.
fn named(violation: &Violation) -> String {
    let invariant = match violation.rule {
        Rule::Version | Rule::Form | Rule::Chain | Rule::Time => "I7",
        Rule::Terms => "I14",
        Rule::Credit => "I5",
        Rule::Postings => "I6",
        Rule::Keys | Rule::Sources => "I2",
        Rule::Refusals => "I4",
        Rule::Crossings => "I12",
        _ => "I9",
    };
    format!("{invariant}: {violation}")
}

/// I15: a log that has lost its tail, or has a damaged commit, is not written to, and somebody said so.
pub(crate) fn of_damaged(before: &[Entry], after: &[Entry], alarms: u64) -> Result<(), String> {
    if !before.starts_with(after) {
        let place =
            before.iter().zip(after).position(|(before, after)| before != after).unwrap_or(before.len());
        return Err(format!("I15: the log was damaged and something new was appended at {}", place + 1));
    }
    match alarms {
        0 => Err(format!("I15: nobody has noticed the damage to a log that ends at {} now", after.len())),
        _ => Ok(()),
    }
}

/// I1, I2: the items of the source that were acknowledged are done with, each once. Counts what the log holds.
pub(crate) fn count(entries: &[Entry], acknowledged: u64, seen: &mut Outcome) -> Result<(), String> {
    let mut done = BTreeSet::new();
    for entry in entries {
        let Entry::Commit(stored) = entry else { continue };
        let commit = Commit::decode(&stored.bytes).map_err(|error| format!("I7: {error}"))?;
        let (mut crossed, mut paid) = (false, false);
        for event in commit.events.iter() {
            crossed |= matches!(event, Event::Crossed(_));
            paid |= matches!(event, Event::Deposited(_) | Event::Granted(_));
            seen.policies_set += u64::from(matches!(event, Event::PolicySet(_)));
            seen.horizons_raised += u64::from(matches!(event, Event::HorizonRaised(_)));
            let item = match event {
                Event::Debited(event) => event.usage.item.as_ref(),
                Event::Declined(event) => event.usage.item.as_ref(),
                _ => None,
            };
            if let Some(item) = item
                && !done.insert(item.number)
            {
                return Err(format!("I2: item {} was done with twice", item.number));
            }
        }
        seen.commits += 1;
        seen.events += commit.events.len() as u64;
        seen.crossed_and_paid += u64::from(crossed && paid);
    }
    match (1..=acknowledged).find(|number| !done.contains(number)) {
        Some(number) => Err(format!("I1: item {number} was acknowledged and is not in the log")),
        None => Ok(()),
    }
}
