//! The verdict on workers: what they really did, by the sandbox's record, is what the log tells, comes to rest, and stays
//! so when everybody who could do it again looks again.

use std::collections::BTreeSet;
use std::process::Output;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::report::Report;
use crate::world::{HEAL_BOUND, World, program};

/// The exit code of an audit that found something.
const FOUND_WRONG: i32 = 7;
/// What a worker has in hand takes effect so late on a busy machine, even if nobody paused it.
const LATE: Duration = Duration::from_secs(2);
/// Between two looks: each is a process that reads the whole log.
const PAUSE: Duration = Duration::from_millis(500);
/// So long those who started again may look around: three sweeps, and for the sandbox three minutes.
const LOOKING_AGAIN: Duration = Duration::from_secs(3);

/// What was done at the providers.
#[derive(Debug, Default, Clone, serde::Serialize)]
pub struct Outside {
    /// Containers that were made.
    pub made: u64,
    /// How often one was put to sleep.
    pub slept: u64,
    /// How often one was woken.
    pub woken: u64,
    /// Containers that were taken away.
    pub removed: u64,
    /// Mails that were sent.
    pub mails: u64,
    /// Checkout sessions that were paid.
    pub paid: u64,
    /// From complete views until everything wanted stood, in milliseconds.
    pub rest_after: u64,
}

impl Outside {
    fn of(record: &Value) -> Self {
        let (mut done, mut running) = (Self::default(), BTreeSet::new());
        for effect in entries(record).iter().map(|entry| &entry["effect"]) {
            match effect["kind"].as_str().unwrap_or_default() {
                "service_created" => done.made += 1,
                "service_deleted" => done.removed += 1,
                "mail_sent" => done.mails += 1,
                "session_paid" => done.paid += 1,
                "scaled" if effect["desired"] == 0 => done.slept += 1,
                // The first time is its making.
                "scaled" if !running.insert(effect["service"].as_str()) => done.woken += 1,
                _ => {}
            }
        }
        done
    }

    /// A paragraph of the report.
    pub(crate) fn text(&self) -> String {
        let Self { made, slept, woken, removed, mails, paid, rest_after } = self;
        format!(
            "Containers: {made} made, {slept} times put to sleep, {woken} times woken, {removed} taken away; {mails} \
             mails; {paid} checkout sessions paid. All that was wanted stood {rest_after} ms after the views were complete.\n\n"
        )
    }
}

/// I6, I12, I13: waits until what is wanted stands, and holds the record against the log. `longest`: so long a worker was
/// paused at most, with something in hand.
pub(crate) async fn comes_to_rest(world: &World, longest: Duration, report: &mut Report) -> Result<()> {
    let begin = Instant::now();
    let (record, complaints) = loop {
        let record = world.record().await?;
        let complaints = complaints(world, &record, LATE + longest).await?;
        // Time can only help what is not there yet, money that was just paid too.
        let waits = complaints.iter().all(|one| ["I13: ", "I6: "].iter().any(|rule| one.starts_with(rule)));
        if complaints.is_empty() || !waits || begin.elapsed() > HEAL_BOUND {
            break (record, complaints);
        }
        tokio::time::sleep(PAUSE).await;
    };
    let rest_after = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    report.outside = Some(Outside { rest_after, ..Outside::of(&record) });
    report.violations.extend(complaints);
    Ok(())
}

/// What the judge has to say of this record, each with the invariant's number.
async fn complaints(world: &World, record: &Value, late: Duration) -> Result<Vec<String>> {
    let file = world.folder().join("record.json");
    std::fs::write(&file, record.to_string())?;
    let (file, late) = (file.display().to_string(), late.as_secs().to_string());
    let verify = ["verify", "--json", "--log-only", "--at-rest", "--late", &late, "--record", &file];
    let output = program::ask(&[&verify.map(str::to_owned)[..], &world.flags].concat()).await?;
    read(&output)
        .with_context(|| format!("drip verify --record: {}", String::from_utf8_lossy(&output.stderr)))
}

fn read(output: &Output) -> Result<Vec<String>> {
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let complaints = report["record"]["complaints"].as_array().map_or(&[][..], Vec::as_slice);
    let complaints: Vec<_> = complaints.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
    match output.status.code() {
        Some(0) => Ok(complaints),
        Some(FOUND_WRONG) if complaints.is_empty() => Ok(vec![format!("drip verify: {}", report["finding"])]),
        Some(FOUND_WRONG) => Ok(complaints),
        _ => anyhow::bail!("it ended with {}", output.status),
    }
}

/// I17: the views are folded anew and the workers start again, and nothing is done outside for it.
pub(crate) async fn nothing_is_done_again(world: &World, report: &mut Report) -> Result<()> {
    let before = world.record().await?;
    let replay = [&["replay".to_owned()][..], &world.flags].concat();
    if let Err(error) = program::run(&replay).await {
        report.violations.push(format!("I17: {error:#}"));
    }
    world.restart_workers().await?;
    tokio::time::sleep(LOOKING_AGAIN).await;
    report.violations.extend(more(&before, &world.record().await?));
    Ok(())
}

/// What a record has that it had not before.
fn more(before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (entries(before), entries(after));
    let known = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    let lost = before[known..].iter().map(|one| format!("I17: the record does not hold any more: {one}"));
    let more = after[known..]
        .iter()
        .filter(|one| !is_the_clocks(one))
        .map(|one| format!("I17: done when workers looked again: {one}"));
    lost.chain(more).collect()
}

/// What a provider does because time passes: nobody has asked for it.
fn is_the_clocks(entry: &Value) -> bool {
    let kind = entry["effect"]["kind"].as_str().unwrap_or_default();
    kind == "session_expired" || kind.starts_with("webhook_")
}

fn entries(record: &Value) -> &[Value] {
    record["entries"].as_array().map_or(&[][..], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(effects: &[Value]) -> Value {
        json!({ "entries": effects.iter().map(|effect| json!({ "effect": effect })).collect::<Vec<_>>() })
    }

    #[test]
    fn what_was_done_is_counted() {
        let scaled = |desired: u32| json!({ "kind": "scaled", "service": "a", "desired": desired });
        let kinds = ["service_created", "mail_sent", "service_deleted", "session_paid"]
            .map(|kind| json!({ "kind": kind }));
        let done = Outside::of(&record(&[&kinds[..], &[scaled(1), scaled(0), scaled(1)]].concat()));
        let Outside { made, slept, woken, removed, mails, paid, .. } = done;
        assert_eq!((made, slept, woken, removed, mails, paid), (1, 1, 1, 1, 1, 1));
    }

    #[test]
    fn a_record_may_neither_grow_nor_shrink_nor_change() {
        let [a, b] = ["a", "b"].map(|id| json!({ "kind": "mail_sent", "message_id": id }));
        let (one, two) = (record(std::slice::from_ref(&a)), record(&[a, b.clone()]));
        assert_eq!(more(&two, &two), Vec::<String>::new());
        assert!(more(&one, &two)[0].starts_with("I17: done when workers looked again"));
        assert!(more(&two, &one)[0].starts_with("I17: the record does not hold any more"));
        assert_eq!(more(&record(&[b]), &one).len(), 2);
        let expired = record(&[json!({ "kind": "session_expired" })]);
        assert_eq!(more(&record(&[]), &expired), Vec::<String>::new());
    }
}
