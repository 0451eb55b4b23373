//! A source: numbered items in batches, sent again, whole or from an earlier number, until they are done with.

use std::sync::Arc;

use command_api::ask::{self, Ask, Call};
use command_api::writer::Input;
use event_log::sim::Rng;
use ledger_core::charge::Charge;
use ledger_core::commit::Hash;
use ledger_core::event::{SourceItem, Usage};
use ledger_core::time::SECOND;
use ledger_core::{
    AccountId, AppId, BatchHead, BatchItem, Code, Label, Meter, PartitionId, SourceBatch, SourceName, Usdc,
    UserId,
};

use crate::owner::Asker;
use crate::world::{Event, World};

/// The most items of one batch.
const MOST: u64 = 12;

/// What is done with, and what is under way.
#[derive(Default)]
pub(crate) struct Feeder {
    items: Vec<BatchItem>,
    /// Where batches ended, with the digest there; the first is (0, zero).
    ends: Vec<(u64, Hash)>,
    asked: Option<(u64, Arc<SourceBatch>)>,
    pending: Option<Arc<SourceBatch>>,
}

impl Feeder {
    pub(crate) fn new() -> Self {
        Self { ends: vec![(0, Hash::ZERO)], ..Self::default() }
    }

    /// The number up to which all is done with.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.ends.last().map_or(0, |(to, _)| *to)
    }

    /// The next batch, or the last one again; now and then from an earlier end on. And whether it was sent before.
    fn next(&mut self, rng: &mut Rng) -> (Arc<SourceBatch>, bool) {
        let (again, to) = match self.pending.take() {
            Some(batch) => (true, batch.to()),
            None => (false, self.grow(rng)),
        };
        let any = usize::try_from(rng.below(self.ends.len() as u64)).expect("small");
        let from = if rng.chance(250) { any } else { self.ends.len() - 1 };
        (Arc::new(self.batch(self.ends[from], to)), again || from < self.ends.len() - 1)
    }

    /// More items.
    fn grow(&mut self, rng: &mut Rng) -> u64 {
        for _ in 0..=rng.below(MOST) {
            let item = item(self.items.len() as u64 + 1, rng);
            self.items.push(item);
        }
        self.items.len() as u64
    }

    fn batch(&self, (from, digest_from): (u64, Hash), to: u64) -> SourceBatch {
        let head = BatchHead {
            app: app(),
            source: source(),
            from,
            to,
            digest_from,
            last: false,
            grant_missing: Some(Usdc::from_credits(100_000)),
            actor: Label::new("simulation").expect("a good label"),
        };
        let inside = self.items.iter().filter(|item| from < item.number && item.number <= to);
        SourceBatch::new(head, inside.cloned().collect()).expect("the numbers are in order")
    }
}

fn app() -> AppId {
    AppId::new("demo").expect("a good name")
}

fn source() -> SourceName {
    SourceName::new("usage-file").expect("a good name")
}

fn item(number: u64, rng: &mut Rng) -> BatchItem {
    let user = UserId::new(&format!("fed-{}", rng.below(3))).expect("a good name");
    let amount = i64::try_from(1 + rng.below(30_000)).expect("small");
    let usage = Usage {
        account: AccountId { app: app(), user },
        key: None,
        item: Some(SourceItem { source: source(), number }),
        charge: Charge::Amount(Usdc::from_credits(amount)),
        meter: Meter::new("search").expect("a good name"),
        scope: None,
        occurred_at: None,
        metadata: None,
    };
    BatchItem { number, partition: PartitionId(0), usage }
}

impl World {
    pub(crate) fn feed(&mut self) {
        let (batch, again) = self.feeder.next(&mut self.rng);
        self.seen.batches_again += u64::from(again);
        self.next += 1;
        let op = self.next;
        self.feeder.asked = Some((op, Arc::clone(&batch)));
        self.plan_at(self.now.plus(12 * SECOND), Event::FedNothing(op));
        let call = Call { ask: Ask::Source(batch), deadline: self.now.plus(10 * SECOND) };
        self.reaches_an_owner(op, Asker::Feeder, Input::Call(op, call));
    }

    /// There was an answer to a batch, or none in time.
    ///
    /// Errors: it was refused, though it continues what was done with.
    pub(crate) fn fed(&mut self, op: u64, answer: Option<&ask::Answer>) -> Result<(), String> {
        let Some((_, batch)) = self.feeder.asked.take_if(|(asked, _)| *asked == op) else { return Ok(()) };
        match answer {
            Some(ask::Answer::Source(done)) => {
                self.seen.batches += 1;
                self.seen.items += done.charged + done.declined;
                if batch.to() > self.feeder.acknowledged() {
                    self.feeder.ends.push((batch.to(), batch.digest()));
                }
            }
            // An owner whose term is over does not know of the last batches.
            Some(ask::Answer::Rejected(no)) if !self.may_be_late(no.code) && self.swarm.one_owner => {
                return Err(format!("I2: a batch up to {} was refused: {}", batch.to(), no.code));
            }
            _ => self.feeder.pending = Some(batch),
        }
        self.plan(3 * SECOND, Event::Feed);
        Ok(())
    }

    /// Whether a refusal is about the deadline alone: too far ahead it is for an owner whose clock is, or jumped, behind.
    fn may_be_late(&self, code: Code) -> bool {
        code == Code::DeadlinePassed
            || (code == Code::DeadlineTooFar && self.seen.clock_wrong + self.seen.clock_jumps > 0)
    }
}
