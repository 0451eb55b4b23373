//! Keys of usage: remembered for a window, in generations by the hour, dropped whole.
//!
//! A UUIDv7 key carries its own time, so one that is older than the window is refused instead of forgotten: a
//! retry can be late, it can not charge twice. Keys of money in are kept for ever, in the account.

use std::collections::VecDeque;

use crate::digest::{ContentDigest, KeyFingerprint};
use crate::ids::{Key, Position};
use crate::map::Map;
use crate::time::{HOUR, MINUTE, Timestamp};

/// How far a UUIDv7 key's own time may lie ahead of the ledger's, in microseconds.
pub const KEY_AHEAD_MAX: i64 = 5 * MINUTE;

/// What is remembered of a used key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsedKey {
    /// What it was used for.
    pub content: ContentDigest,
    /// Where the outcome stands.
    pub position: Position,
}

/// The used keys of one app.
#[derive(Debug, Default)]
pub struct KeyWindow {
    /// In order of time, the oldest first.
    generations: VecDeque<Generation>,
    /// Keys whose own time is before this are refused. It only rises.
    horizon: Timestamp,
}

#[derive(Debug)]
struct Generation {
    hour: i64,
    keys: Map<KeyFingerprint, UsedKey>,
}

impl KeyWindow {
    /// The key, if it was used inside the window.
    pub fn find(&self, fingerprint: KeyFingerprint) -> Option<UsedKey> {
        self.generations.iter().rev().find_map(|generation| generation.keys.get(&fingerprint)).copied()
    }

    /// Keys whose own time is before this are refused.
    pub fn horizon(&self) -> Timestamp {
        self.horizon
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.generations.iter().map(|generation| generation.keys.len()).sum()
    }

    /// None is remembered.
    pub fn is_empty(&self) -> bool {
        self.generations.is_empty()
    }

    /// Remembers a key used at `time`, which never goes back.
    pub(crate) fn remember(&mut self, time: Timestamp, fingerprint: KeyFingerprint, used: UsedKey) {
        let hour = time.hour();
        if self.generations.back().is_none_or(|newest| newest.hour < hour) {
            self.generations.push_back(Generation { hour, keys: Map::default() });
        }
        let newest = self.generations.back_mut().expect("one was just pushed");
        newest.keys.insert(fingerprint, used);
    }

    /// Every position it knows.
    pub(crate) fn positions_mut(&mut self) -> impl Iterator<Item = &mut Position> {
        self.generations
            .iter_mut()
            .flat_map(|generation| generation.keys.values_mut())
            .map(|used| &mut used.position)
    }

    /// Moves the horizon to `window` before `now` and drops the generations that no accepted key can be in.
    ///
    /// A key may have been used up to [`KEY_AHEAD_MAX`] before its own time, so a generation outlives the horizon
    /// by that much: whatever was dropped is refused as expired.
    pub(crate) fn advance(&mut self, now: Timestamp, window: i64) {
        self.horizon = self.horizon.max(now.plus(-window));
        let end = |generation: &Generation| Timestamp((generation.hour + 1).saturating_mul(HOUR));
        let closed = |generation: &Generation| end(generation).plus(KEY_AHEAD_MAX);
        while self.generations.front().is_some_and(|oldest| closed(oldest) <= self.horizon) {
            self.generations.pop_front();
        }
    }
}

/// The time inside a UUIDv7 in its usual text form; `None` for every other key.
pub fn uuid_v7_time(key: &Key) -> Option<Timestamp> {
    let text = key.as_str().as_bytes();
    let dashes = [8, 13, 18, 23];
    let shaped = text.len() == 36
        && text
            .iter()
            .enumerate()
            .all(|(at, byte)| if dashes.contains(&at) { *byte == b'-' } else { byte.is_ascii_hexdigit() });
    let variant = |byte: u8| matches!(byte.to_ascii_lowercase(), b'8' | b'9' | b'a' | b'b');
    if !shaped || text[14] != b'7' || !variant(text[19]) {
        return None;
    }
    let digits = format!("{}{}", &key.as_str()[..8], &key.as_str()[9..13]);
    let millis = i64::from_str_radix(&digits, 16).expect("12 hex digits fit");
    Some(Timestamp(millis * 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountId, AppId, PartitionId, UserId};

    fn fingerprint(key: &str) -> KeyFingerprint {
        let account = AccountId { app: AppId::new("demo").unwrap(), user: UserId::new("anna").unwrap() };
        KeyFingerprint::of(&account, &Key::new(key).unwrap())
    }

    const USED: UsedKey = UsedKey {
        content: ContentDigest::TEST,
        position: Position { partition: PartitionId(0), sequence: 9, index: 1 },
    };

    #[test]
    fn a_key_is_remembered_for_the_whole_window_and_dropped_after_it() {
        let mut window = KeyWindow::default();
        let start = Timestamp(1_000 * HOUR + 59 * MINUTE);
        window.remember(start, fingerprint("a"), USED);
        window.advance(start.plus(24 * HOUR), 24 * HOUR);
        assert_eq!(window.find(fingerprint("a")), Some(USED));
        assert_eq!(window.find(fingerprint("b")), None);
        window.advance(start.plus(24 * HOUR + 6 * MINUTE), 24 * HOUR);
        assert_eq!(window.find(fingerprint("a")), None);
        assert!(window.is_empty());
    }

    #[test]
    fn what_is_dropped_is_always_before_the_horizon_even_when_its_own_time_ran_ahead() {
        let mut window = KeyWindow::default();
        let used_at = Timestamp(1_001 * HOUR - 1);
        let own_time = used_at.plus(KEY_AHEAD_MAX);
        window.remember(used_at, fingerprint("a"), USED);
        let mut now = used_at;
        while window.find(fingerprint("a")).is_some() {
            now = now.plus(MINUTE);
            window.advance(now, HOUR);
        }
        assert!(own_time < window.horizon(), "a key that was dropped must be refused as expired");
    }

    #[test]
    fn a_longer_window_does_not_make_an_old_key_look_new() {
        let mut window = KeyWindow::default();
        window.advance(Timestamp(1_000 * HOUR), HOUR);
        let horizon = window.horizon();
        window.advance(Timestamp(1_000 * HOUR), 100 * HOUR);
        assert_eq!(window.horizon(), horizon);
    }

    #[test]
    fn only_uuids_of_version_7_carry_a_time() {
        let time = |text: &str| uuid_v7_time(&Key::new(text).unwrap());
        assert_eq!(time("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), Some(Timestamp(1_645_557_742_000_000)));
        for other in
            ["919108f7-52d1-4320-9bac-f847db4148a8", "017f22e2-79b0-7cc3-18c4-dc0c0c07398f", "order 7", "ä-é"]
        {
            assert_eq!(time(other), None, "{other}");
        }
    }
}
