//! The desk: where the edges hand in their questions, and wait for the answers.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use ledger_core::slots::SlotMap;
use ledger_core::{AccountId, PartitionId, SourceBatch, Timestamp};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::ask::{Answer, Ask, Call, Failure, SourceAnswer};
use crate::letters::Letter;
use crate::partition::Health;

/// Hands calls to the writer of their partition. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    slots: SlotMap,
    /// In the order of the partitions' numbers.
    counters: Vec<Counter>,
}

/// Where letters for one partition are handed in.
#[derive(Debug)]
pub(crate) struct Counter {
    pub(crate) letters: mpsc::Sender<Letter>,
    /// One permit a call under way.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) health: watch::Receiver<Health>,
}

impl Desk {
    pub(crate) fn new(slots: SlotMap, counters: Vec<Counter>) -> Self {
        Self(Arc::new(Inner { slots, counters }))
    }

    /// The partition that decides for an account.
    pub fn route(&self, account: &AccountId) -> PartitionId {
        self.0.slots.route(account)
    }

    /// Asks one thing. Answers at the deadline at the latest.
    pub async fn ask(&self, call: Call) -> Answer {
        let partition = self.partition_of(&call);
        let deadline = call.deadline;
        let mut answers = self.hand_in(partition, vec![call], 1, deadline).await;
        answers.pop().expect("one call has one answer")
    }

    /// Asks several things of their partitions, each for itself, and answers in the same order.
    pub async fn ask_all(&self, calls: Vec<Call>) -> Vec<Answer> {
        let count = calls.len();
        let mut letters: Vec<(Vec<usize>, Vec<Call>)> = vec![Default::default(); self.0.counters.len()];
        for (place, call) in calls.into_iter().enumerate() {
            let (places, calls) = &mut letters[usize::from(self.partition_of(&call).0)];
            places.push(place);
            calls.push(call);
        }
        let handed_in = (0..).map(PartitionId).zip(letters).map(async |(partition, (places, calls))| {
            let deadline = calls.iter().map(|call| call.deadline).min().unwrap_or_default();
            let weight = calls.len();
            (places, self.hand_in(partition, calls, weight, deadline).await)
        });
        let mut answers = vec![None; count];
        for (places, given) in join_all(handed_in).await {
            places.into_iter().zip(given).for_each(|(place, answer)| answers[place] = Some(answer));
        }
        answers.into_iter().map(|answer| answer.expect("each call was put into one letter")).collect()
    }

    /// Hands a source's batch to every partition, and adds up their answers. One "no" is the answer to all.
    pub async fn apply_source(&self, batch: Arc<SourceBatch>, deadline: Timestamp) -> Answer {
        let ask = |partition| {
            let call = Call { ask: Ask::Source(Arc::clone(&batch)), deadline };
            self.hand_in(PartitionId(partition), vec![call], batch.items().len().max(1), deadline)
        };
        let partitions = u16::try_from(self.0.counters.len()).expect("a log has at most 4096 partitions");
        let answers = join_all((0..partitions).map(ask)).await.into_iter().flatten();
        let mut sum = SourceAnswer::default();
        let mut other = None;
        for answer in answers {
            match answer {
                Answer::Source(part) => sum.merge(part),
                Answer::Rejected(_) => other = Some(answer),
                _ => other = other.or(Some(answer)),
            }
        }
        other.unwrap_or(Answer::Source(sum))
    }

    /// What each partition's writer says of itself: `Ok` when it takes commands.
    pub fn health(&self) -> Vec<(PartitionId, Health)> {
        let health = |counter: &Counter| counter.health.borrow().clone();
        (0..).map(PartitionId).zip(self.0.counters.iter().map(health)).collect()
    }

    /// Waits until every partition takes commands, or one of them has given up.
    pub async fn ready(&self) -> Result<(), String> {
        for counter in &self.0.counters {
            let mut health = counter.health.clone();
            health.wait_for(Result::is_ok).await.map_err(|_| "a writer has stopped".to_owned())?;
        }
        Ok(())
    }

    fn partition_of(&self, call: &Call) -> PartitionId {
        match &call.ask {
            Ask::Command(command) => self.route(command.account()),
            Ask::Get(account) => self.route(account),
            Ask::Source(_) => unreachable!("a source's batch goes to every partition, by apply_source"),
        }
    }

    async fn hand_in(
        &self,
        partition: PartitionId,
        calls: Vec<Call>,
        weight: usize,
        deadline: Timestamp,
    ) -> Vec<Answer> {
        let count = calls.len();
        if count == 0 {
            return vec![];
        }
        let fail = |failure: Failure| vec![Answer::Failed(failure); count];
        let counter = &self.0.counters[usize::from(partition.0)];
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&counter.room).try_acquire_many_owned(weight) else {
            return fail(Failure::Overloaded);
        };
        let (reply, answers) = oneshot::channel();
        match counter.letters.try_send(Letter { calls, reply, permit }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return fail(Failure::Overloaded),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                let reason = counter.health.borrow().clone().err();
                return fail(Failure::Unavailable(
                    reason.unwrap_or_else(|| "the writer has stopped".to_owned()),
                ));
            }
        }
        let left = deadline.since(Timestamp(service_kit::clock::now()));
        let patience = Duration::from_micros(u64::try_from(left).unwrap_or(0));
        match tokio::time::timeout(patience, answers).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(_)) | Err(_) => fail(Failure::OutcomeUnknown),
        }
    }
}
