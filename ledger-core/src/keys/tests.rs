use proptest::prelude::*;

use super::*;
use crate::ids::{AccountId, AppId, UserId};

fn fingerprint(key: &str) -> KeyFingerprint {
    let account = AccountId { app: AppId::new("demo").unwrap(), user: UserId::new("anna").unwrap() };
    KeyFingerprint::of(&account, &Key::new(key).unwrap())
}

const USED: UsedKey = UsedKey { content: ContentDigest::TEST, sequence: 9, index: 1 };

/// Far more than any test uses.
const BUDGET: u32 = 1_000_000;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn uuid7(time: Timestamp) -> String {
    let digits = format!("{:012x}", time.0 / 1_000);
    format!("{}-{}-7000-8000-000000000000", &digits[..8], &digits[8..])
}

impl KeyWindow {
    fn used_at(&mut self, time: Timestamp, budget: u32, text: &str) {
        self.remember(time, budget, fingerprint(text), &key(text), USED);
    }

    fn knows(&self, text: &str) -> bool {
        self.find(fingerprint(text), &key(text)).is_some()
    }
}

#[test]
fn a_key_is_remembered_for_the_whole_window_and_dropped_after_it() {
    let mut window = KeyWindow::default();
    let start = Timestamp(1_000 * HOUR + 59 * MINUTE);
    window.used_at(start, BUDGET, "a");
    window.advance(start.plus(24 * HOUR), 24 * HOUR);
    assert!(window.knows("a"));
    assert!(!window.knows("b"));
    window.advance(start.plus(24 * HOUR + 6 * MINUTE), 24 * HOUR);
    assert!(!window.knows("a"));
    assert!(window.is_empty());
}

#[test]
fn what_is_dropped_is_always_before_the_horizon_even_when_its_own_time_ran_ahead() {
    let mut window = KeyWindow::default();
    let used_at = Timestamp(1_001 * HOUR - 1);
    let own_time = used_at.plus(KEY_AHEAD_MAX);
    window.used_at(used_at, BUDGET, "a");
    let mut now = used_at;
    while window.knows("a") {
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

#[test]
fn a_key_with_a_time_is_found_in_whatever_generation_it_was_used() {
    let start = Timestamp(1_000 * HOUR);
    for late in [-KEY_AHEAD_MAX, 0, MINUTE, 3 * HOUR, 23 * HOUR] {
        let mut window = KeyWindow::default();
        let own = uuid7(start.plus(10 * HOUR));
        window.used_at(start, BUDGET, "before");
        window.used_at(start.plus(10 * HOUR + late), BUDGET, &own);
        window.used_at(start.plus(40 * HOUR), BUDGET, "after");
        assert!(window.knows(&own) && window.knows("before"), "{late}");
        assert_eq!(window.closed.len(), 2);
    }
}

#[test]
fn beyond_the_budget_the_oldest_keys_go_and_are_refused_as_expired() {
    let (mut window, start, budget) = (KeyWindow::default(), Timestamp(1_000 * HOUR), 32);
    let mut used = vec![];
    for second in 0..100 {
        let time = start.plus(second * 1_000_000);
        if let Some(horizon) = window.overflow(budget) {
            window.raise_horizon(horizon);
        }
        let text = if second % 2 == 0 { uuid7(time) } else { format!("word {second}") };
        window.used_at(time, budget, &text);
        used.push(text);
        assert!(window.len() <= budget as usize);
    }
    let forgotten: Vec<_> = used.iter().filter(|text| !window.knows(text)).collect();
    assert!(forgotten.len() >= 100 - budget as usize);
    for text in forgotten {
        let time = uuid_v7_time(&key(text));
        assert!(time.is_none_or(|time| time < window.horizon()), "{text} was dropped and is not expired");
    }
    let newest = used.last().unwrap();
    assert!(window.knows(newest) && window.horizon() < start.plus(99 * 1_000_000));
}

#[test]
fn a_key_that_ran_ahead_of_its_use_takes_the_horizon_with_it() {
    let (mut window, start) = (KeyWindow::default(), Timestamp(1_000 * HOUR));
    let ahead = uuid7(start.plus(KEY_AHEAD_MAX));
    window.used_at(start, 16, &ahead);
    for second in 1..16 {
        window.used_at(start.plus(second), 16, &format!("word {second}"));
    }
    let horizon = window.overflow(16).unwrap();
    assert_eq!(window.overflow(17), None);
    window.raise_horizon(horizon);
    assert!(!window.knows(&ahead) && window.horizon() > start.plus(KEY_AHEAD_MAX));
}

/// One use of a key: how long after the last one, whether the key has a time of its own, and whether that is ahead.
fn key_use() -> impl Strategy<Value = (i64, bool, bool)> {
    (
        prop_oneof![1 => (0..70_i64).prop_map(|minutes| minutes * MINUTE), 7 => 0..1_000_000_i64],
        any::<bool>(),
        any::<bool>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// An app with a small budget; quiet hours in which the window moves the horizon.
    #[test]
    fn room_is_always_made_by_a_horizon_that_rises(uses in prop::collection::vec(key_use(), 60)) {
        let (mut window, mut now) = (KeyWindow::default(), Timestamp(1_000 * HOUR));
        for (number, (later, timed, ahead)) in uses.into_iter().enumerate() {
            now = now.plus(later);
            window.advance(Timestamp(now.0.div_euclid(MINUTE) * MINUTE), HOUR);
            if let Some(horizon) = window.overflow(16) {
                prop_assert!(horizon > window.horizon(), "use {number}");
                window.raise_horizon(horizon);
            }
            let own = now.plus(if ahead { KEY_AHEAD_MAX } else { 0 }).0.max(window.horizon().0 + 1_000);
            let text = if timed { uuid7(Timestamp(own)) } else { format!("word {number}") };
            window.used_at(now, 16, &text);
            prop_assert!(window.len() <= 16, "use {number}");
        }
    }
}
