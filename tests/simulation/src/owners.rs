//! The owners' side of the world: they carry out what their writers want, and look at the log.

use command_api::ask;
use command_api::writer::{Input, Output, Stop, Ticket};
use event_log::sim::Answer;
use event_log::{Anchor, AppendOutcome, Entry, ReadError};
use judge::history::{Refusal, What};
use ledger_core::Code;
use ledger_core::commit::{Commit, CommitBuilder, EncodedCommit, Head};
use ledger_core::time::SECOND;

use crate::client;
use crate::outcome::Bug;
use crate::owner::{self, Asker, Kept};
use crate::world::{Event, World};

/// What an owner has asked of the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Append,
    ReadBack,
    Fetch(Ticket, ledger_core::Position),
    Seen,
    Compared,
}

impl World {
    pub(crate) fn input(&mut self, id: u64, input: Input) {
        let Some(owner) = self.owners.get_mut(&id) else { return };
        if self.now < owner.paused_until {
            return owner.asleep.push(input);
        }
        let (mut out, now) = (Vec::new(), self.now.plus(owner.clock));
        owner.latest = owner.latest.max(now);
        owner.writer.step(now, input, &mut out);
        owner.writer.flush(now, &mut out);
        self.carry_out(id, out);
    }

    /// Carries out one after the other; it may crash before each, and behind the last.
    pub(crate) fn carry_out(&mut self, id: u64, out: Vec<Output>) {
        for output in out {
            if self.rng.chance(self.swarm.crash) {
                return self.crash(id);
            }
            self.note(&format!("owner {id} {}", owner::name(&output)));
            if !self.carry_out_one(id, output) {
                return;
            }
        }
        let Some(owner) = self.owners.get(&id) else { return };
        if let Some(wake) = owner.writer.wake_at() {
            let at = wake.plus(-owner.clock).max(self.now);
            self.plan_at(at, Event::Wake(id));
        }
    }

    /// Whether the owner is there to go on.
    fn carry_out_one(&mut self, id: u64, output: Output) -> bool {
        match output {
            Output::Append(commit) => self.append(id, commit),
            Output::ReadBack(sequence) => {
                let token = self.token(id, Asked::ReadBack);
                self.log.read(self.now, token, sequence, true);
            }
            Output::Fetch(ticket, position) => {
                self.seen.across_terms += u64::from(self.owners[&id].term_began > position.sequence);
                let token = self.token(id, Asked::Fetch(ticket, position));
                self.log.read(self.now, token, position.sequence, true);
            }
            Output::Answer(ticket, answer) => {
                self.answer(id, ticket, answer);
                if self.dies_between_answers(id) {
                    self.crash(id);
                }
            }
            Output::Overtaken => {
                if self.open(id).is_err() {
                    self.crash(id);
                }
            }
            Output::Stop(stop) => {
                self.seen.fenced += u64::from(matches!(stop, Stop::Fenced { .. }));
                self.seen.alarms += u64::from(matches!(stop, Stop::Differs(_)));
                self.owners.remove(&id);
                self.plan(2 * SECOND, Event::Start);
            }
            Output::Snapshot(snapshot) => {
                self.seen.snapshots += 1;
                self.snapshots.push(Kept { snapshot: *snapshot, looked: None });
            }
            Output::Opened => {
                let owner = self.owners.get_mut(&id).expect("it is alive");
                owner.term_began = owner.writer.chain().sequence;
            }
        }
        self.owners.contains_key(&id)
    }

    fn append(&mut self, id: u64, commit: EncodedCommit) {
        let token = self.token(id, Asked::Append);
        let commit = match self.bug == Some(Bug::ResendIsAnother) {
            true => self.another(&commit),
            false => commit,
        };
        self.before_append();
        self.log.append(self.now, token, commit);
        self.after_append(id);
    }

    fn answer(&mut self, id: u64, ticket: Ticket, answer: ask::Answer) {
        let owner = self.owners.get_mut(&id).expect("it is alive");
        self.seen.brief += u64::from(matches!(answer, ask::Answer::Brief(_)));
        let expired =
            |answer: &ask::Answer| matches!(answer, ask::Answer::Rejected(no) if no.code == Code::KeyExpired);
        self.seen.keys_expired += u64::from(expired(&answer));
        match owner.calls.remove(&ticket) {
            Some((Asker::Client(client), op)) => {
                self.plan(4_000, Event::Told(client, op, client::told(answer)));
            }
            Some((Asker::Feeder, op)) => self.plan(4_000, Event::Fed(op, Box::new(answer))),
            Some((Asker::DryRun, _)) => {
                self.seen.dry_runs += u64::from(matches!(answer, ask::Answer::WouldCharge(_)))
            }
            None => {}
        }
    }

    fn token(&mut self, id: u64, asked: Asked) -> u64 {
        self.next += 1;
        self.asked.insert(self.next, (id, asked));
        self.next
    }

    /// Once a second an owner looks whether somebody else has written, and whether the log is what it was.
    pub(crate) fn look(&mut self, id: u64) {
        let Some(owner) = self.owners.get(&id) else { return };
        if self.now < owner.paused_until {
            return self.plan_at(owner.paused_until, Event::Look(id));
        }
        let (idle, next) = (owner.writer.is_idle(), owner.writer.chain().read + 1);
        let now = self.now.plus(owner.clock);
        let known = owner.writer.anchor();
        let anchor = known.filter(|_| owner.writer.wants_comparison(now));
        self.keep_anchor(known);
        if idle {
            let token = self.token(id, Asked::Seen);
            self.log.read(self.now, token, next, true);
        }
        if let Some(anchor) = anchor {
            let token = self.token(id, Asked::Compared);
            self.log.compare(self.now, token, anchor);
        }
        self.plan_at(self.now.plus(SECOND), Event::Look(id));
        self.meets_with(id);
    }

    /// Beside the log, where those who start after it will find it. Never a lower one.
    fn keep_anchor(&mut self, known: Option<Anchor>) {
        let higher = |anchor: &Anchor| self.anchor.is_none_or(|kept| kept.sequence < anchor.sequence);
        if let Some(anchor) = known.filter(higher) {
            self.anchor = Some(anchor);
        }
    }

    pub(crate) fn log_answers(&mut self, token: u64, answer: Answer) {
        let Some((id, asked)) = self.asked.remove(&token) else { return };
        self.note(&format!("the log tells owner {id}: {}", heard(&answer)));
        let input = match (answer, asked) {
            (Answer::Appended(outcome), _) => match self.bug_of(id, outcome) {
                Some(outcome) => Input::Appended(outcome),
                None => return,
            },
            (Answer::Read(found), Asked::ReadBack) => {
                self.seen.ours += u64::from(self.is_ours(id, &found));
                Input::ReadBack(found)
            }
            (Answer::Read(found), Asked::Fetch(ticket, position)) => {
                Input::Fetched(ticket, fetched(found, position))
            }
            (Answer::Read(found), _) => Input::Seen(found),
            (Answer::Compared(anchor, found), _) => Input::Compared(anchor, found),
        };
        self.input(id, input);
    }

    /// What the bug of this run, if there is one, makes of an outcome. None: the owner is gone.
    fn bug_of(&mut self, id: u64, outcome: AppendOutcome) -> Option<AppendOutcome> {
        match (self.bug, &outcome) {
            (Some(Bug::AnswerBeforeAck), AppendOutcome::Unknown(_)) => Some(AppendOutcome::Stored),
            (Some(Bug::StaleOwnerKeepsAnswering), AppendOutcome::Conflict) => Some(AppendOutcome::Stored),
            (Some(Bug::ConflictIsNotStored), AppendOutcome::Conflict) => {
                self.says_nothing_was_done(id);
                None
            }
            _ => Some(outcome),
        }
    }

    fn says_nothing_was_done(&mut self, id: u64) {
        let calls = self.owners.remove(&id).map(|owner| owner.calls).unwrap_or_default();
        for (asker, op) in calls.into_values() {
            let Asker::Client(client) = asker else { continue };
            let refusal = Refusal { code: "unavailable".to_owned(), ..Refusal::default() };
            self.plan(4_000, Event::Told(client, op, What::Refused(refusal)));
        }
        self.plan(2 * SECOND, Event::Start);
    }

    /// The same commit at another moment, for the bug that makes one of each resend.
    fn another(&self, commit: &EncodedCommit) -> EncodedCommit {
        let decoded = Commit::decode(&commit.bytes).expect("it was just encoded");
        let mut builder = CommitBuilder::default();
        decoded.events.iter().for_each(|event| builder.push(event));
        builder.seal(&Head {
            log: decoded.prefix.log,
            partition: decoded.prefix.partition,
            sequence: decoded.prefix.sequence,
            previous: decoded.previous,
            previous_hash: decoded.previous_hash,
            term: decoded.term,
            time: self.now.max(decoded.time),
        })
    }

    /// What stands there was written in the term of this owner.
    fn is_ours(&self, id: u64, found: &Result<Option<Entry>, ReadError>) -> bool {
        let Ok(Some(Entry::Commit(stored))) = found else { return false };
        let term = Commit::decode(&stored.bytes).map(|commit| commit.term);
        self.owners.get(&id).is_some_and(|owner| term.is_ok_and(|term| term == owner.writer.chain().term))
    }
}

/// An answer of the log in a few words, for the trace.
fn heard(answer: &Answer) -> String {
    match answer {
        Answer::Appended(outcome) => format!("{outcome:?}"),
        Answer::Read(Ok(entry)) => {
            format!("there stands {:?}", entry.as_ref().map(Entry::sequence))
        }
        Answer::Read(Err(error)) => error.to_string(),
        Answer::Compared(anchor, found) => format!("against {}: {found:?}", anchor.sequence),
    }
}

fn fetched(
    found: Result<Option<Entry>, ReadError>,
    position: ledger_core::Position,
) -> Result<(ledger_core::Position, ledger_core::event::Event), String> {
    let Ok(Some(Entry::Commit(stored))) = found else {
        return Err("it can not be read".to_owned());
    };
    let commit = Commit::decode(&stored.bytes).map_err(|error| error.to_string())?;
    let place = usize::try_from(position.index).expect("small");
    let event = commit.events.get(place).cloned().ok_or("there is no such event")?;
    Ok((position, event))
}
