//! Comparing a log with anchors, on a log that answers by a script.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use ledger_core::commit::EncodedCommit;

use super::*;
use crate::contract::commit;
use crate::{AppendOutcome, LogIdentity, StoredCommit};

const IDENTITY: LogIdentity = LogIdentity { log: LogId([7; 16]), partitions: 2 };
const ZERO: PartitionId = PartitionId(0);
const PATIENCE: Duration = Duration::from_secs(30);

/// A log with so many commits whose answers follow a script of heads; the last one holds for ever.
struct Scripted {
    heads: Mutex<VecDeque<Result<Sequence, ()>>>,
    payload: &'static str,
    questions: AtomicUsize,
}

impl Scripted {
    fn new(heads: &[Result<Sequence, ()>], payload: &'static str) -> Self {
        Self { heads: Mutex::new(heads.iter().copied().collect()), payload, questions: AtomicUsize::new(0) }
    }

    fn answer(&self) -> Result<Sequence, ReadError> {
        let heads = self.heads.lock().expect("no test panics while it holds the lock");
        let head = *heads.front().expect("a script has an end");
        head.map_err(|()| ReadError::Unavailable { doing: "answering", source: "the script says so".into() })
    }
}

#[async_trait]
impl EventLog for Scripted {
    fn identity(&self) -> LogIdentity {
        IDENTITY
    }

    async fn append(&self, _: &EncodedCommit) -> AppendOutcome {
        panic!("nothing may be appended while the log is compared")
    }

    async fn read(&self, partition: PartitionId, sequence: Sequence) -> Result<Option<Entry>, ReadError> {
        let head = self.answer()?;
        let EncodedCommit { prefix, hash, bytes, .. } = commit(IDENTITY, partition, sequence, self.payload);
        let stored = StoredCommit { prefix, hash, bytes, stored_at: None };
        Ok((sequence <= head).then_some(Entry::Commit(stored)))
    }

    async fn head(&self, _: PartitionId) -> Result<Sequence, ReadError> {
        let asked = self.questions.fetch_add(1, Ordering::SeqCst);
        let mut heads = self.heads.lock().expect("no test panics while it holds the lock");
        if asked > 0 && heads.len() > 1 {
            heads.pop_front();
        }
        drop(heads);
        self.answer()
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn follow(&self, _: PartitionId, _: Sequence) -> BoxStream<'static, Result<Entry, ReadError>> {
        unreachable!("nobody follows in these tests")
    }
}

fn anchor(sequence: Sequence, payload: &str) -> Anchor {
    let hash = commit(IDENTITY, ZERO, sequence, payload).hash;
    let kept_at = Timestamp(1_800_000_000_000_000);
    Anchor { log: IDENTITY.log, partition: ZERO, sequence, hash, kept_by: Keeper::Writer, kept_at }
}

/// Checks a log that answers with these heads against an anchor at 400; after how long it was settled, and how.
async fn check_of(
    heads: &[Result<Sequence, ()>],
    payload: &'static str,
) -> (Duration, Result<(), AnchorError>) {
    let begin = Instant::now();
    let checked = check(&Scripted::new(heads, payload), &[anchor(10, payload), anchor(400, "ours")]).await;
    (begin.elapsed(), checked)
}

fn alarm(checked: Result<(), AnchorError>) -> Difference {
    match checked {
        Err(AnchorError::Differs(alarm)) => alarm.found,
        other => panic!("it differs, but {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_holds_its_anchors_is_found_so_at_once() {
    for heads in [400, 401, 10_000] {
        let (elapsed, checked) = check_of(&[Ok(heads)], "ours").await;
        checked.expect("it is whole");
        assert_eq!(elapsed, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shorter_log_and_a_replaced_one_are_believed_after_the_patience() {
    let (elapsed, checked) = check_of(&[Ok(200)], "ours").await;
    assert_eq!(alarm(checked), Difference::EndsAt(200));
    assert!((PATIENCE..PATIENCE * 2).contains(&elapsed), "{elapsed:?}");

    let (elapsed, checked) = check_of(&[Ok(400)], "theirs").await;
    let hash = commit(IDENTITY, ZERO, 400, "theirs").hash;
    assert_eq!(alarm(checked), Difference::OtherAt { sequence: 400, hash });
    assert!((PATIENCE..PATIENCE * 2).contains(&elapsed), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_that_heals_within_the_patience_raises_no_alarm() {
    let (elapsed, checked) = check_of(&[&[Ok(400)][..], &[Ok(200); 8], &[Ok(400)]].concat(), "ours").await;
    checked.expect("it was a moment");
    assert!(Duration::ZERO < elapsed && elapsed < PATIENCE, "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn each_difference_is_told_once() {
    let heads = [Ok(400), Ok(200), Ok(200), Ok(300), Ok(300), Ok(200), Ok(400)];
    let mut told = Vec::new();
    let log = Scripted::new(&heads, "ours");
    check_telling(&log, &[anchor(400, "ours"), anchor(400, "ours")], |alarm| told.push(alarm.found))
        .await
        .expect("it is whole in the end");
    assert_eq!(told, [200, 300, 200].map(Difference::EndsAt));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_catches_up_slowly_raises_no_alarm() {
    let heads: Vec<_> = (380..=400).map(Ok).collect();
    let (elapsed, checked) = check_of(&heads, "ours").await;
    checked.expect("no two answers agreed");
    assert!(elapsed > PATIENCE, "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_can_not_be_read_is_no_alarm() {
    let (_, checked) = check_of(&[Ok(400), Ok(200), Err(())], "ours").await;
    assert!(matches!(checked, Err(AnchorError::Read(ReadError::Unavailable { .. }))), "{checked:?}");
}

#[tokio::test(start_paused = true)]
async fn an_anchor_of_another_log_is_a_difference() {
    let log = Scripted::new(&[Ok(400)], "ours");
    let other = Anchor { log: LogId([8; 16]), ..anchor(10, "ours") };
    assert_eq!(alarm(check(&log, &[other]).await), Difference::OtherLog(IDENTITY.log));
    let beyond = Anchor { partition: PartitionId(2), ..anchor(10, "ours") };
    assert_eq!(alarm(check(&log, &[beyond]).await), Difference::OtherLog(IDENTITY.log));
}

#[test]
fn an_alarm_names_the_anchor_what_was_found_and_the_way_out() {
    let anchor = anchor(400, "ours");
    let said =
        |kept_by| Alarm { anchor: Anchor { kept_by, ..anchor }, found: Difference::EndsAt(200) }.to_string();
    let text = said(Keeper::Writer);
    let hash = anchor.hash.to_string();
    let words = [
        "the writer",
        "2027-01-15T08:00:00Z",
        "commit 400",
        "partition 0",
        &hash,
        "ends at 200",
        "--yes-data-is-lost",
    ];
    for word in words {
        assert!(text.contains(word), "{word:?} in {text}");
    }
    assert!(said(Keeper::Views).contains("drop the views"), "{}", said(Keeper::Views));
    assert!(said(Keeper::Snapshot).contains("remove the folder `snapshots`"), "{}", said(Keeper::Snapshot));
}

#[test]
fn anchors_of_today_are_read_for_ever() {
    let golden = concat!(
        r#"{"log":"07070707070707070707070707070707","partition":0,"sequence":400,"#,
        r#""hash":"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae","#,
        r#""kept_by":"writer","kept_at":1800000000000000}"#
    );
    let expected = Anchor { hash: Hash::of(b"foo"), ..anchor(400, "") };
    assert_eq!(serde_json::to_string(&expected).expect("JSON"), golden);
    let more = golden.replace('}', r#","of_a_later_version":[1]}"#);
    for text in [golden, &more] {
        assert_eq!(serde_json::from_str::<Anchor>(text).expect("an anchor"), expected);
    }
}
