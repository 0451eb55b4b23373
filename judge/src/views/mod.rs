//! What the views must hold: their rows as the log tells them, each as one line of JSON.
//!
//! The lines are the canonical form: a JSON array of the row's columns in the order of the table, numbers in decimal,
//! times in microseconds since 1970, truths as `true` and `false`. Both stores of views can be read in the same form.

mod rows;
mod upkeep;

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::agent_log::agent_line;
use crate::fold::Fold;
use crate::journal::journal_line;
use crate::line::{Line, storable};
use crate::position::Position;
use crate::violation::Violation;
use crate::wire::{Commit, Event, Sealed};
use upkeep::Upkeep;

pub use rows::{checkouts, containers, notices, solvency};

const HOUR: i64 = 3_600_000_000;

/// One partition of a log with what its views must hold.
///
/// The journal and the log for people are handed out row by row; the rest is kept in memory: about 300 bytes an account
/// beside its id, 40 a lot, 60 a row of hourly usage, 700 a container, 300 a mail, 500 a checkout session, and the lines
/// of solvency.
#[derive(Debug)]
pub struct Views {
    fold: Fold,
    usage: HashMap<(u32, u32, i64), Used, RandomState>,
    meters: HashMap<Box<str>, u32, RandomState>,
    profiles: HashMap<u32, Profile, RandomState>,
    upkeep: Upkeep,
}

/// The tables whose rows are handed out commit by commit: they grow with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// `journal`.
    Journal,
    /// `agent_log`.
    AgentLog,
}

/// Usage of one account and meter in one hour.
#[derive(Debug, Default, Clone, Copy)]
struct Used {
    count: u64,
    charged: i128,
    fees: i128,
}

/// What was said of a user at the opening.
#[derive(Debug, Default)]
struct Profile {
    email: Option<String>,
    metadata: Option<String>,
}

impl Views {
    /// With a fold that has begun nothing yet.
    pub fn new(fold: Fold) -> Self {
        let (usage, meters, profiles) = (HashMap::default(), HashMap::default(), HashMap::default());
        Self { fold, usage, meters, profiles, upkeep: Upkeep::default() }
    }

    /// The fold.
    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// The fold, to go on without views.
    pub fn into_fold(self) -> Fold {
        self.fold
    }

    /// Steps over a message that is no commit of this log.
    ///
    /// Errors: something is missing before it.
    pub fn foreign(&mut self, sequence: u64) -> Result<(), Violation> {
        self.fold.foreign(sequence)
    }

    /// Judges the commit that stands at this sequence, and hands out its rows of the journal.
    ///
    /// Errors: the first rule it breaks; the views are then of no use any more.
    pub fn commit(
        &mut self,
        sequence: u64,
        bytes: &[u8],
        mut journal: impl FnMut(Position, String),
    ) -> Result<(), Violation> {
        self.commit_beside(sequence, bytes, |table, position, line| {
            if table == Beside::Journal {
                journal(position, line);
            }
        })
    }

    /// The same, handing out the rows of all tables that are read beside the log.
    ///
    /// Errors: the first rule it breaks; the views are then of no use any more.
    pub fn commit_beside(
        &mut self,
        sequence: u64,
        bytes: &[u8],
        mut rows: impl FnMut(Beside, Position, String),
    ) -> Result<(), Violation> {
        let commit = self.fold.read(sequence, bytes)?;
        self.fold.accept(sequence, &commit)?;
        let number = |(app, user): &(usize, &str)| self.fold.number(commit.body.texts[*app], user);
        let numbers: Vec<_> = commit.body.accounts.iter().map(number).collect();
        for (index, event) in (0..).zip(&commit.body.events) {
            let position = Position { partition: commit.partition, sequence, index };
            self.take(&commit, &numbers, event);
            self.upkeep.take(&commit, position, &numbers, event);
            let lines = [
                (Beside::Journal, journal_line(&commit, index, event)),
                (Beside::AgentLog, agent_line(&commit, index, event)),
            ];
            let lines = lines.into_iter().filter_map(|(table, line)| Some((table, line?)));
            lines.for_each(|(table, line)| rows(table, position, line));
        }
        Ok(())
    }

    fn take(&mut self, commit: &Commit<'_>, numbers: &[Option<u32>], event: &Event<'_>) {
        match event {
            Event::Debited(event) => {
                let Some(account) = numbers[event.account] else { return };
                let time = storable(event.occurred_at.unwrap_or(commit.body.time));
                let meter = self.meter(commit.body.texts[event.meter]);
                let used = self.usage.entry((account, meter, time.div_euclid(HOUR) * HOUR)).or_default();
                used.count += 1;
                used.charged += i128::from(event.charged);
                used.fees += i128::from(event.fee);
            }
            Event::AccountOpened(event) => {
                if let (Some(account), Some(sealed)) = (numbers[event.account], event.profile) {
                    self.profiles.insert(account, profile(sealed));
                }
            }
            _ => {}
        }
    }

    fn meter(&mut self, name: &str) -> u32 {
        let next = u32::try_from(self.meters.len()).expect("fewer meters than events");
        match self.meters.get(name) {
            Some(meter) => *meter,
            None => *self.meters.entry(name.into()).or_insert(next),
        }
    }
}

/// The rows of `accounts`, of all partitions, in order. The balance is absent where a fold that began in the middle has
/// not seen it.
pub fn accounts(partitions: &[Views]) -> impl Iterator<Item = String> {
    sorted_accounts(partitions).map(|(app, user, views, number)| {
        let account = views.fold.account(number);
        let profile = views.profiles.get(&number);
        let partition = views.fold.chain().partition;
        Line::default()
            .text(app)
            .text(user)
            .opt_number(account.balance_known.then_some(account.balance))
            .number(account.baseline)
            .text(account.level.word())
            .number(account.epoch)
            .flag(account.dusted)
            .flag(account.closed)
            .number(account.carry)
            .total(account.deposited)
            .total(account.granted)
            .total(account.charged)
            .total(account.fees)
            .opt_text(profile.and_then(|profile| profile.email.as_deref()))
            .opt_text(profile.and_then(|profile| profile.metadata.as_deref()))
            .time(account.opened_at)
            .number(partition)
            .number(account.opened.0)
            .number(account.opened.1)
            .number(partition)
            .number(account.last.0)
            .number(account.last.1)
            .flag(account.paused)
            .flag(account.forced)
            .done()
    })
}

/// The rows of `lots`, of all partitions, in order.
pub fn lots(partitions: &[Views]) -> impl Iterator<Item = String> {
    sorted_accounts(partitions).flat_map(|(app, user, views, number)| {
        let lots = (1..).zip(&views.fold.account(number).lots);
        let lots = lots.map(move |(lot, made): (u32, _)| {
            Line::default()
                .text(app)
                .text(user)
                .number(lot)
                .text(if made.paid { "paid" } else { "promo" })
                .number(made.priority)
                .number(views.fold.chain().partition)
                .number(made.made.0)
                .number(made.made.1)
                .number(made.amount)
                .number(made.left)
                .done()
        });
        lots.collect::<Vec<_>>()
    })
}

/// The rows of `usage_hours`, of all partitions, in order.
pub fn usage_hours(partitions: &[Views]) -> impl Iterator<Item = String> {
    let mut rows = Vec::new();
    for views in partitions {
        let mut meters = vec![""; views.meters.len()];
        views.meters.iter().for_each(|(name, meter)| meters[*meter as usize] = name);
        let mut names = vec![("", ""); views.fold.names().count()];
        views.fold.names().for_each(|(name, number)| names[number as usize] = name);
        let row = |(&(account, meter, hour), used): (&(u32, u32, i64), &Used)| {
            let (app, user) = names[account as usize];
            (app, user, meters[meter as usize], hour, *used)
        };
        rows.extend(views.usage.iter().map(row));
    }
    rows.sort_unstable_by_key(|(app, user, meter, hour, _)| (*app, *user, *meter, *hour));
    rows.into_iter().map(|(app, user, meter, hour, used)| {
        let line = Line::default().text(app).text(user).text(meter).number(hour);
        line.number(used.count).total(used.charged).total(used.fees).done()
    })
}

/// The rows of `sources`, of all partitions, in order.
pub fn sources(partitions: &[Views]) -> impl Iterator<Item = String> {
    let of = |views| {
        let partition = Views::fold(views).chain().partition;
        Views::fold(views).sources().map(move |((app, source), known)| (app, source, partition, known))
    };
    let mut rows: Vec<_> = partitions.iter().flat_map(of).collect();
    rows.sort_unstable_by_key(|(app, source, partition, _)| (*app, *source, *partition));
    rows.into_iter().map(|(app, source, partition, known)| {
        let line = Line::default().text(app).text(source).number(partition).number(known.to);
        line.text(&hex::encode(known.digest))
            .number(known.debits)
            .total(known.charged)
            .number(known.declined)
            .done()
    })
}

/// The rows of `chain_positions`, in order; none of a partition of which nothing was read.
pub fn chain_positions(partitions: &[Views], log: [u8; 16]) -> impl Iterator<Item = String> {
    let read = partitions.iter().map(Views::fold).filter(|fold| fold.chain().read > 0);
    read.map(move |fold| {
        let chain = fold.chain();
        Line::default()
            .text(&hex::encode(log))
            .number(chain.partition)
            .number(chain.read)
            .number(chain.sequence)
            .text(&hex::encode(chain.hash))
            .time(chain.time)
            .text(&hex::encode(chain.term))
            .number(fold.totals().foreign)
            .done()
    })
}

/// App, user, and where the account is.
type Named<'a> = (&'a str, &'a str, &'a Views, u32);

fn sorted_accounts(partitions: &[Views]) -> impl Iterator<Item = Named<'_>> {
    let mut all: Vec<_> = partitions.iter().flat_map(named_accounts).collect();
    all.sort_unstable_by_key(|(app, user, ..)| (*app, *user));
    all.into_iter()
}

fn named_accounts(views: &Views) -> impl Iterator<Item = Named<'_>> {
    views.fold.names().map(move |((app, user), number)| (app, user, views, number))
}

/// E-mail and metadata of a profile; nothing of one that is encrypted. A text of a view can not hold a NUL.
fn profile((key_id, bytes): Sealed<'_>) -> Profile {
    #[derive(Deserialize)]
    struct Given<'a> {
        email: Option<String>,
        #[serde(borrow)]
        metadata: Option<&'a RawValue>,
    }
    let text = std::str::from_utf8(bytes).ok().filter(|_| key_id == 0);
    let given = text.and_then(|text| serde_json::from_str::<Given<'_>>(text).ok());
    given.map_or_else(Profile::default, |given| Profile {
        email: given.email.map(|email| email.replace('\0', "\u{fffd}")),
        metadata: given.metadata.map(|json| json.get().to_owned()),
    })
}

#[cfg(test)]
mod tests;
