//! Keys of usage: remembered for a window, in generations, each dropped whole.
//!
//! A UUIDv7 key carries its own time, so one that is older than the window is refused instead of forgotten: a
//! retry can be late, it can not charge twice. Keys of money in are kept for ever, in [`crate::ledger`].
//!
//! The newest generation grows; a closed one is a sorted row of records that never changes again, so that it costs
//! 40 bytes a key and is saved once. An app's keys are bounded by a budget of its own: beyond it the oldest generation
//! goes, and the horizon rises past everything in it ([`crate::event::HorizonRaised`]).

mod generation;
mod open;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::digest::{ContentDigest, KeyFingerprint};
use crate::ids::{Key, Sequence};
use crate::time::{HOUR, MINUTE, Timestamp};
use crate::uuid_text;

pub use generation::Generation;
pub(crate) use generation::Record;
pub(crate) use open::OpenGeneration;

/// How far a UUIDv7 key's own time may lie ahead of the ledger's, in microseconds.
pub const KEY_AHEAD_MAX: i64 = 5 * MINUTE;

/// A generation is closed when it holds this part of the budget.
const GENERATIONS_IN_BUDGET: u32 = 16;

/// What is remembered of a used key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedKey {
    /// What it was used for.
    pub content: ContentDigest,
    /// The commit in which the outcome stands.
    pub sequence: Sequence,
    /// The index of the outcome in it.
    pub index: u32,
}

/// The used keys of one app.
#[derive(Debug, Default)]
pub struct KeyWindow {
    /// The oldest first.
    pub(crate) closed: VecDeque<Arc<Generation>>,
    pub(crate) open: OpenGeneration,
    /// Keys whose own time is before this are refused. It only rises.
    pub(crate) horizon: Timestamp,
    /// How many keys there are in the closed generations.
    closed_len: usize,
}

impl KeyWindow {
    /// What a snapshot holds.
    pub(crate) fn restored(
        closed: VecDeque<Arc<Generation>>,
        open: OpenGeneration,
        horizon: Timestamp,
    ) -> Self {
        let closed_len = closed.iter().map(|generation| generation.len()).sum();
        Self { closed, open, horizon, closed_len }
    }

    /// The key, if it was used inside the window.
    pub(crate) fn find(&self, fingerprint: KeyFingerprint, key: &Key) -> Option<UsedKey> {
        let found = self.open.find(fingerprint);
        if found.is_some() || self.closed.is_empty() {
            return found;
        }
        // A key is accepted when its own time is at most so far ahead: it can not have been used before that.
        let earliest = uuid_v7_time(key).map_or(i64::MIN, |time| time.plus(-KEY_AHEAD_MAX).hour());
        let mut newest_first =
            self.closed.iter().rev().take_while(|generation| generation.hour() >= earliest);
        newest_first.find_map(|generation| generation.find(fingerprint))
    }

    /// Keys whose own time is before this are refused.
    pub fn horizon(&self) -> Timestamp {
        self.horizon
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.closed_len + self.open.len()
    }

    /// None is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Remembers a key used at `time`, which never goes back. `budget`: how many keys the app may have.
    pub(crate) fn remember(
        &mut self,
        time: Timestamp,
        budget: u32,
        fingerprint: KeyFingerprint,
        key: &Key,
        used: UsedKey,
    ) {
        let full = self.open.len() >= (budget / GENERATIONS_IN_BUDGET).max(1) as usize;
        if !self.open.is_empty() && (full || self.open.hour() < time.hour()) {
            self.close();
        }
        self.open.remember(time, uuid_v7_time(key).unwrap_or(time), fingerprint, used);
    }

    fn close(&mut self) {
        let closed = std::mem::take(&mut self.open).close();
        self.closed_len += closed.len();
        self.closed.push_back(Arc::new(closed));
    }

    /// The horizon that makes room, when the budget is used up.
    ///
    /// It may be past everything in the oldest generation already: the window moves it while the generation's hour is
    /// not over, and a key ahead of its time takes it past younger ones. It rises all the same, by the least there is.
    pub(crate) fn overflow(&self, budget: u32) -> Option<Timestamp> {
        let oldest = self.closed.front().filter(|_| self.len() >= budget as usize)?;
        Some(Timestamp(oldest.newest().max(self.horizon).0.saturating_add(1)))
    }

    /// Raises the horizon, and drops the closed generations all of whose keys were used before it and are of a time
    /// before it.
    pub(crate) fn raise_horizon(&mut self, horizon: Timestamp) {
        self.horizon = self.horizon.max(horizon);
        self.drop_while(|generation, horizon| generation.newest() < horizon);
    }

    /// A foreign message took a place: positions that are not durable yet move.
    pub(crate) fn renumber(&mut self, bump: impl Fn(&mut Sequence)) {
        self.open.renumber(&bump);
        for generation in &mut self.closed {
            Arc::make_mut(generation).renumber(&bump);
        }
    }

    /// Moves the horizon to `window` before `now` and drops the generations that no accepted key can be in.
    ///
    /// A key may have been used up to [`KEY_AHEAD_MAX`] before its own time, so a generation outlives the horizon
    /// by that much: whatever was dropped is refused as expired.
    pub(crate) fn advance(&mut self, now: Timestamp, window: i64) {
        self.horizon = self.horizon.max(now.plus(-window));
        let end = |hour: i64| Timestamp((hour + 1).saturating_mul(HOUR)).plus(KEY_AHEAD_MAX);
        if !self.open.is_empty() && end(self.open.hour()) <= self.horizon {
            self.close();
        }
        self.drop_while(|generation, horizon| end(generation.hour()) <= horizon);
    }

    fn drop_while(&mut self, is_over: impl Fn(&Generation, Timestamp) -> bool) {
        while self.closed.front().is_some_and(|oldest| is_over(oldest, self.horizon)) {
            self.closed_len -= self.closed.pop_front().map_or(0, |oldest| oldest.len());
        }
    }
}

/// The time inside a UUIDv7 in its usual text form; `None` for every other key.
pub fn uuid_v7_time(key: &Key) -> Option<Timestamp> {
    let bytes = key.uuid().copied().or_else(|| uuid_text::bytes(&key.text()))?;
    let (version, variant) = (bytes[6] >> 4, bytes[8] >> 6);
    if (version, variant) != (7, 0b10) {
        return None;
    }
    let millis = bytes[..6].iter().fold(0, |millis, byte| (millis << 8) | i64::from(*byte));
    Some(Timestamp(millis * 1_000))
}

#[cfg(test)]
mod tests;
