//! The tests that every backend must pass. Each takes a fresh, empty log and panics where a promise of
//! [`EventLog`] is broken.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _, join};
use ledger_core::commit::{Class, Commit, CommitBuilder, EncodedCommit, Hash, Head, Prefix};
use ledger_core::{LogId, PartitionId, Sequence, TermNonce, Timestamp};

use crate::{
    Anchor, AppendOutcome, Entry, EventLog, Keeper, LogIdentity, News, NewsError, ReadError, StoredCommit,
};

/// The log that the tests write to must have this many partitions.
pub const PARTITIONS: u16 = 2;
/// Longer than any backend may need for anything here.
const BOUND: Duration = Duration::from_secs(30);
const ZERO: PartitionId = PartitionId(0);
const ONE: PartitionId = PartitionId(1);

/// What a follower is made of.
pub type Following = BoxStream<'static, Result<Entry, ReadError>>;

/// A commit of this log: its prefix and then this payload. Every third is a signal.
pub fn commit(log: LogIdentity, partition: PartitionId, sequence: Sequence, payload: &str) -> EncodedCommit {
    let prefix = Prefix { log: log.log, partition, sequence, version: 1 };
    let bytes = [&prefix.to_bytes()[..], payload.as_bytes()].concat();
    let class = if sequence.is_multiple_of(3) { Class::Signal } else { Class::Usage };
    EncodedCommit::new(prefix, class, Bytes::from(bytes))
}

/// The commit that stands there.
pub async fn stored(log: &dyn EventLog, partition: PartitionId, sequence: Sequence) -> StoredCommit {
    match log.read(partition, sequence).await {
        Ok(Some(Entry::Commit(commit))) => commit,
        other => panic!("a commit was stored at {partition}-{sequence}, found {other:?}"),
    }
}

/// The next entry of a follower, within a bound.
pub async fn next(following: &mut Following) -> Entry {
    let next = tokio::time::timeout(BOUND, following.next()).await;
    let entry = next.expect("an entry comes in time").expect("a follower never ends by itself");
    entry.expect("nothing is damaged")
}

async fn append(log: &dyn EventLog, commit: &EncodedCommit) {
    assert_eq!(log.append(commit).await, AppendOutcome::Stored, "{:?}", commit.prefix);
}

/// Appends so many commits, from the first.
pub async fn fill(log: &dyn EventLog, partition: PartitionId, count: Sequence) {
    for sequence in 1..=count {
        append(log, &commit(log.identity(), partition, sequence, "filling")).await;
    }
}

/// What was stored is read back byte for byte, an empty place is no error, and the head is the last one.
pub async fn an_appended_commit_is_read_back_and_is_the_head(log: Arc<dyn EventLog>) {
    assert_eq!(log.head(ZERO).await.expect("readable"), 0);
    assert_eq!(log.read(ZERO, 1).await.expect("readable"), None);
    let large = "x".repeat(256 * 1024);
    for (sequence, payload) in [(1, "first"), (2, ""), (3, large.as_str())] {
        let sent = commit(log.identity(), ZERO, sequence, payload);
        append(&*log, &sent).await;
        let read = stored(&*log, ZERO, sequence).await;
        assert_eq!((read.prefix, read.hash, read.bytes), (sent.prefix, sent.hash, sent.bytes));
        assert_eq!(log.head(ZERO).await.expect("readable"), sequence);
        assert_eq!(log.read(ZERO, sequence + 1).await.expect("readable"), None);
    }
    assert_eq!(log.read(ZERO, 0).await.expect("readable"), None);
    assert_eq!(log.read(ZERO, Sequence::MAX).await.expect("readable"), None);
}

/// The same bytes again, also after later ones, change nothing.
pub async fn the_same_bytes_again_are_stored_or_conflict_with_themselves(log: Arc<dyn EventLog>) {
    let first = commit(log.identity(), ZERO, 1, "first");
    let second = commit(log.identity(), ZERO, 2, "second");
    append(&*log, &first).await;
    resend(&*log, &first).await;
    append(&*log, &second).await;
    resend(&*log, &second).await;
    resend(&*log, &first).await;
    assert_eq!(log.head(ZERO).await.expect("readable"), 2);
}

async fn resend(log: &dyn EventLog, commit: &EncodedCommit) {
    let outcome = log.append(commit).await;
    assert!(matches!(outcome, AppendOutcome::Stored | AppendOutcome::Conflict), "{outcome:?}");
    assert_eq!(stored(log, ZERO, commit.prefix.sequence).await.bytes, commit.bytes);
}

/// A place that is taken stays as it is, whoever comes.
pub async fn other_bytes_at_a_taken_sequence_conflict(log: Arc<dyn EventLog>) {
    fill(&*log, ZERO, 3).await;
    for sequence in 1..=3 {
        let before = stored(&*log, ZERO, sequence).await;
        let other = commit(log.identity(), ZERO, sequence, "other");
        assert_eq!(log.append(&other).await, AppendOutcome::Conflict);
        assert_eq!(stored(&*log, ZERO, sequence).await, before);
    }
    append(&*log, &commit(log.identity(), ZERO, 4, "the next one is free")).await;
}

/// Nothing is stored where its predecessor is missing.
pub async fn an_append_behind_a_gap_conflicts(log: Arc<dyn EventLog>) {
    for head in 0..2 {
        for sequence in [head + 2, head + 3, head + 1_000] {
            let early = commit(log.identity(), ZERO, sequence, "early");
            assert_eq!(log.append(&early).await, AppendOutcome::Conflict);
            assert_eq!(log.read(ZERO, sequence).await.expect("readable"), None);
        }
        append(&*log, &commit(log.identity(), ZERO, head + 1, "in turn")).await;
    }
    assert_eq!(log.head(ZERO).await.expect("readable"), 2);
}

/// Each partition has its own sequences.
pub async fn partitions_are_independent(log: Arc<dyn EventLog>) {
    fill(&*log, ZERO, 3).await;
    assert_eq!(log.head(ONE).await.expect("readable"), 0);
    assert_eq!(log.read(ONE, 1).await.expect("readable"), None);
    let other = commit(log.identity(), ONE, 1, "in the other one");
    append(&*log, &other).await;
    assert_eq!(stored(&*log, ONE, 1).await.bytes, other.bytes);
    assert_eq!(log.head(ZERO).await.expect("readable"), 3);
    let mut following = log.follow(ONE, 0);
    assert_eq!(next(&mut following).await.sequence(), 1);
    let waiting = tokio::time::timeout(Duration::from_millis(300), following.next()).await;
    assert!(waiting.is_err(), "the other partition's commits are not followed: {waiting:?}");
}

/// From every point: first what stands, then what comes, each once and in order.
pub async fn a_follower_sees_history_then_live_from_any_point(log: Arc<dyn EventLog>) {
    let (history, all) = (10, 30);
    fill(&*log, ZERO, history).await;
    let mut followers: Vec<_> = (0..=history).map(|after| (after, log.follow(ZERO, after))).collect();
    let write = async {
        for sequence in history + 1..=all {
            append(&*log, &commit(log.identity(), ZERO, sequence, "live")).await;
        }
    };
    let read = async {
        for (after, following) in &mut followers {
            for sequence in *after + 1..=all {
                let entry = next(following).await;
                assert_eq!(entry.sequence(), sequence, "following after {after}");
                assert_eq!(entry, Entry::Commit(stored(&*log, ZERO, sequence).await));
            }
        }
    };
    join!(write, read);
}

/// A follower that waits at the end gets what comes, one by one; also one that began behind the end.
pub async fn a_waiting_follower_is_woken_by_each_append(log: Arc<dyn EventLog>) {
    let (mut from_the_start, mut from_later) = (log.follow(ZERO, 0), log.follow(ZERO, 3));
    for sequence in 1..=5 {
        let sent = commit(log.identity(), ZERO, sequence, "one by one");
        let (seen, ()) = join!(next(&mut from_the_start), append(&*log, &sent));
        assert_eq!(seen.sequence(), sequence);
        if sequence > 3 {
            assert_eq!(next(&mut from_later).await.sequence(), sequence);
        }
    }
}

/// Two who append at the same sequences, through the same log or through two: each sequence has one winner,
/// and what stands there is the winner's.
pub async fn of_two_racing_appenders_one_wins_each_sequence(
    one: Arc<dyn EventLog>,
    other: Arc<dyn EventLog>,
) {
    let count = 60;
    let (first, second) = join!(race(&*one, "one", count), race(&*other, "other", count));
    assert!(first.is_disjoint(&second), "both won {:?}", first.intersection(&second));
    assert_eq!(first.len() + second.len(), usize::try_from(count).expect("small"));
    assert_eq!(one.head(ZERO).await.expect("readable"), count);
    for sequence in 1..=count {
        let winner = if first.contains(&sequence) { "one" } else { "other" };
        let expected = commit(one.identity(), ZERO, sequence, winner);
        assert_eq!(stored(&*other, ZERO, sequence).await.bytes, expected.bytes);
    }
}

/// Tries every sequence until somebody has it. Answers those won.
async fn race(log: &dyn EventLog, name: &str, count: Sequence) -> BTreeSet<Sequence> {
    let mut won = BTreeSet::new();
    for sequence in 1..=count {
        match log.append(&commit(log.identity(), ZERO, sequence, name)).await {
            AppendOutcome::Stored => {
                won.insert(sequence);
            }
            AppendOutcome::Conflict => arrived(log, sequence).await,
            other => panic!("nothing fails here: {other:?}"),
        }
    }
    won
}

/// Waits until the commit that was in the way can be read: a replicated log may still be storing it.
async fn arrived(log: &dyn EventLog, sequence: Sequence) {
    let look = async {
        while log.read(ZERO, sequence).await.expect("readable").is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(BOUND, look).await.expect("what is in the way stands there in time");
}

/// What is not of this log or not in its partitions is refused for good, and reading there is an error.
pub async fn what_does_not_belong_to_the_log_is_fatal(log: Arc<dyn EventLog>) {
    let identity = log.identity();
    let stranger = LogIdentity { log: LogId([0xee; 16]), ..identity };
    let beyond = PartitionId(identity.partitions);
    for wrong in
        [commit(stranger, ZERO, 1, ""), commit(identity, beyond, 1, ""), commit(identity, ZERO, 0, "")]
    {
        let outcome = log.append(&wrong).await;
        assert!(matches!(outcome, AppendOutcome::Fatal(_)), "{outcome:?}");
    }
    let expected = |error: &ReadError| matches!(error, ReadError::NoSuchPartition { .. });
    assert!(log.read(beyond, 1).await.as_ref().is_err_and(expected));
    assert!(log.head(beyond).await.as_ref().is_err_and(expected));
    let mut following = log.follow(beyond, 0);
    assert!(following.next().await.is_some_and(|item| item.as_ref().is_err_and(expected)));
    assert!(following.next().await.is_none(), "an error is the last item");
}

/// What was stored is there after everything was closed and opened again, and the next one fits behind it.
pub async fn reopening_keeps_everything(
    log: Arc<dyn EventLog>,
    reopen: impl Future<Output = Arc<dyn EventLog>>,
) {
    let identity = log.identity();
    fill(&*log, ZERO, 20).await;
    drop(log);
    let log = reopen.await;
    assert_eq!(log.identity(), identity);
    assert_eq!(log.head(ZERO).await.expect("readable"), 20);
    append(&*log, &commit(identity, ZERO, 21, "after")).await;
    let mut following = log.follow(ZERO, 0);
    for sequence in 1..=20 {
        let expected = commit(identity, ZERO, sequence, "filling");
        let Entry::Commit(found) = next(&mut following).await else { panic!("nothing is foreign here") };
        assert_eq!((found.bytes, found.hash), (expected.bytes, expected.hash));
    }
    assert_eq!(next(&mut following).await.sequence(), 21);
}

/// A commit of this log that can be decoded, and tells nothing.
fn decodable(log: LogIdentity, partition: PartitionId, sequence: Sequence) -> EncodedCommit {
    CommitBuilder::default().seal(&Head {
        log: log.log,
        partition,
        sequence,
        previous: sequence - 1,
        previous_hash: Hash::ZERO,
        term: TermNonce([1; 16]),
        time: Timestamp(1),
    })
}

/// Where the partitions end is asked with the first look, and what is appended meanwhile may be behind that or not: so
/// both partitions grow until so much news was heard.
async fn hear(
    log: &dyn EventLog,
    news: &mut News,
    count: usize,
    next: fn(LogIdentity, PartitionId, Sequence) -> EncodedCommit,
) -> Result<Vec<Commit>, NewsError> {
    let done = Cell::new(false);
    let write = async {
        while !done.get() {
            for partition in [ZERO, ONE] {
                let sequence = log.head(partition).await.expect("readable") + 1;
                append(log, &next(log.identity(), partition, sequence)).await;
            }
        }
    };
    let read = async {
        let heard = stream::unfold(&mut *news, async |news| Some((news.next().await, news)));
        let heard = heard.take(count).try_collect().await;
        done.set(true);
        heard
    };
    let both = async { join!(read, write) };
    tokio::time::timeout(BOUND, both).await.expect("enough is heard in time").0
}

/// What is heard began after the looking did; of each partition it comes in order, without a gap.
pub async fn news_come_from_the_ends_of_all_partitions_without_a_gap(log: Arc<dyn EventLog>) {
    // Undecodable: an error would tell that one of them was looked at.
    fill(&*log, ZERO, 5).await;
    let mut news = News::of(&log);
    let heard = hear(&*log, &mut news, 40, decodable).await.expect("nothing is damaged");
    for partition in [ZERO, ONE] {
        let of_it = heard.iter().filter(|commit| commit.prefix.partition == partition);
        let sequences: Vec<_> = of_it.map(|commit| commit.prefix.sequence).collect();
        assert!(sequences.len() >= 5, "{partition} was heard of {} times", sequences.len());
        assert!(sequences.is_sorted_by(|one, next| one + 1 == *next), "{partition}: {sequences:?}");
    }
}

/// What can not be decoded may be what a worker waits for: it is never passed over.
pub async fn a_commit_that_can_not_be_decoded_ends_the_news(log: Arc<dyn EventLog>) {
    let mut news = News::of(&log);
    hear(&*log, &mut news, 4, decodable).await.expect("nothing is damaged");
    let damaged = |log, partition, sequence| commit(log, partition, sequence, "no MessagePack of a commit");
    let error = hear(&*log, &mut news, usize::MAX, damaged).await.expect_err("one can not be decoded");
    assert!(matches!(error, NewsError::Commit { .. }), "{error}");
}

/// The anchor of such a commit.
pub fn anchor(log: LogIdentity, sequence: Sequence, payload: &str, kept_by: Keeper) -> Anchor {
    let hash = commit(log, ZERO, sequence, payload).hash;
    let kept_at = Timestamp(1_800_000_000_000_000 + i64::try_from(sequence).expect("small"));
    Anchor { log: log.log, partition: ZERO, sequence, hash, kept_by, kept_at }
}

/// For a log that keeps anchors: of each keeper the highest is there, whatever came after it, and whether or not the
/// log holds it. Another log's stays.
pub async fn kept_anchors_never_go_backwards(log: Arc<dyn EventLog>) {
    assert_eq!(log.anchors(ZERO).await.expect("readable"), []);
    let by = |sequence, payload, keeper| anchor(log.identity(), sequence, payload, keeper);
    let high = by(400, "high", Keeper::Writer);
    for anchor in [
        by(7, "first", Keeper::Writer),
        high,
        by(399, "low", Keeper::Writer),
        by(400, "as high, and another", Keeper::Writer),
        by(1, "low", Keeper::Writer),
    ] {
        log.keep_anchor(&anchor).await.expect("kept, or not needed");
    }
    assert_eq!(log.anchors(ZERO).await.expect("readable"), [high]);
    let second = by(3, "of another keeper", Keeper::Projector);
    log.keep_anchor(&second).await.expect("kept");
    assert_eq!(log.anchors(ZERO).await.expect("readable"), [high, second]);
    assert_eq!(log.anchors(ONE).await.expect("readable"), [], "each partition has its own");
    let stranger = Anchor { log: LogId([0xee; 16]), sequence: 1_000, ..high };
    log.keep_anchor(&stranger).await.expect_err("the place is another log's");
    assert_eq!(log.anchors(ZERO).await.expect("readable"), [high, second]);
}

/// For a log that keeps anchors: two keepers of one name, through two handles, never put a lower one over a higher.
pub async fn of_two_who_keep_anchors_at_once_the_highest_stays(
    one: Arc<dyn EventLog>,
    other: Arc<dyn EventLog>,
) {
    let keep = async |log: &dyn EventLog, sequences: Vec<Sequence>| {
        for sequence in sequences {
            let anchor = anchor(log.identity(), sequence, "kept", Keeper::Writer);
            // Who loses every try against the other is told so, and would try again later.
            while log.keep_anchor(&anchor).await.is_err() {}
            let known = log.anchors(ZERO).await.expect("readable");
            assert!(known[0].sequence >= sequence, "{sequence} was kept, and {known:?} is known");
        }
    };
    let (odd, even) = (1..=200).partition(|sequence| sequence % 2 == 1);
    join!(keep(&*one, odd), keep(&*other, even));
    let highest = anchor(one.identity(), 200, "kept", Keeper::Writer);
    assert_eq!(one.anchors(ZERO).await.expect("readable"), [highest]);
}
