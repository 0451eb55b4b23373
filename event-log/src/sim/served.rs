//! The simulated log behind the port, so that it is held to what the real ones are: the contract, and the same answers.
//!
//! Virtual time stands still while nobody asks; who asks moves it on, event by event, until their own answer comes. So
//! it is as fast as the machine, and of several who ask at once each moves time for all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use ledger_core::commit::EncodedCommit;
use ledger_core::{PartitionId, Sequence, Timestamp};
use tokio::sync::watch;

use super::{Answer, Faults, Replicas, SimLog, Token};
use crate::{Anchor, AppendOutcome, Entry, EventLog, Keeper, LogIdentity, ReadError};

/// A log in memory, one [`SimLog`] a partition. A clone shares its connection, as clones of a client do.
#[derive(Debug, Clone)]
pub struct ServedSim {
    identity: LogIdentity,
    partitions: Arc<[Partition]>,
    anchors: Arc<Mutex<BTreeMap<(PartitionId, &'static str), Anchor>>>,
    /// What waits in this client, while its connection is cut.
    waiting: Arc<Mutex<Option<Vec<EncodedCommit>>>>,
}

#[derive(Debug)]
struct Partition {
    served: Mutex<Served>,
    /// Wakes the followers.
    grown: watch::Sender<()>,
}

#[derive(Debug)]
struct Served {
    sim: SimLog,
    now: Timestamp,
    asked: Token,
    /// Given out, and not fetched yet by those who asked.
    answers: BTreeMap<Token, Answer>,
}

impl ServedSim {
    /// An empty log, honest until [`inflict`](Self::inflict).
    pub fn new(identity: LogIdentity, replicas: Replicas, seed: u64) -> Self {
        let partition = |partition: PartitionId| Partition {
            served: Mutex::new(Served {
                sim: SimLog::new(identity.log, replicas, seed + u64::from(partition.0)),
                now: Timestamp(0),
                asked: 0,
                answers: BTreeMap::new(),
            }),
            grown: watch::Sender::new(()),
        };
        let partitions = identity.partitions().map(partition).collect();
        Self { identity, partitions, anchors: Arc::default(), waiting: Arc::default() }
    }

    /// Another connection to the same log.
    pub fn connect(&self) -> Self {
        Self { waiting: Arc::default(), ..self.clone() }
    }

    /// Cuts this connection: what is appended through it waits in the client until it is mended.
    pub fn cut(&self) {
        self.waiting().get_or_insert_default();
    }

    /// Mends this connection: what has waited arrives now, in order.
    pub fn mend(&self) {
        for commit in self.waiting().take().unwrap_or_default() {
            let partition = self.partition(commit.prefix.partition).expect("it is one of this log's");
            partition.request(|sim, now, token| sim.arrive_late(now, token, commit));
        }
    }

    /// What it does wrong from now on.
    pub fn inflict(&self, faults: Faults) {
        self.partitions.iter().for_each(|partition| partition.lock().sim.faults = faults);
    }

    /// Nobody leads for so long.
    pub fn lose_leader(&self, time: Duration) {
        for partition in &*self.partitions {
            let mut served = partition.lock();
            let until = served.now.plus(micros(time));
            served.sim.lose_leader(until);
        }
    }

    /// Somebody else stores a message.
    pub fn stranger(&self, partition: PartitionId) {
        let partition = &self.partitions[usize::from(partition.0)];
        partition.lock().sim.stranger();
        partition.grown.send_replace(());
    }

    /// Time passes, and what is under way arrives.
    pub fn pass(&self, time: Duration) {
        for partition in &*self.partitions {
            let mut served = partition.lock();
            let until = served.now.plus(micros(time));
            while served.sim.next_at().is_some_and(|at| at <= until) {
                served.advance();
            }
            served.now = until;
            partition.grown.send_replace(());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Vec<EncodedCommit>>> {
        self.waiting.lock().expect("nobody panics while it is held")
    }

    fn partition(&self, partition: PartitionId) -> Result<&Partition, ReadError> {
        self.identity.has(partition)?;
        Ok(&self.partitions[usize::from(partition.0)])
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).expect("a short time")
}

impl Served {
    /// The next thing happens.
    fn advance(&mut self) {
        self.now = self.sim.next_at().expect("every request is answered").max(self.now);
        let answers = self.sim.step(self.now);
        self.answers.extend(answers);
    }
}

impl Partition {
    fn lock(&self) -> MutexGuard<'_, Served> {
        self.served.lock().expect("nobody panics while it is held")
    }

    async fn ask(&self, ask: impl FnOnce(&mut SimLog, Timestamp, Token)) -> Answer {
        let token = self.request(ask);
        loop {
            // Others ask at the same moment.
            tokio::task::yield_now().await;
            if let Some(answer) = self.poll(token) {
                return answer;
            }
        }
    }

    fn request(&self, ask: impl FnOnce(&mut SimLog, Timestamp, Token)) -> Token {
        let mut served = self.lock();
        served.asked += 1;
        let (now, token) = (served.now, served.asked);
        ask(&mut served.sim, now, token);
        token
    }

    /// The answer, if it is there; otherwise time goes on.
    fn poll(&self, token: Token) -> Option<Answer> {
        let mut served = self.lock();
        let answer = served.answers.remove(&token);
        if answer.is_none() {
            served.advance();
            self.grown.send_replace(());
        }
        answer
    }

    fn standing(&self, after: Sequence) -> Option<Entry> {
        let place = usize::try_from(after).expect("a log in memory");
        self.lock().sim.entries().get(place).cloned()
    }
}

#[async_trait]
impl EventLog for ServedSim {
    fn identity(&self) -> LogIdentity {
        self.identity
    }

    async fn append(&self, commit: &EncodedCommit) -> AppendOutcome {
        if let Some(reason) = self.identity.refuses(&commit.prefix) {
            return AppendOutcome::Fatal(reason);
        }
        let partition = self.partition(commit.prefix.partition).expect("it is one of this log's");
        let cut_off = self.waiting().as_mut().map(|waiting| waiting.push(commit.clone())).is_some();
        let append = |sim: &mut SimLog, now, token| match cut_off {
            true => sim.wait_in_client(now, token),
            false => sim.append(now, token, commit.clone()),
        };
        match partition.ask(append).await {
            Answer::Appended(outcome) => outcome,
            other => panic!("an append was answered by {other:?}"),
        }
    }

    async fn read(&self, partition: PartitionId, sequence: Sequence) -> Result<Option<Entry>, ReadError> {
        match self.partition(partition)?.ask(|sim, now, token| sim.read(now, token, sequence, true)).await {
            Answer::Read(found) => found,
            other => panic!("a read was answered by {other:?}"),
        }
    }

    async fn head(&self, partition: PartitionId) -> Result<Sequence, ReadError> {
        let mut served = self.partition(partition)?.lock();
        let now = served.now;
        served.sim.head(now)
    }

    async fn anchors(&self, partition: PartitionId) -> Result<Vec<Anchor>, ReadError> {
        self.identity.has(partition)?;
        let anchors = self.anchors.lock().expect("nobody panics while it is held");
        let kept = |keeper: Keeper| anchors.get(&(partition, keeper.name())).copied();
        Ok([Keeper::Writer, Keeper::Projector].into_iter().filter_map(kept).collect())
    }

    async fn keep_anchor(&self, anchor: &Anchor) -> Result<(), ReadError> {
        self.identity.has(anchor.partition)?;
        let mut anchors = self.anchors.lock().expect("nobody panics while it is held");
        let kept = anchors.entry((anchor.partition, anchor.kept_by.name())).or_insert(*anchor);
        if kept.log != anchor.log {
            let key = format!("{:02}.{}", anchor.partition.0, anchor.kept_by.name());
            return Err(ReadError::Anchor { key, reason: format!("it belongs to log {}", kept.log) });
        }
        if kept.sequence < anchor.sequence {
            *kept = *anchor;
        }
        Ok(())
    }

    fn follow(
        &self,
        partition: PartitionId,
        after: Sequence,
    ) -> BoxStream<'static, Result<Entry, ReadError>> {
        let log = self.clone();
        stream::try_unfold((log, after), move |(log, last)| async move {
            let entry = log.partition(partition)?.standing_soon(last).await;
            Ok(Some((entry, (log, last + 1))))
        })
        .boxed()
    }
}

impl Partition {
    async fn standing_soon(&self, after: Sequence) -> Entry {
        let mut grown = self.grown.subscribe();
        loop {
            if let Some(entry) = self.standing(after) {
                return entry;
            }
            grown.changed().await.expect("the sender is here beside it");
        }
    }
}
