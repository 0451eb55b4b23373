//! Mails: what makes one due, and that it is sent once.

use super::Teller;
use super::container::{Container, check_hold, is_to_run};
use crate::fold::Account;
use crate::violation::{Broken, Check, Rule, equal, holds};
use crate::wire::{Level, Line, Mail, NoticeTold};

/// The newest mail of each kind, and older ones that a worker began to send and that have not ended.
#[derive(Debug, Default)]
pub(super) struct Mails(Vec<Mailing>);

/// A mail: a kind and an epoch.
#[derive(Debug)]
pub(super) struct Mailing {
    kind: Mail,
    epoch: u32,
    /// The last step. None: not known.
    steps: Option<u32>,
    state: State,
    /// A worker began to send it: a provider may have taken it.
    begun: bool,
    /// A claim told its text: all attempts send the same.
    has_text: bool,
}

#[derive(Debug)]
enum State {
    /// It is to be sent; of one that was met in the middle perhaps more than that.
    Due,
    /// A worker sends it, and until then no other one does.
    Sending { worker: String, until: i64 },
    /// An attempt failed; not before then there is another.
    Retrying { retry_at: i64 },
    /// Nothing happens to it any more.
    Ended(&'static str),
}

/// The mail that tells of a line.
pub(crate) fn mail_of(line: Line) -> Mail {
    match line {
        Line::Low => Mail::LowCredit,
        Line::Exhausted => Mail::Paused,
    }
}

impl Mails {
    /// A mail of this kind belongs to the epoch from now on. One that belongs to it already stays as it is; an older one
    /// that nobody began to send is not sent any more.
    pub(super) fn due(&mut self, kind: Mail, epoch: u32) {
        if self.place(kind, epoch).is_none() {
            self.0.retain(|mail| mail.kind != kind || mail.is_under_way());
            self.0.push(Mailing::new(kind, epoch, Some(0)));
        }
    }

    /// The user was to hear of a sleep.
    pub(super) fn told_of_sleep(&self) -> bool {
        self.0.iter().any(|mail| mail.kind == Mail::Paused)
    }

    /// The mail of a kind and an epoch. Of an account that is not known it may be met here.
    pub(super) fn of(&mut self, kind: Mail, epoch: u32, known: bool) -> Result<&mut Mailing, Broken> {
        let place = match self.place(kind, epoch) {
            None if !known => {
                self.0.push(Mailing { begun: true, ..Mailing::new(kind, epoch, None) });
                self.0.len() - 1
            }
            None => return Err(self.none_of(kind, epoch)),
            Some(place) => place,
        };
        Ok(&mut self.0[place])
    }

    /// One that ended makes room for a newer one of its kind.
    pub(super) fn forget_ended(&mut self, kind: Mail) {
        let newest = self.0.iter().filter(|mail| mail.kind == kind).map(|mail| mail.epoch).max();
        self.0.retain(|mail| mail.kind != kind || Some(mail.epoch) == newest || mail.is_under_way());
    }

    fn place(&self, kind: Mail, epoch: u32) -> Option<usize> {
        self.0.iter().position(|mail| (mail.kind, mail.epoch) == (kind, epoch))
    }

    fn none_of(&self, kind: Mail, epoch: u32) -> Broken {
        let epochs = self.0.iter().filter(|mail| mail.kind == kind).map(|mail| mail.epoch.to_string());
        let epochs: Vec<String> = epochs.collect();
        let due = match &epochs[..] {
            [] => "none".to_owned(),
            [epoch] => format!("that of epoch {epoch}"),
            several => format!("those of epochs {}", several.join(" and ")),
        };
        Broken::new(
            Rule::Mails,
            format!("of the mails {} {due}", kind.word()),
            format!("one of epoch {epoch}"),
        )
    }
}

impl Mailing {
    fn new(kind: Mail, epoch: u32, steps: Option<u32>) -> Self {
        Self { kind, epoch, steps, state: State::Due, begun: false, has_text: false }
    }

    /// A worker began to send it, and it has not ended: a provider may have taken it, so it is seen to its end.
    fn is_under_way(&self) -> bool {
        self.begun && !matches!(self.state, State::Ended(_))
    }

    /// The next step.
    pub(super) fn step(
        &mut self,
        account: &Account,
        container: Option<&Container>,
        teller: Teller<'_>,
        told: &NoticeTold<'_>,
    ) -> Check {
        if let State::Ended(end) = self.state {
            let found = || "a step behind it".to_owned();
            return holds(Rule::Mails, false, format_args!("the end of a mail that was {end}"), found);
        }
        let number = self.steps.map_or(teller.number, |steps| steps.saturating_add(1));
        equal(Rule::Mails, "step number", &number, &teller.number)?;
        self.is_its_teller(teller, told)?;
        match told {
            NoticeTold::Claimed { until, has_mail } => {
                self.may_claim(account, container, teller, *until)?;
                let told_anew = *has_mail && self.has_text;
                holds(Rule::Mails, !told_anew, "one text of a mail", || "another one".to_owned())?;
            }
            NoticeTold::Sent { .. } | NoticeTold::Failed { .. } => self.is_sending()?,
            NoticeTold::Superseded => self.is_over(account)?,
            NoticeTold::Abandoned { .. } => {}
        }
        self.steps = Some(teller.number);
        self.take(teller, told);
        Ok(())
    }

    fn take(&mut self, teller: Teller<'_>, told: &NoticeTold<'_>) {
        self.state = match told {
            NoticeTold::Claimed { until, has_mail } => {
                (self.begun, self.has_text) = (true, self.has_text || *has_mail);
                State::Sending { worker: teller.worker.to_owned(), until: *until }
            }
            NoticeTold::Sent { .. } => State::Ended("sent"),
            NoticeTold::Failed { retry_at, .. } => State::Retrying { retry_at: *retry_at },
            NoticeTold::Abandoned { .. } => State::Ended("abandoned"),
            NoticeTold::Superseded => State::Ended("superseded"),
        };
    }

    /// What became of an attempt is told by whoever made it, as long as its claim lives.
    fn is_its_teller(&self, teller: Teller<'_>, told: &NoticeTold<'_>) -> Check {
        let State::Sending { worker, until } = &self.state else { return Ok(()) };
        let over = *until <= teller.time || matches!(told, NoticeTold::Claimed { .. });
        let its = over || worker == teller.worker;
        holds(Rule::Mails, its, format_args!("what became of the attempt of {worker}"), || {
            format!("the word of {}", teller.worker)
        })
    }

    /// One worker at a time, not before its time, and nothing that is not true any more, or not yet.
    fn may_claim(
        &self,
        account: &Account,
        container: Option<&Container>,
        Teller { worker, time, .. }: Teller<'_>,
        until: i64,
    ) -> Check {
        if let State::Sending { worker: other, until } = &self.state {
            holds(
                Rule::Mails,
                other == worker || *until <= time,
                "no claim while another worker sends it",
                || format!("one at {time}, {other} sending it until {until} (µs since 1970)"),
            )?;
        }
        if let State::Retrying { retry_at } = self.state {
            holds(Rule::Mails, retry_at <= time, "no attempt before its time", || {
                format!("one at {time}, before {retry_at} (µs since 1970)")
            })?;
        }
        check_hold(Rule::Mails, time, until)?;
        if !account.known {
            return Ok(());
        }
        let told = || "a claim of one that is not".to_owned();
        holds(Rule::Mails, self.begun || self.is_true(account), "a mail that is true", told)?;
        let runs = container.is_none_or(|container| container.runs() || !container.is_known());
        let its_time = self.begun || self.kind != Mail::Restored || (is_to_run(account) && runs);
        holds(Rule::Mails, its_time, "a mail of a wake to wait for the container", || {
            "a claim before it runs".to_owned()
        })
    }

    /// What it says is so now.
    fn is_true(&self, account: &Account) -> bool {
        let of_now = !account.closed && self.epoch == account.epoch;
        of_now
            && match self.kind {
                Mail::LowCredit => account.level == Level::Low,
                Mail::Paused => account.level == Level::Exhausted,
                Mail::Restored => account.level < Level::Exhausted && !account.paused,
                Mail::PlanSuggestion => true,
            }
    }

    fn is_sending(&self) -> Check {
        let sending = matches!(self.state, State::Sending { .. }) || self.steps.is_none();
        holds(Rule::Mails, sending, "the outcome of an attempt that was begun", || "that of none".to_owned())
    }

    fn is_over(&self, account: &Account) -> Check {
        let over = !account.known || !self.is_true(account);
        holds(Rule::Mails, over, "a mail that is true to be sent", || "it superseded".to_owned())
    }
}
