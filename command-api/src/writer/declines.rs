//! Declines, remembered while their call may be tried again: a call has one answer.

use std::collections::BTreeMap;

use ledger_core::{Command, KeyUse, Rejection, Timestamp};

/// How many are remembered; the ones whose deadline comes first are forgotten first.
const DECLINES_MAX: usize = 100_000;

/// A call is a key and a deadline. In memory alone: a restart may forget.
#[derive(Debug, Default)]
pub(super) struct Declines(BTreeMap<(Timestamp, KeyUse), Rejection>);

impl Declines {
    /// What this call was answered before.
    pub(super) fn find(
        &self,
        command: &Command,
        key_use: Option<KeyUse>,
        deadline: Timestamp,
    ) -> Option<&Rejection> {
        self.0.get(&(deadline, attempt(command, key_use)?))
    }

    pub(super) fn remember(
        &mut self,
        now: Timestamp,
        command: &Command,
        key_use: Option<KeyUse>,
        deadline: Timestamp,
        rejection: &Rejection,
    ) {
        let Some(attempt) = attempt(command, key_use) else { return };
        while let Some(oldest) = self.0.first_entry() {
            let (expires, _) = *oldest.key();
            if expires >= now && self.0.len() < DECLINES_MAX {
                break;
            }
            self.0.pop_first();
        }
        self.0.insert((deadline, attempt), rejection.clone());
    }
}

/// The same key with other content is another call, with an answer of its own. None for what may be asked again at any
/// time: commands without a key, and dry runs.
fn attempt(command: &Command, key_use: Option<KeyUse>) -> Option<KeyUse> {
    let dry_run = matches!(command, Command::Debit(debit) if debit.dry_run);
    key_use.filter(|_| !dry_run)
}
