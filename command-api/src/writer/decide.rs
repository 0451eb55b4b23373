//! Deciding calls: from a question to events in the draft and an answer that waits for them.

use std::sync::Arc;

use ledger_core::digest::KeyFingerprint;
use ledger_core::event::Event;
use ledger_core::rejection::Details;
use ledger_core::time::SECOND;
use ledger_core::{
    AccountId, BatchItem, Code, Command, Decided, Outcome, Position, Rejection, SourceBatch, Timestamp,
    decide,
};
use planted::Bug;

use super::{Output, Queued, Ticket, Writer};
use crate::ask::{
    AccountAnswer, AccountView, Answer, Ask, BriefReceipt, Call, Failure, Receipt, SourceAnswer, WouldCharge,
    balance_after,
};

/// How far ahead a deadline may lie, in microseconds; a second more for clocks that differ.
const DEADLINE_MAX: i64 = 31 * SECOND;

/// How much an answer tells of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Full,
    Brief,
}

impl Writer {
    pub(super) fn decide_call(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        call: Call,
        progress: SourceAnswer,
        out: &mut Vec<Output>,
    ) -> Option<Queued> {
        let begun = progress != SourceAnswer::default();
        if let (false, Err(code)) = (begun, check_deadline(now, call.deadline)) {
            self.answer_late(ticket, &call.ask, code, out);
            return None;
        }
        if self.draft.is_empty() {
            // Once it holds an event the draft's time stands: all of a commit happens at one moment, live as in replay.
            self.ledger.begin(now);
        }
        match &call.ask {
            Ask::Get(account) => {
                let answer = self.show(account, false);
                self.answer(ticket, answer, out);
            }
            Ask::Command(command) => {
                self.decide_command(now, ticket, command, Form::Full, call.deadline, out);
            }
            Ask::Brief(command) => {
                self.decide_command(now, ticket, command, Form::Brief, call.deadline, out);
            }
            Ask::CheckSource(batch) => {
                let checked = batch.check(&self.ledger);
                let answer = checked.map_or_else(Answer::Rejected, |_| Answer::Source(Box::default()));
                self.answer(ticket, answer, out);
            }
            Ask::Solvency(checked) => {
                let event = Event::SolvencyChecked((**checked).clone());
                let position = self.stage(vec![event], None).expect("one event was staged");
                self.answer(ticket, Answer::Recorded(position), out);
            }
            Ask::Source(batch) => {
                let batch = Arc::clone(batch);
                return self.decide_source(now, ticket, call, &batch, progress, out);
            }
        }
        None
    }

    /// Nothing is decided past the deadline; but what an earlier attempt has done is told.
    fn answer_late(&mut self, ticket: Ticket, ask: &Ask, code: Code, out: &mut Vec<Output>) {
        let form = if matches!(ask, Ask::Brief(_)) { Form::Brief } else { Form::Full };
        if let Ask::Command(command) | Ask::Brief(command) = ask
            && self.check_owner(command.account()).is_ok()
            && let Ok(Outcome::Duplicate(position)) = decide(&self.ledger, command).outcome
        {
            self.answer_duplicate(ticket, command, form, position, out);
            return;
        }
        self.answer(ticket, Answer::Rejected(code.into()), out);
    }

    fn decide_command(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        command: &Command,
        form: Form,
        deadline: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let known = self.check_owner(command.account()).err();
        if let Some(rejection) = known.or_else(|| self.declines.find(command, deadline).cloned()) {
            self.answer(ticket, Answer::Rejected(rejection), out);
            return;
        }
        let Decided { outcome, events, fingerprint } = decide(&self.ledger, command);
        let first = self.stage(events, fingerprint);
        match outcome {
            Ok(Outcome::Duplicate(position)) => self.answer_duplicate(ticket, command, form, position, out),
            Ok(outcome) => self.answer_accepted(ticket, command, form, outcome, first, out),
            Err(rejection) => {
                self.declines.remember(now, command, deadline, &rejection);
                self.answer(ticket, Answer::Rejected(rejection), out);
            }
        }
    }

    fn answer_accepted(
        &mut self,
        ticket: Ticket,
        command: &Command,
        form: Form,
        outcome: Outcome,
        first: Option<Position>,
        out: &mut Vec<Output>,
    ) {
        let moves = matches!(command, Command::Debit(_) | Command::Grant(_) | Command::Deposit(_));
        let answer = match (outcome, form, first.filter(|_| moves)) {
            (Outcome::WouldCharge { charged, balance, level }, _, _) => {
                Answer::WouldCharge(WouldCharge { charged, balance, level })
            }
            (Outcome::Applied, Form::Full, Some(position)) => return self.draft.hold_event(ticket, position),
            (Outcome::Applied, Form::Brief, Some(position)) => {
                let event = self.staged(position).expect("it was staged just now");
                Answer::Brief(BriefReceipt { position, balance: balance_after(event), duplicate: false })
            }
            (outcome, _, _) => self.show(command.account(), outcome == Outcome::Applied),
        };
        self.answer(ticket, answer, out);
    }

    /// The first outcome again: from memory while it is not durable yet, else from the log.
    fn answer_duplicate(
        &mut self,
        ticket: Ticket,
        command: &Command,
        form: Form,
        position: Position,
        out: &mut Vec<Output>,
    ) {
        let shown = matches!(
            command,
            Command::Close(_)
                | Command::SetContainer(_)
                | Command::Hibernate(_)
                | Command::Restore(_)
                | Command::SettleCheckout(_)
        );
        if shown {
            let answer = self.show(command.account(), false);
            return self.answer(ticket, answer, out);
        }
        let answer = match (self.staged(position), form) {
            (Some(event), Form::Full) => {
                Answer::Done(Box::new(Receipt { event: event.clone(), position, duplicate: true }))
            }
            (Some(event), Form::Brief) => {
                Answer::Brief(BriefReceipt { position, balance: balance_after(event), duplicate: true })
            }
            (None, _) => return out.push(Output::Fetch(ticket, position)),
        };
        self.answer(ticket, answer, out);
    }

    pub(super) fn on_fetched(
        ticket: Ticket,
        event: Result<(Position, Event), String>,
        out: &mut Vec<Output>,
    ) {
        let answer = match event {
            Ok((position, event)) => Answer::Done(Box::new(Receipt { event, position, duplicate: true })),
            // It did happen, once: whoever asked must not be told that nothing was done.
            Err(reason) => {
                tracing::warn!(reason, "the first outcome of a repeated key could not be read");
                Answer::Failed(Failure::OutcomeUnknown)
            }
        };
        out.push(Output::Answer(ticket, answer));
    }

    /// Works through a batch until the draft is full; the mark goes into the same commit as the items it covers.
    fn decide_source(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        call: Call,
        batch: &SourceBatch,
        mut progress: SourceAnswer,
        out: &mut Vec<Output>,
    ) -> Option<Queued> {
        let partition = self.ledger.partition();
        let after = match batch.check(&self.ledger) {
            Ok(after) => after,
            Err(rejection) => {
                self.answer(ticket, Answer::Rejected(rejection), out);
                return None;
            }
        };
        let mine = || batch.items().iter().filter(|item| item.partition == partition);
        if progress == SourceAnswer::default() {
            progress.skipped = mine().filter(|item| item.number <= after).count() as u64;
        }
        for item in mine().filter(|item| item.number > after) {
            if !self.draft.takes_more(now) {
                self.mark(batch, item.number - 1, &mut progress);
                return Some((ticket, call, progress));
            }
            self.decide_item(batch, item, &mut progress);
        }
        self.mark(batch, batch.to(), &mut progress);
        self.answer(ticket, Answer::Source(Box::new(progress)), out);
        None
    }

    fn decide_item(&mut self, batch: &SourceBatch, item: &BatchItem, progress: &mut SourceAnswer) {
        let opening = batch.decide_opening(&self.ledger, item);
        progress.opened += u64::from(!opening.is_empty());
        self.stage(opening, None);
        let Decided { outcome, events, fingerprint } = batch.decide_item(&self.ledger, item);
        match (&outcome, events.first()) {
            (Ok(Outcome::Applied), Some(Event::Debited(event))) => {
                progress.charged += 1;
                progress.amount += event.charged;
            }
            (Err(_), _) => progress.declined += 1,
            _ => progress.skipped += 1,
        }
        self.stage(events, fingerprint);
    }

    fn mark(&mut self, batch: &SourceBatch, number: u64, progress: &mut SourceAnswer) {
        let mark = batch.mark_at(&self.ledger, number);
        if let Some(position) = self.stage(mark.into_iter().collect(), None) {
            progress.positions.insert(position.partition, position);
        }
    }

    /// Puts events into the draft and into the state, with the fingerprint they were decided with. The position of
    /// the first.
    fn stage(&mut self, events: Vec<Event>, fingerprint: Option<KeyFingerprint>) -> Option<Position> {
        let mut first = None;
        for event in events {
            let position = Position {
                partition: self.ledger.partition(),
                sequence: self.draft_sequence(),
                index: self.draft.next_index(),
            };
            self.ledger
                .evolve_decided(position, &event, fingerprint)
                .expect("what was decided against this state can happen in it");
            self.draft.push(self.ledger.time(), event);
            first = first.or(Some(position));
        }
        first
    }

    /// The event at a position that is not durable yet.
    fn staged(&self, position: Position) -> Option<&Event> {
        let in_draft = (position.sequence == self.draft_sequence())
            .then(|| self.draft.events().get(position.index as usize));
        in_draft.flatten().or_else(|| self.flight.as_ref()?.event_at(position))
    }

    fn draft_sequence(&self) -> u64 {
        self.flight.as_ref().map_or(self.chain.read, |flight| flight.commit().prefix.sequence) + 1
    }

    fn show(&self, id: &AccountId, changed: bool) -> Answer {
        match (self.check_owner(id), self.ledger.account(id)) {
            (Err(rejection), _) => Answer::Rejected(rejection),
            (_, None) => Answer::Rejected(Code::AccountUnknown.into()),
            (_, Some(account)) => {
                let account = AccountView::of(id, account);
                Answer::Account(Box::new(AccountAnswer { account, changed }))
            }
        }
    }

    /// Only the accounts of this partition's slots are decided here. Those that are open here are.
    fn check_owner(&self, account: &AccountId) -> Result<(), Rejection> {
        if self.ledger.account(account).is_some() {
            return Ok(());
        }
        let slots = self.ledger.slots().expect("a term is opened in a log that has its genesis");
        let partition = slots.route(account);
        if partition == self.ledger.partition() {
            return Ok(());
        }
        Err(Rejection { code: Code::WrongPartition, details: Details::Owner { partition } })
    }
}

fn check_deadline(now: Timestamp, deadline: Timestamp) -> Result<(), Code> {
    if deadline < now && !planted::on(Bug::DeadlineIgnored) {
        return Err(Code::DeadlinePassed);
    }
    if deadline.since(now) > DEADLINE_MAX {
        return Err(Code::DeadlineTooFar);
    }
    Ok(())
}
