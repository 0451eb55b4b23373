//! The desk: where the edges hand in their questions, and wait for the answers.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use ledger_core::slots::SlotMap;
use ledger_core::{AccountId, PartitionId, SourceBatch, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::ask::{Answer, Ask, Call, Failure, SourceAnswer};
use crate::letters::{Letter, Mailbox, Reply};
use crate::partition::Health;

/// Hands calls to the writer of their partition. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    inner: Arc<Inner>,
    /// Whoever asks here has hashed already: everything goes to this partition.
    straight: Option<PartitionId>,
}

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
        Self { inner: Arc::new(Inner { slots, counters }), straight: None }
    }

    /// The same desk for callers that hash themselves: calls go to the writer of this partition, which refuses
    /// accounts that belong to another. `None`: this log has no such partition.
    pub fn straight_to(&self, partition: PartitionId) -> Option<Self> {
        let known = usize::from(partition.0) < self.inner.counters.len();
        known.then(|| Self { straight: Some(partition), ..self.clone() })
    }

    /// The partition that everything goes to, whosever it is.
    pub fn straight(&self) -> Option<PartitionId> {
        self.straight
    }

    /// Which partition each slot belongs to.
    pub fn slots(&self) -> &SlotMap {
        &self.inner.slots
    }

    /// The partitions of the log.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (0..).map(PartitionId).take(self.inner.counters.len())
    }

    /// The partition that is asked about an account.
    pub fn route(&self, account: &AccountId) -> PartitionId {
        self.straight.unwrap_or_else(|| self.inner.slots.route(account))
    }

    /// Asks one thing. Answers at the deadline at the latest.
    pub async fn ask(&self, call: Call) -> Answer {
        let partition = self.partition_of(&call);
        let deadline = call.deadline;
        let mut answers = self.hand_in(partition, vec![call], deadline).await;
        answers.pop().expect("one call has one answer")
    }

    /// Asks one thing; the answer comes to the mailbox under the token, once, however late. For who asks very often: no
    /// timer and no channel is made for it, and answers that come together are handed over together.
    ///
    /// Error: nothing was asked.
    pub(crate) fn post(&self, call: Call, mailbox: &Mailbox, token: u64) -> Result<(), Failure> {
        let counter = &self.inner.counters[usize::from(self.partition_of(&call).0)];
        let permit = counter.room(1).ok_or(Failure::Overloaded)?;
        counter.put(Letter { calls: vec![call], reply: Reply::Mail(mailbox.clone(), token), permit })
    }

    /// Asks several things of their partitions, each for itself, and answers in the same order. Answers at the deadline
    /// at the latest.
    pub async fn ask_all(
        &self,
        calls: impl ExactSizeIterator<Item = Call>,
        deadline: Timestamp,
    ) -> Vec<Answer> {
        let (count, counters) = (calls.len(), self.inner.counters.len());
        let only = (counters == 1).then_some(PartitionId(0));
        if let Some(partition) = self.straight.or(only) {
            return self.hand_in(partition, calls.collect(), deadline).await;
        }
        // A little more than an equal part of them: it is rarely too little.
        let equal = count / counters;
        let room = equal + equal / 4 + 8;
        let letter = || (Vec::with_capacity(room), Vec::with_capacity(room));
        let mut letters: Vec<(Vec<usize>, Vec<Call>)> = (0..counters).map(|_| letter()).collect();
        for (place, call) in calls.enumerate() {
            let (places, calls) = &mut letters[usize::from(self.partition_of(&call).0)];
            places.push(place);
            calls.push(call);
        }
        let handed_in = (0..).map(PartitionId).zip(letters).map(async |(partition, (places, calls))| {
            (places, self.hand_in(partition, calls, deadline).await)
        });
        let mut answers: Vec<Option<Answer>> = Vec::new();
        answers.resize_with(count, || None);
        for (places, given) in join_all(handed_in).await {
            places.into_iter().zip(given).for_each(|(place, answer)| answers[place] = Some(answer));
        }
        answers.into_iter().map(|answer| answer.expect("each call was put into one letter")).collect()
    }

    /// Hands a source's batch to every partition, and adds up their answers. All are asked first whether they could
    /// take it, so that another feed under a known name is refused before any of it is charged.
    pub async fn apply_source(&self, batch: Arc<SourceBatch>, deadline: Timestamp) -> Answer {
        let checked = self.ask_every(Ask::CheckSource(Arc::clone(&batch)), |_| 1, deadline).await;
        if !matches!(checked, Answer::Source(_)) {
            return checked;
        }
        let own = |partition| batch.items().iter().filter(|item| item.partition == partition).count().max(1);
        self.ask_every(Ask::Source(Arc::clone(&batch)), own, deadline).await
    }

    /// Asks every partition the same; `weight` is how much room it takes there. Nothing is handed in anywhere unless
    /// there is room everywhere.
    async fn ask_every(
        &self,
        ask: Ask,
        weight: impl Fn(PartitionId) -> usize,
        deadline: Timestamp,
    ) -> Answer {
        let partitions = || (0..).map(PartitionId).zip(&self.inner.counters);
        let room = partitions().map(|(partition, counter)| counter.room(weight(partition)));
        let Some(permits) = room.collect::<Option<Vec<_>>>() else {
            return Answer::Failed(Failure::Overloaded);
        };
        let handed_in = partitions().zip(permits).map(|((_, counter), permit)| {
            counter.hand_in(vec![Call { ask: ask.clone(), deadline }], permit, deadline)
        });
        sum_up(join_all(handed_in).await.into_iter().flatten())
    }

    /// What each partition's writer says of itself: `Ok` when it takes commands.
    pub fn health(&self) -> Vec<(PartitionId, Health)> {
        let health = |counter: &Counter| counter.health.borrow().clone();
        (0..).map(PartitionId).zip(self.inner.counters.iter().map(health)).collect()
    }

    /// Waits until every partition takes commands, or one of them has given up.
    pub async fn ready(&self) -> Result<(), String> {
        for counter in &self.inner.counters {
            let mut health = counter.health.clone();
            health.wait_for(Result::is_ok).await.map_err(|_| "a writer has stopped".to_owned())?;
        }
        Ok(())
    }

    fn partition_of(&self, call: &Call) -> PartitionId {
        match &call.ask {
            Ask::Command(command) | Ask::Brief(command) => self.route(command.account()),
            Ask::Get(account) => self.route(account),
            Ask::Solvency(_) => PartitionId(0),
            Ask::CheckSource(_) | Ask::Source(_) => {
                unreachable!("a source's batch goes to every partition, by apply_source")
            }
        }
    }

    async fn hand_in(&self, partition: PartitionId, calls: Vec<Call>, deadline: Timestamp) -> Vec<Answer> {
        let counter = &self.inner.counters[usize::from(partition.0)];
        match counter.room(calls.len()) {
            Some(permit) => counter.hand_in(calls, permit, deadline).await,
            None => vec![Answer::Failed(Failure::Overloaded); calls.len()],
        }
    }
}

impl Counter {
    /// Room for so many calls, if there is some.
    fn room(&self, calls: usize) -> Option<OwnedSemaphorePermit> {
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        Arc::clone(&self.room).try_acquire_many_owned(calls).ok()
    }

    /// Hands a letter to the writer. Error: it was not taken.
    fn put(&self, letter: Letter) -> Result<(), Failure> {
        self.letters.try_send(letter).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Failure::Overloaded,
            mpsc::error::TrySendError::Closed(_) => {
                let reason = self.health.borrow().clone().err();
                Failure::Unavailable(reason.unwrap_or_else(|| "the writer has stopped".to_owned()))
            }
        })
    }

    async fn hand_in(
        &self,
        calls: Vec<Call>,
        permit: OwnedSemaphorePermit,
        deadline: Timestamp,
    ) -> Vec<Answer> {
        let count = calls.len();
        let fail = |failure: Failure| vec![Answer::Failed(failure); count];
        if count == 0 {
            return vec![];
        }
        let (reply, answers) = oneshot::channel();
        if let Err(failure) = self.put(Letter { calls, reply: Reply::Once(reply), permit }) {
            return fail(failure);
        }
        let left = deadline.since(Timestamp(service_kit::clock::now()));
        let patience = Duration::from_micros(u64::try_from(left).unwrap_or(0));
        match tokio::time::timeout(patience, answers).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(_)) | Err(_) => fail(Failure::OutcomeUnknown),
        }
    }
}

/// What the partitions answered to one batch, as one answer. A "no" of one is the answer to all; a failure is
/// "nothing was done" only if no other partition has done its part.
fn sum_up(answers: impl Iterator<Item = Answer>) -> Answer {
    let mut sum = SourceAnswer::default();
    let (mut rejected, mut failed, mut done) = (None, None, false);
    for answer in answers {
        match answer {
            Answer::Source(part) => {
                sum.merge(*part);
                done = true;
            }
            Answer::Rejected(_) => rejected = Some(answer),
            _ => failed = Some(answer),
        }
    }
    let failed = failed.map(|answer| if done { Answer::Failed(Failure::OutcomeUnknown) } else { answer });
    rejected.or(failed).unwrap_or_else(|| Answer::Source(Box::new(sum)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_core::Code;

    #[test]
    fn a_batch_that_one_partition_took_and_another_did_not_is_never_called_undone() {
        let done = |charged| Answer::Source(Box::new(SourceAnswer { charged, ..SourceAnswer::default() }));
        let full = || Answer::Failed(Failure::Overloaded);
        let no = || Answer::Rejected(Code::SourceGap.into());
        for (answers, sum) in [
            (vec![done(2), done(2)], done(4)),
            (vec![done(2), full()], Answer::Failed(Failure::OutcomeUnknown)),
            (vec![full(), full()], full()),
            (vec![done(2), no()], no()),
            (vec![full(), no()], no()),
        ] {
            assert_eq!(sum_up(answers.clone().into_iter()), sum, "{answers:?}");
        }
    }
}
