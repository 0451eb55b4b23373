//! Resolving what became of an append. Nothing here guesses.

use event_log::{AppendOutcome, Entry, ReadError, Refusal};
use ledger_core::time::SECOND;
use ledger_core::{Position, Timestamp};
use planted::Bug;

use super::draft::{Flight, Waiting};
use super::{Output, Phase, Stop, Writer};

/// The delays before the same bytes are sent again, in microseconds.
const RESEND_FIRST: i64 = 20_000;
const RESEND_MAX: i64 = SECOND;
/// While the log is full or refuses: slowly.
const RESEND_FULL: i64 = 2 * SECOND;
/// For how long an idle writer answers from memory while it can not see the log.
const AWAY_MAX: i64 = 2 * SECOND;

impl Writer {
    pub(super) fn on_appended(&mut self, now: Timestamp, outcome: AppendOutcome, out: &mut Vec<Output>) {
        let Some(flight) = &mut self.flight else { return };
        match outcome {
            AppendOutcome::Stored => self.on_stored(now, out),
            AppendOutcome::Conflict if planted::on(Bug::ConflictIsNotStored) => self.planted_not_stored(out),
            AppendOutcome::Conflict => {
                flight.wait(Waiting::ReadBack);
                out.push(Output::ReadBack(flight.commit().prefix.sequence));
            }
            AppendOutcome::Unknown(_) | AppendOutcome::Refused(Refusal::Unavailable, _) => {
                flight.resend_after_backoff(now)
            }
            AppendOutcome::Refused(Refusal::Full, reason) => {
                flight.wait(Waiting::Resend(now.plus(RESEND_FULL)));
                self.refusing = Some(reason);
            }
            AppendOutcome::Fatal(reason) => self.stop(Stop::Fatal(reason), out),
        }
    }

    /// The commit is durable: its answers are given, and what gathered meanwhile goes next.
    fn on_stored(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let mut flight = self.flight.take().expect("only a flight can be stored");
        let snapshot = flight.take_snapshot();
        self.chain = flight.chain_after();
        self.refusing = None;
        self.away_since = None;
        if self.phase == Phase::Opening {
            self.on_opened(&flight);
            out.push(Output::Opened);
        }
        out.extend(flight.into_answers().map(|(ticket, answer)| Output::Answer(ticket, answer)));
        out.extend(snapshot.map(Output::Snapshot));
        self.flush(now, out);
    }

    fn on_opened(&mut self, flight: &Flight) {
        self.ledger.begin(self.chain.time);
        let (partition, sequence) = (self.chain.partition, self.chain.sequence);
        for (index, event) in (0..).zip(flight.draft().events()) {
            let position = Position { partition, sequence, index };
            self.ledger
                .evolve(position, event)
                .expect("a term and policies that are counted on can be opened");
        }
        self.phase = Phase::Serving;
    }

    pub(super) fn on_read_back(
        &mut self,
        now: Timestamp,
        found: Result<Option<Entry>, ReadError>,
        out: &mut Vec<Output>,
    ) {
        let Some(flight) = &mut self.flight else { return };
        match found {
            Ok(Some(Entry::Commit(stored))) if stored.bytes == flight.commit().bytes => {
                self.on_stored(now, out)
            }
            Ok(Some(Entry::Commit(_))) if planted::on(Bug::StaleOwnerKeepsAnswering) => {
                self.on_stored(now, out)
            }
            Ok(Some(Entry::Commit(stored))) => self.on_other(stored.prefix.sequence, out),
            Ok(Some(Entry::Foreign { sequence, .. })) => self.on_foreign(now, sequence, out),
            Ok(None) => flight.resend_after_backoff(now),
            Err(ReadError::Damaged { .. }) => {
                let reason = found.expect_err("it was matched as an error").to_string();
                self.stop(Stop::Damaged(reason), out);
            }
            Err(_) => flight.reread_after_backoff(now),
        }
    }

    /// Another owner's commit stands there. Before our term is open that only means that we must replay on.
    fn on_other(&mut self, sequence: u64, out: &mut Vec<Output>) {
        if self.phase == Phase::Opening {
            self.flight = None;
            self.phase = Phase::Replaying;
            out.push(Output::Overtaken);
            return;
        }
        let partition = self.chain.partition;
        self.stop(Stop::Fenced { partition, sequence }, out);
    }

    /// A foreign message stands there and can not be removed: the same events for the next place.
    fn on_foreign(&mut self, now: Timestamp, sequence: u64, out: &mut Vec<Output>) {
        tracing::error!(partition = %self.chain.partition, sequence, "foreign message in the log: somebody else can publish to it");
        self.chain.read = sequence;
        if !planted::on(Bug::NotRenumbered) {
            self.renumber(sequence);
        }
        let flight = self.flight.as_mut().expect("what was read back belongs to a flight");
        flight.reseal();
        self.send_flight(now, out);
    }

    /// Sends what is in flight once more; later, while it is in doubt whether the log is what it was.
    fn send_flight(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let Some(flight) = &mut self.flight else { return };
        if self.doubt.found().is_some() {
            flight.wait(Waiting::Resend(now.plus(RESEND_MAX)));
            return;
        }
        flight.wait(Waiting::Outcome);
        out.push(Output::Append(flight.commit().clone()));
    }

    /// An idle writer has looked behind its last commit.
    pub(super) fn on_seen(
        &mut self,
        now: Timestamp,
        seen: Result<Option<Entry>, ReadError>,
        out: &mut Vec<Output>,
    ) {
        if self.phase != Phase::Serving || self.flight.is_some() {
            return;
        }
        let entry = match seen {
            Ok(entry) => entry,
            Err(error) => return self.on_away(now, &error),
        };
        if self.away_since.take().is_some() {
            self.refusing = None;
        }
        match entry.filter(|entry| entry.sequence() == self.chain.read + 1) {
            Some(Entry::Commit(stored)) => self.on_other(stored.prefix.sequence, out),
            Some(Entry::Foreign { sequence, reason }) => {
                tracing::error!(partition = %self.chain.partition, sequence, reason, "foreign message in the log");
                self.chain.read = sequence;
            }
            None => {}
        }
    }

    /// The log is out of reach: after a while nobody knows whether another owner writes, so reads and refusals
    /// from memory would be guesses.
    fn on_away(&mut self, now: Timestamp, error: &ReadError) {
        let since = *self.away_since.get_or_insert(now);
        if now.since(since) >= AWAY_MAX {
            self.refusing = Some(format!("the log can not be reached: {error}"));
        }
    }

    pub(super) fn on_tick(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let Some(flight) = &mut self.flight else { return };
        match flight.waiting() {
            Waiting::Resend(at) if at <= now => self.send_flight(now, out),
            Waiting::Reread(at) if at <= now => {
                flight.wait(Waiting::ReadBack);
                out.push(Output::ReadBack(flight.commit().prefix.sequence));
            }
            _ => {}
        }
    }
}

impl Flight {
    fn resend_after_backoff(&mut self, now: Timestamp) {
        let at = now.plus(self.backoff());
        self.wait(Waiting::Resend(at));
    }

    fn reread_after_backoff(&mut self, now: Timestamp) {
        let at = now.plus(self.backoff());
        self.wait(Waiting::Reread(at));
    }

    fn backoff(&mut self) -> i64 {
        self.attempts += 1;
        (RESEND_FIRST << self.attempts.min(10)).min(RESEND_MAX)
    }
}
