//! The keys that have had their effect.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use sha2::{Digest as _, Sha256};

use crate::violation::{Check, Rule, holds};
use crate::wire::Key;

const SECOND: i64 = 1_000_000;
pub(super) const MINUTE: i64 = 60 * SECOND;

/// Account and key in 20 bytes: the account's number and a UUID as it is, or half of the SHA-256 of any other text.
type Fingerprint = [u8; 20];

/// The keys of one partition. Those remembered for ever take 24 to 48 bytes each, the others 28 to 56, by how full the
/// tables happen to be.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Of openings, money in and closings.
    for_ever: HashSet<Fingerprint, RandomState>,
    /// Of usage, where the key carries its time: used again for usage it is refused for ever, used again for money in
    /// only as long as that time is not older than the window.
    timed_usage: HashSet<Fingerprint, RandomState>,
    /// When, in whole seconds since 1970.
    in_window: HashMap<Fingerprint, u32, RandomState>,
    sweep_at: usize,
}

/// What must be known of an effect to tell whether its key may have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effect {
    pub(super) account: u32,
    /// The time of its commit.
    pub(super) time: i64,
    /// Keys whose last use was before this may be used again.
    pub(super) horizon: i64,
    /// A key that was made before this is too old. The window to the microsecond, where the horizon keeps to minutes.
    pub(super) oldest: i64,
    /// It is usage: its key is remembered for ever only if it carries its time.
    pub(super) usage: bool,
}

impl Keys {
    /// Notes that a key has its effect.
    pub(super) fn take(&mut self, key: Key<'_>, effect: Effect) -> Check {
        let Effect { account, time, horizon, oldest, usage } = effect;
        let (print, made) = (fingerprint(account, key), uuid_v7_time(key));
        let forgotten = !usage && made.is_some_and(|made| made < horizon);
        let known = self.for_ever.contains(&print)
            || self.in_window(print, horizon)
            || (self.timed_usage.contains(&print) && !forgotten);
        holds(Rule::Keys, !known, "a key that had no effect yet", || {
            format!("a second effect of the key {:?}", key.to_string())
        })?;
        if let (true, Some(made)) = (usage, made) {
            holds(Rule::Keys, made >= oldest, "a key that is not older than the window", || late(key, made))?;
            holds(
                Rule::Keys,
                made <= time.saturating_add(5 * MINUTE),
                "a key at most 5 minutes ahead",
                || late(key, made),
            )?;
        }
        match (usage, made) {
            (true, None) => {
                self.in_window.insert(print, u32::try_from(time / SECOND).unwrap_or(u32::MAX));
            }
            (true, Some(_)) => drop(self.timed_usage.insert(print)),
            (false, _) => drop(self.for_ever.insert(print)),
        }
        Ok(())
    }

    /// Whether this key of the account can not have an effect any more.
    pub(super) fn refuses(&self, account: u32, key: Key<'_>, horizon: i64) -> bool {
        let print = fingerprint(account, key);
        let for_ever = self.for_ever.contains(&print) || self.timed_usage.contains(&print);
        for_ever || self.in_window(print, horizon)
    }

    fn in_window(&self, print: Fingerprint, horizon: i64) -> bool {
        self.in_window.get(&print).is_some_and(|used| i64::from(*used) * SECOND >= horizon)
    }

    /// Forgets what no app remembers, whenever the table has doubled. `lowest`: the horizon of the app that goes back
    /// the farthest.
    pub(super) fn sweep(&mut self, lowest: impl FnOnce() -> i64) {
        if self.in_window.len() >= self.sweep_at.max(1024) {
            let horizon = lowest();
            self.in_window.retain(|_, used| i64::from(*used) * SECOND >= horizon);
            self.sweep_at = 2 * self.in_window.len();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.for_ever.len() + self.timed_usage.len() + self.in_window.len()
    }
}

fn late(key: Key<'_>, made: i64) -> String {
    format!("the key {:?}, which was made at {made} µs since 1970", key.to_string())
}

fn fingerprint(account: u32, key: Key<'_>) -> Fingerprint {
    let mut print = [0; 20];
    let tag = u32::from(matches!(key, Key::Text(_))) << 31;
    print[..4].copy_from_slice(&(account | tag).to_be_bytes());
    match key {
        Key::Uuid(bytes) => print[4..].copy_from_slice(&bytes),
        Key::Text(text) => print[4..].copy_from_slice(&Sha256::digest(text)[..16]),
    }
    print
}

/// When a UUID of version 7 was made, in microseconds since 1970. None for every other key.
pub(super) fn uuid_v7_time(key: Key<'_>) -> Option<i64> {
    let bytes = match key {
        Key::Uuid(bytes) => bytes,
        // One that is not in its usual lower-case form stands as text, and carries its time all the same.
        Key::Text(text) => uuid(text)?,
    };
    let (version, variant) = (bytes[6] >> 4, bytes[8] >> 6);
    let millis = bytes[..6].iter().fold(0, |millis, byte| millis << 8 | i64::from(*byte));
    (version == 7 && variant == 0b10).then_some(millis * 1_000)
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    let dashes = [8, 13, 18, 23];
    let shaped =
        text.len() == 36 && text.bytes().enumerate().all(|(at, byte)| (byte == b'-') == dashes.contains(&at));
    let mut bytes = [0; 16];
    (shaped && hex::decode_to_slice(text.replace('-', ""), &mut bytes).is_ok()).then_some(bytes)
}
