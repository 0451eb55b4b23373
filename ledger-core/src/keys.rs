//! Keys of usage: remembered for a window, in generations, each dropped whole.
//!
//! A UUIDv7 key carries its own time, so one that is older than the window is refused instead of forgotten: a
//! retry can be late, it can not charge twice. Keys of money in are kept for ever, in [`crate::ledger`].
//!
//! The newest generation is a map; a closed one is a sorted row of records that never changes again, so that it costs
//! 40 bytes a key and is saved once. An app's keys are bounded by a budget of its own: beyond it the oldest generation
//! goes, and the horizon rises past everything in it ([`crate::event::HorizonRaised`]).

mod generation;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::digest::{ContentDigest, KeyFingerprint};
use crate::ids::{Key, Sequence};
use crate::map::Map;
use crate::time::{HOUR, MINUTE, Timestamp};
use crate::uuid_text;

pub use generation::Generation;
pub(crate) use generation::Record;

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
    /// How many keys there are in all generations.
    len: usize,
}

/// The generation that keys are still added to.
#[derive(Debug, Default)]
pub(crate) struct OpenGeneration {
    pub(crate) hour: i64,
    pub(crate) newest: Timestamp,
    pub(crate) keys: Map<KeyFingerprint, UsedKey>,
}

impl KeyWindow {
    /// What a snapshot holds.
    pub(crate) fn restored(
        closed: VecDeque<Arc<Generation>>,
        open: OpenGeneration,
        horizon: Timestamp,
    ) -> Self {
        let len = closed.iter().map(|generation| generation.len()).sum::<usize>() + open.keys.len();
        Self { closed, open, horizon, len }
    }

    /// The key, if it was used inside the window.
    pub(crate) fn find(&self, fingerprint: KeyFingerprint, key: &Key) -> Option<UsedKey> {
        if let Some(used) = self.open.keys.get(&fingerprint) {
            return Some(*used);
        }
        if self.closed.is_empty() {
            return None;
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
        self.len
    }

    /// None is remembered.
    pub fn is_empty(&self) -> bool {
        self.len == 0
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
        let full = self.open.keys.len() >= (budget / GENERATIONS_IN_BUDGET).max(1) as usize;
        if !self.open.keys.is_empty() && (full || self.open.hour < time.hour()) {
            self.close();
        }
        self.open.hour = time.hour();
        self.open.newest = self.open.newest.max(time).max(uuid_v7_time(key).unwrap_or(time));
        self.open.keys.insert(fingerprint, used);
        self.len += 1;
    }

    fn close(&mut self) {
        let OpenGeneration { hour, newest, keys } = std::mem::take(&mut self.open);
        self.closed.push_back(Arc::new(Generation::close(hour, newest, keys)));
    }

    /// The horizon that makes room, when the budget is used up.
    ///
    /// It may be past everything in the oldest generation already: the window moves it while the generation's hour is
    /// not over, and a key ahead of its time takes it past younger ones. It rises all the same, by the least there is.
    pub(crate) fn overflow(&self, budget: u32) -> Option<Timestamp> {
        let oldest = self.closed.front().filter(|_| self.len >= budget as usize)?;
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
        self.open.keys.values_mut().for_each(|used| bump(&mut used.sequence));
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
        if !self.open.keys.is_empty() && end(self.open.hour) <= self.horizon {
            self.close();
        }
        self.drop_while(|generation, horizon| end(generation.hour()) <= horizon);
    }

    fn drop_while(&mut self, is_over: impl Fn(&Generation, Timestamp) -> bool) {
        while self.closed.front().is_some_and(|oldest| is_over(oldest, self.horizon)) {
            self.len -= self.closed.pop_front().map_or(0, |oldest| oldest.len());
        }
    }
}

/// The time inside a UUIDv7 in its usual text form; `None` for every other key.
pub fn uuid_v7_time(key: &Key) -> Option<Timestamp> {
    let bytes = uuid_text::bytes(key.as_str())?;
    let (version, variant) = (bytes[6] >> 4, bytes[8] >> 6);
    if (version, variant) != (7, 0b10) {
        return None;
    }
    let millis = bytes[..6].iter().fold(0, |millis, byte| (millis << 8) | i64::from(*byte));
    Some(Timestamp(millis * 1_000))
}

#[cfg(test)]
mod tests;
