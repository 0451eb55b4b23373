//! Declines, remembered while their call may be tried again: a call has one answer.

use std::collections::BTreeMap;

use ledger_core::digest::{ContentDigest, KeyFingerprint};
use ledger_core::{Command, Rejection, Timestamp};

/// How many are remembered; the ones whose deadline comes first are forgotten first.
const DECLINES_MAX: usize = 100_000;

/// A call is a key and a deadline. In memory alone: a restart may forget.
#[derive(Debug, Default)]
pub(super) struct Declines {
    /// By deadline first: that most calls have one of their own spares them the hashing.
    by_deadline: BTreeMap<Timestamp, BTreeMap<Attempt, Rejection>>,
    len: usize,
}

/// The same key with other content is another call, with an answer of its own.
type Attempt = (KeyFingerprint, ContentDigest);

impl Declines {
    /// What this call was answered before.
    pub(super) fn find(&self, command: &Command, deadline: Timestamp) -> Option<&Rejection> {
        self.by_deadline.get(&deadline)?.get(&attempt(command)?)
    }

    pub(super) fn remember(
        &mut self,
        now: Timestamp,
        command: &Command,
        deadline: Timestamp,
        rejection: &Rejection,
    ) {
        let Some(attempt) = attempt(command) else { return };
        while let Some(mut oldest) = self.by_deadline.first_entry() {
            if *oldest.key() >= now && self.len < DECLINES_MAX {
                break;
            }
            oldest.get_mut().pop_first();
            self.len -= 1;
            if oldest.get().is_empty() {
                oldest.remove();
            }
        }
        let before = self.by_deadline.entry(deadline).or_default().insert(attempt, rejection.clone());
        self.len += usize::from(before.is_none());
    }
}

/// None for what may be asked again at any time: commands without a key, and dry runs.
fn attempt(command: &Command) -> Option<Attempt> {
    let dry_run = matches!(command, Command::Debit(debit) if debit.dry_run);
    let key = command.key().filter(|_| !dry_run)?;
    Some((KeyFingerprint::of(command.account(), key), ContentDigest::of(command)))
}
