//! Declines, remembered while their call may be tried again: a call has one answer.

use std::collections::BTreeMap;

use ledger_core::digest::KeyFingerprint;
use ledger_core::{Command, Rejection, Timestamp};

/// How many are remembered; the ones whose deadline comes first are forgotten first.
const DECLINES_MAX: usize = 100_000;

/// A call is a key and a deadline. In memory alone: a restart may forget.
#[derive(Debug, Default)]
pub(super) struct Declines(BTreeMap<(Timestamp, KeyFingerprint), Rejection>);

impl Declines {
    /// What this call was answered before.
    pub(super) fn find(&self, command: &Command, deadline: Timestamp) -> Option<&Rejection> {
        self.0.get(&(deadline, fingerprint(command)?))
    }

    pub(super) fn remember(
        &mut self,
        now: Timestamp,
        command: &Command,
        deadline: Timestamp,
        rejection: &Rejection,
    ) {
        let Some(fingerprint) = fingerprint(command) else { return };
        while let Some(oldest) = self.0.first_entry() {
            let (expires, _) = *oldest.key();
            if expires >= now && self.0.len() < DECLINES_MAX {
                break;
            }
            self.0.pop_first();
        }
        self.0.insert((deadline, fingerprint), rejection.clone());
    }
}

fn fingerprint(command: &Command) -> Option<KeyFingerprint> {
    command.key().map(|key| KeyFingerprint::of(command.account(), key))
}
