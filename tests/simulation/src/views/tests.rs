//! That a comparison sees what is wrong.

use ledger_core::time::SECOND;

use super::*;
use world::{LOG, World};

#[path = "../../../../projector/tests/world.rs"]
#[allow(dead_code, reason = "the projector's own tests use all of it")]
mod world;

/// Makes a table wrong.
type Spoil = fn(&mut Database);

#[test]
fn each_table_that_is_wrong_in_one_place_is_seen() {
    let entries = World::of(0, 3, 120).entries;
    let times = vec![Timestamp(0); entries.len()];
    let course = Course { log: LOG, entries, times, moments: [0, 30, 60].map(|at| Timestamp(at * SECOND)) };
    let mut views = Views::new(LOG, 3, None, Timestamp(0));
    views.all(&course).expect("it goes well");
    views.refusing = false;
    // From the table that is compared last to the first, for what is spoilt stays so.
    let spoil: [(&str, Spoil); 6] = [
        ("chain_positions", |rows| rows.position.iter_mut().for_each(|row| row.foreign += 1)),
        ("sources", |rows| rows.sources.values_mut().for_each(|row| row.upto += 1)),
        ("usage_hours", |rows| rows.usage.values_mut().for_each(|row| row.fees += 1)),
        ("lots", |rows| rows.lots.values_mut().for_each(|row| row.priority += 1)),
        ("accounts", |rows| rows.accounts.values_mut().for_each(|row| row.carry += 1)),
        ("journal", |rows| drop(rows.journal.pop_last())),
    ];
    for (table, spoil) in spoil {
        spoil(&mut views.database);
        let wrong = views.compare(&course.entries, true).expect_err("it was spoilt");
        assert!(wrong.starts_with(&format!("I10: {table} holds ")), "{wrong}");
    }
}
