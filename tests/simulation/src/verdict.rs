//! The end: the judge reads the log and the history; the last owner's memory is held against the log.

use event_log::Entry;
use judge::Fold;
use judge::history::{Effects, Line};
use ledger_core::Ledger;

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
                fold.commit(sequence, &stored.bytes).map_err(|violation| violation.to_string())?;
                effects.take(&stored.bytes).map_err(|error| error.to_string())?;
            }
            Entry::Foreign { sequence, .. } => {
                fold.foreign(*sequence).map_err(|violation| violation.to_string())?;
            }
        }
    }
    fold.check_sums().map_err(|violation| violation.to_string())?;
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
