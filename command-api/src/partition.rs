//! The thin shell of one writer: carries out what it wants, and hands in what happens.

mod snapshots;

use std::sync::Arc;
use std::time::Duration;

use event_log::anchors::{self, Difference};
use event_log::{Anchor, AnchorError, AppendOutcome, Entry, EventLog, Keeper, ReadError};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use ledger_core::commit::Commit;
use ledger_core::event::Event;
use ledger_core::time::SECOND;
use ledger_core::{PartitionId, Position, TermNonce, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::letters::{Address, Letter, OpenLetters, Post};
use crate::log_clock::{self, ClockError};
use crate::snapshots::Snapshots;
use crate::steady_clock::{Jumped, SteadyClock};
use crate::writer::{Input, OpenError, Output, Stop, Ticket, Writer, WriterConfig};

use snapshots::Keeping;

/// How many letters are taken at once: together they become one commit.
const LETTERS_AT_ONCE: usize = 1024;
/// How often an idle writer looks whether somebody else has written.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why the task of a partition ended.
#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    /// The term could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log is not what it was.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// The writer stopped.
    #[error(transparent)]
    Stopped(#[from] Stop),
    /// The log's server and this machine do not agree on the time.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The wall clock moved against the monotonic one.
    #[error("this machine's clock jumped by {seconds} s: start again when it is right")]
    ClockJumped {
        /// How much.
        seconds: i64,
    },
}

impl From<Jumped> for PartitionError {
    fn from(Jumped(micros): Jumped) -> Self {
        Self::ClockJumped { seconds: micros / SECOND }
    }
}

/// What a partition says of itself: `Ok` while it takes commands.
pub type Health = Result<(), String>;

/// Something the writer wanted done is done.
enum Done {
    Appended(AppendOutcome),
    ReadBack(Result<Option<Entry>, ReadError>),
    Fetched(Ticket, Result<(Position, Event), String>),
    Seen(Result<Option<Entry>, ReadError>),
    Compared(Anchor, Result<Option<Difference>, ReadError>),
    Saved(Box<Snapshots>),
    Scrubbed(Result<(), ReadError>),
}

/// One partition: a writer, and what it needs from the world.
pub(crate) struct Partition {
    id: PartitionId,
    log: Arc<dyn EventLog>,
    config: WriterConfig,
    inbox: mpsc::Receiver<Letter>,
    health: watch::Sender<Health>,
    doing: FuturesUnordered<BoxFuture<'static, Done>>,
    letters: OpenLetters<Address>,
    clock: SteadyClock,
    looking: bool,
    comparing: bool,
    /// The newest acknowledged commit, for whoever keeps anchors.
    acknowledged: watch::Sender<Option<Anchor>>,
    snapshots: Keeping,
    /// The fewest bytes of commits between two snapshots.
    snapshot_after: u64,
}

impl Partition {
    pub(crate) fn new(
        id: PartitionId,
        log: Arc<dyn EventLog>,
        config: WriterConfig,
        inbox: mpsc::Receiver<Letter>,
        health: watch::Sender<Health>,
        acknowledged: watch::Sender<Option<Anchor>>,
    ) -> Self {
        let clock = SteadyClock::start();
        let letters = OpenLetters::default();
        Self {
            id,
            log,
            config,
            inbox,
            health,
            doing: FuturesUnordered::new(),
            letters,
            clock,
            looking: false,
            comparing: false,
            acknowledged,
            snapshots: Keeping::Nowhere,
            snapshot_after: 0,
        }
    }

    /// Replays, opens the term, and serves until told to stop. Error: it had to stop by itself.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), PartitionError> {
        let mut writer = self.restored().await.with_patience(self.log.patience());
        let result = self.serve(&mut writer, &shutdown).await;
        let reason = result.as_ref().err().map_or_else(|| "stopping".to_owned(), ToString::to_string);
        self.say(Err(reason.clone()));
        let mut post = Post::default();
        self.letters.give_up(&reason).into_iter().for_each(|answered| post.send(answered));
        post.deliver();
        result
    }

    async fn serve(
        &mut self,
        writer: &mut Writer,
        shutdown: &CancellationToken,
    ) -> Result<(), PartitionError> {
        tokio::select! {
            opened = self.open(writer) => opened?,
            () = shutdown.cancelled() => return Ok(()),
        }
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut letters = Vec::new();
        // Told to stop, it takes no new letters, and answers those it has.
        let (mut open, mut closing) = (true, false);
        while open || !writer.is_idle() || !self.letters.is_empty() || (closing && self.is_keeping()) {
            let wake = self.until(writer.wake_at());
            tokio::select! {
                () = shutdown.cancelled(), if !closing => {
                    self.inbox.close();
                    closing = true;
                }
                Some(done) = self.doing.next() => self.on_done(writer, done)?,
                count = self.inbox.recv_many(&mut letters, LETTERS_AT_ONCE), if open => {
                    open = count > 0;
                    self.on_letters(writer, &mut letters)?;
                }
                () = wake => self.step(writer, Input::Tick)?,
                _ = look.tick() => self.look(writer)?,
            }
        }
        self.keep_last(writer).await;
        Ok(())
    }

    /// Replays what stands and asks for the term, until nobody has written in between.
    async fn open(&mut self, writer: &mut Writer) -> Result<(), PartitionError> {
        self.say(writer.health(self.clock.now()?));
        let restored = writer.anchor().map(|anchor| Anchor { kept_by: Keeper::Snapshot, ..anchor });
        check_anchors(&*self.log, self.id, restored, &self.health).await?;
        log_clock::check(&*self.log).await?;
        if restored.is_some() {
            self.scrub(writer.chain().read);
        }
        let mut entries = self.log.follow(self.id, writer.chain().read);
        loop {
            let head = self.log.head(self.id).await?;
            while writer.chain().read < head {
                let entry = entries.next().await.expect("a followed log ends by an error alone")?;
                if entry.sequence() <= writer.chain().read {
                    // A foreign message that the writer has met in its own place.
                    continue;
                }
                match entry {
                    Entry::Commit(stored) => writer.replay(&stored)?,
                    Entry::Foreign { sequence, reason } => {
                        tracing::warn!(partition = %self.id, sequence, reason, "foreign message in the log: stepped over");
                        writer.replay_foreign(sequence)?;
                    }
                }
            }
            let mut out = Vec::new();
            writer.open(self.clock.now()?, TermNonce(uuid::Uuid::new_v4().into_bytes()), &mut out)?;
            self.carry_out(writer, out)?;
            if self.settle_term(writer).await? {
                return Ok(());
            }
        }
    }

    /// Waits until the term is open, or until it shows that somebody wrote before us.
    async fn settle_term(&mut self, writer: &mut Writer) -> Result<bool, PartitionError> {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            let wake = self.until(writer.wake_at());
            let input = tokio::select! {
                Some(done) = self.doing.next() => self.input(done)?,
                () = wake => Some(Input::Tick),
                _ = look.tick() => {
                    self.compare(writer)?;
                    None
                }
            };
            let Some(input) = input else { continue };
            let mut out = Vec::new();
            writer.step(self.clock.now()?, input, &mut out);
            let (opened, overtaken) = (out.contains(&Output::Opened), out.contains(&Output::Overtaken));
            self.carry_out(writer, out)?;
            self.say(writer.health(self.clock.now()?));
            if opened || overtaken {
                self.acknowledge(writer);
                return Ok(opened);
            }
        }
    }

    /// Without a list of all calls in between: a letter may hold thousands.
    fn on_letters(&mut self, writer: &mut Writer, letters: &mut Vec<Letter>) -> Result<(), PartitionError> {
        let (now, mut out) = (self.clock.now()?, Vec::new());
        for Letter { calls, reply, permit } in letters.drain(..) {
            for input in self.letters.open(calls, (reply, permit)) {
                writer.step(now, input, &mut out);
            }
        }
        self.finish(writer, now, out)
    }

    fn on_done(&mut self, writer: &mut Writer, done: Done) -> Result<(), PartitionError> {
        match self.input(done)? {
            Some(input) => self.step(writer, input),
            None => Ok(()),
        }
    }

    /// What the writer is to know of it.
    fn input(&mut self, done: Done) -> Result<Option<Input>, PartitionError> {
        Ok(Some(match done {
            Done::Appended(outcome) => {
                note_outcome(self.id, &outcome);
                Input::Appended(outcome)
            }
            Done::ReadBack(found) => Input::ReadBack(found),
            Done::Fetched(ticket, event) => Input::Fetched(ticket, event),
            Done::Seen(seen) => {
                self.looking = false;
                Input::Seen(seen)
            }
            Done::Compared(anchor, answer) => {
                self.comparing = false;
                Input::Compared(anchor, answer)
            }
            Done::Saved(place) => {
                self.snapshots = Keeping::In(place);
                return Ok(None);
            }
            Done::Scrubbed(result) => {
                result?;
                return Ok(None);
            }
        }))
    }

    /// Hands an input in.
    fn step(&mut self, writer: &mut Writer, input: Input) -> Result<(), PartitionError> {
        let (now, mut out) = (self.clock.now()?, Vec::new());
        writer.step(now, input, &mut out);
        self.finish(writer, now, out)
    }

    /// Sends what inputs led to, and carries out the rest.
    fn finish(
        &mut self,
        writer: &mut Writer,
        now: Timestamp,
        mut out: Vec<Output>,
    ) -> Result<(), PartitionError> {
        writer.flush(now, &mut out);
        self.carry_out(writer, out)?;
        self.acknowledge(writer);
        self.say(writer.health(now));
        Ok(())
    }

    /// Tells how far the log is acknowledged.
    fn acknowledge(&self, writer: &Writer) {
        let anchor = writer.anchor();
        self.acknowledged.send_if_modified(|known| {
            let moved = *known != anchor;
            *known = anchor;
            moved
        });
    }

    fn say(&self, health: Health) {
        self.health.send_if_modified(|known| {
            let changed = *known != health;
            *known = health;
            changed
        });
    }

    fn carry_out(&mut self, writer: &Writer, outputs: Vec<Output>) -> Result<(), PartitionError> {
        let (id, log) = (self.id, Arc::clone(&self.log));
        let (mut stopped, mut post) = (None, Post::default());
        for output in outputs {
            let log = Arc::clone(&log);
            match output {
                Output::Append(commit) => {
                    self.doing.push(Box::pin(async move { Done::Appended(log.append(&commit).await) }));
                }
                Output::ReadBack(sequence) => {
                    self.doing.push(Box::pin(async move { Done::ReadBack(log.read(id, sequence).await) }));
                }
                Output::Fetch(ticket, position) => {
                    self.doing
                        .push(Box::pin(async move { Done::Fetched(ticket, fetch(&*log, position).await) }));
                }
                Output::Answer(ticket, answer) => {
                    self.letters.answer(ticket, answer).into_iter().for_each(|answered| post.send(answered));
                }
                Output::Snapshot(snapshot) => self.keep(*snapshot),
                Output::Opened => {
                    let (sequence, accounts) = (writer.chain().sequence, writer.ledger().account_count());
                    tracing::info!(partition = %id, sequence, accounts, "term opened");
                }
                Output::Overtaken => {
                    tracing::info!(partition = %id, "another owner is still writing: replaying on")
                }
                Output::Stop(stop) => stopped = Some(stop),
            }
        }
        post.deliver();
        stopped.map_or(Ok(()), |stop| Err(stop.into()))
    }

    /// While nothing is in flight, looks whether somebody else has written: then this term is over. And whether the
    /// log still holds what was acknowledged, while no append tells it.
    fn look(&mut self, writer: &Writer) -> Result<(), PartitionError> {
        self.say(writer.health(self.clock.now()?));
        self.compare(writer)?;
        if !self.looking && writer.is_idle() {
            self.looking = true;
            let (id, log, next) = (self.id, Arc::clone(&self.log), writer.chain().read + 1);
            self.doing.push(Box::pin(async move { Done::Seen(log.read(id, next).await) }));
        }
        Ok(())
    }

    fn compare(&mut self, writer: &Writer) -> Result<(), PartitionError> {
        let wanted = !self.comparing && writer.wants_comparison(self.clock.now()?);
        if let Some(anchor) = writer.anchor().filter(|_| wanted) {
            self.comparing = true;
            let log = Arc::clone(&self.log);
            self.doing.push(Box::pin(async move {
                Done::Compared(anchor, anchors::difference(&*log, &anchor).await)
            }));
        }
        Ok(())
    }

    fn until(&self, wake: Option<Timestamp>) -> impl Future<Output = ()> + use<> {
        let delay =
            wake.map(|wake| Duration::from_micros(u64::try_from(wake.since(self.clock.last())).unwrap_or(0)));
        async move {
            match delay {
                Some(delay) => tokio::time::sleep(delay).await,
                None => std::future::pending().await,
            }
        }
    }
}

/// Compares the log with what is kept of this partition, and with the snapshot that was restored, before anything is
/// appended. While that is in doubt, the partition's health says why.
async fn check_anchors(
    log: &dyn EventLog,
    id: PartitionId,
    restored: Option<Anchor>,
    health: &watch::Sender<Health>,
) -> Result<(), AnchorError> {
    let mut known = log.anchors(id).await?;
    known.extend(restored);
    let tell = |alarm: event_log::Alarm| {
        tracing::warn!("{}", alarm.in_doubt());
        drop(health.send_replace(Err(alarm.in_doubt())));
    };
    anchors::check_telling(log, &known, tell).await
}

fn note_outcome(partition: PartitionId, outcome: &AppendOutcome) {
    match outcome {
        AppendOutcome::Stored => {}
        AppendOutcome::Conflict => tracing::debug!(%partition, "append: conflict, reading back"),
        AppendOutcome::Unknown(reason) => {
            tracing::warn!(%partition, reason, "append: outcome unknown, sending the same bytes again")
        }
        AppendOutcome::Refused(_, reason) => tracing::warn!(%partition, reason, "append: refused for now"),
        AppendOutcome::Fatal(reason) => tracing::error!(%partition, reason, "append: can not succeed"),
    }
}

async fn fetch(log: &dyn EventLog, position: Position) -> Result<(Position, Event), String> {
    let found = log.read(position.partition, position.sequence).await.map_err(|error| error.to_string())?;
    let Some(Entry::Commit(stored)) = found else { return Err(format!("nothing is found at {position}")) };
    let commit = Commit::decode(&stored.bytes).map_err(|error| error.to_string())?;
    let event = commit.events.get(position.index as usize).cloned();
    event.map(|event| (position, event)).ok_or_else(|| format!("nothing is found at {position}"))
}
