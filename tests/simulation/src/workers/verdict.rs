//! The end: everything stands as it is wanted, and what was done outside is what the log tells, each once.

use event_log::Entry;
use judge::outside::{Deed, Effect, Told, check};
use ledger_core::upkeep::{NoticeState, NoticeStep, Operation, Step, Strategy};
use ledger_core::{Event, Timestamp};

use super::house::House;
use super::providers::record;
use super::{Seen, WAY_MOST, World};
use crate::verdict::judge;
use crate::world::START;

/// For how long a call that a worker has given up, or that it did not live to hear of, may still take effect.
const LATE: i64 = WAY_MOST;
const LINES_KEPT: usize = 200;

/// Errors: what is wrong, behind what happened last.
pub(super) fn of(world: &World) -> Result<Seen, String> {
    let record = record(world);
    let wrong = wrong(world, &record);
    match wrong {
        None => Ok(counted(world, &record)),
        Some(wrong) => Err(format!("{}\n\n{wrong}", course(world, &record))),
    }
}

fn wrong(world: &World, record: &[(Timestamp, Effect)]) -> Option<String> {
    let house = world.house();
    if let Err(wrong) = judge(house.entries(), &[], house.ledger(), true) {
        return Some(wrong);
    }
    let mut told = Told::default();
    for entry in house.entries() {
        let Entry::Commit(stored) = entry else { continue };
        if let Err(error) = told.take(&stored.bytes) {
            return Some(format!("I7: {error}"));
        }
    }
    let deed = |(at, effect): &(Timestamp, Effect)| Deed { at: Some(at.0), effect: effect.clone() };
    let deeds: Vec<Deed> = record.iter().map(deed).collect();
    let complaint = check(&told, &deeds, true, LATE).into_iter().next();
    complaint.map(|complaint| complaint.to_string()).or_else(|| not_at_rest(&house))
}

/// I13.
fn not_at_rest(house: &House) -> Option<String> {
    house.ledger().accounts().find_map(|(id, account)| {
        let due = account.due().map(|due| format!("{due:?} is due for its container"));
        let open = account.upkeep().into_iter().flat_map(|upkeep| &upkeep.notices);
        let open = open.filter(|notice| !notice.state.is_final());
        let open = open.map(|notice| format!("its mail {:?} is {:?}", notice.kind, notice.state)).next();
        due.or(open).map(|what| format!("I13: long after the faults have stopped, {id}: {what}"))
    })
}

/// What happened last, as lines.
fn course(world: &World, record: &[(Timestamp, Effect)]) -> String {
    let house = world.house();
    let mut lines: Vec<(Timestamp, String)> = Vec::new();
    for commit in house.commits() {
        for event in commit.events.iter() {
            let said = serde_json::to_string(event).unwrap_or_default();
            lines.push((commit.time, format!("log: {}", said.chars().take(300).collect::<String>())));
        }
    }
    lines.extend(record.iter().map(|(at, effect)| (*at, format!("outside: {effect:?}"))));
    lines.sort_by_key(|(at, _)| *at);
    let shown = lines.split_off(lines.len().saturating_sub(LINES_KEPT));
    let line = |(at, said): &(Timestamp, String)| format!("{:>12} {said}", at.since(START));
    shown.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn counted(world: &World, record: &[(Timestamp, Effect)]) -> Seen {
    let mut seen = *world.seen();
    seen.deeds = record.len() as u64;
    let house = world.house();
    for commit in house.commits() {
        commit.events.iter().for_each(|event| count(event, &mut seen));
    }
    let upkeeps = house.ledger().accounts().filter_map(|(_, account)| account.upkeep().cloned());
    for notice in upkeeps.flat_map(|upkeep| upkeep.notices) {
        seen.mails_retried += u64::from(notice.attempts > 1);
        seen.mails_ended += u64::from(notice.state != NoticeState::Sent);
    }
    seen
}

fn count(event: &Event, seen: &mut Seen) {
    match event {
        Event::LifecycleStepped(event) => match &event.step {
            Step::Claimed { operation, .. } => match operation {
                Operation::Provision => seen.provisioned += 1,
                Operation::Hibernate => seen.slept += 1,
                Operation::Restore => seen.woken += 1,
                Operation::Deprovision => seen.taken_away += 1,
            },
            Step::Failed { .. } => seen.failures += 1,
            Step::ScaledDown { strategy } => seen.escalations += u64::from(*strategy != Strategy::MinZero),
            _ => {}
        },
        Event::NoticeStepped(event) => {
            seen.mails += u64::from(matches!(event.step, NoticeStep::Sent { .. }));
        }
        _ => {}
    }
}
