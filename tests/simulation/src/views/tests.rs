//! A log full of everything that can happen, also of what no client of the simulation asks for: sources and items.

use ledger_core::Timestamp;

use super::*;
use world::{LOG, World};

#[path = "../../../../projector/tests/world.rs"]
#[allow(dead_code, reason = "the projector's own tests use all of it")]
mod world;

/// A log that came to be within the first two minutes, at its end somebody else's message.
fn log(seed: u64) -> (Vec<Entry>, Vec<Timestamp>) {
    let mut world = World::of(0, seed, 120);
    world.foreign();
    let entries = world.entries;
    let times = (0..).take(entries.len()).map(|place| Timestamp(place * SECOND)).collect();
    (entries, times)
}

#[test]
fn every_row_of_every_table_is_what_the_log_tells() {
    let mut sources = 0;
    for seed in 0..20 {
        let (entries, times) = log(seed);
        let mut views = Views::new(LOG, seed, None, Timestamp(0));
        let played = views.all(&entries, &times, [Timestamp(150 * SECOND), Timestamp(180 * SECOND)]);
        played.unwrap_or_else(|wrong| panic!("{seed}: {wrong}"));
        sources += views.database.sources.len();
        let carries = |row: &projector::AccountRow| row.carry > 0;
        assert!(views.database.accounts.values().any(carries), "{seed}: items leave something to carry");
    }
    assert!(sources > 0, "no log has a source");
}

#[test]
fn a_carry_and_a_mark_that_are_wrong_are_seen() {
    let (entries, times) = log(3);
    let mut views = Views::new(LOG, 3, None, Timestamp(0));
    let moments = [Timestamp(150 * SECOND), Timestamp(180 * SECOND)];
    views.all(&entries, &times, moments).expect("it goes well");
    views.refusing = false;
    let mut wrong = |spoil: fn(&mut Database)| {
        spoil(&mut views.database);
        views.compare(&entries, true).expect_err("it was spoilt")
    };
    let spoilt = wrong(|database| database.sources.values_mut().for_each(|row| row.upto += 1));
    assert!(spoilt.starts_with("I10: sources holds "), "{spoilt}");
    let spoilt = wrong(|database| database.accounts.values_mut().for_each(|row| row.carry += 1));
    assert!(spoilt.starts_with("I10: accounts holds "), "{spoilt}");
}
