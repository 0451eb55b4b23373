//! Reading a commit: every byte is checked, nothing panics, and old versions are read for ever.

use std::sync::Arc;

use bytes::Bytes;

use super::{Hash, PREFIX_LEN, Prefix, READER, VERSION, straight, wire};
use crate::charge::{Charge, Item, Quantity, UnitPrice};
use crate::event::{
    AccountClosed, AccountOpened, Crossed, CrossingReason, Debited, Declined, Event, Genesis, HorizonRaised,
    MoneyIn, PolicySet, Slice, Slices, SourceItem, SourceMarked, TermOpened, Usage,
};
use crate::ids::{
    AccountId, AppId, InvalidName, Key, LogId, Meter, PartitionId, Position, Sequence, TermNonce, UserId,
};
use crate::level::{Level, Line};
use crate::money::Usdc;
use crate::policy::{KEY_BUDGET, OnDecline, Policy};
use crate::rejection::Code;
use crate::sealed::Sealed;
use crate::slots::{SlotMap, SlotRange};
use crate::time::Timestamp;

/// A commit as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its first bytes.
    pub prefix: Prefix,
    /// The SHA-256 of its bytes.
    pub hash: Hash,
    /// The sequence of the last valid commit before it.
    pub previous: Sequence,
    /// And its hash.
    pub previous_hash: Hash,
    /// The term it was written in.
    pub term: TermNonce,
    /// Its time.
    pub time: Timestamp,
    /// What happened.
    pub events: Arc<[Event]>,
}

/// Bytes that are not a commit this program can read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// They do not begin as a commit does.
    #[error("does not begin with the prefix of a commit")]
    NoPrefix,
    /// They were written by a newer program.
    #[error("needs a program that reads format {0}; this one reads up to {READER}: upgrade it")]
    TooNew(u16),
    /// They are not the MessagePack of a body.
    #[error("is not readable: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
    /// A value that no writer writes.
    #[error("holds an impossible {0}")]
    Impossible(&'static str),
}

impl From<InvalidName> for DecodeError {
    fn from(invalid: InvalidName) -> Self {
        Self::Impossible(invalid.what)
    }
}

impl Commit {
    /// Reads the exact bytes of a commit.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let prefix = Prefix::read(bytes).ok_or(DecodeError::NoPrefix)?;
        let body = bytes.get(PREFIX_LEN..).unwrap_or_default();
        let contents = match straight::read(prefix.version, body) {
            Some(contents) => contents,
            None => read_contents(prefix.version, body)?,
        };
        let Contents { previous, previous_hash, term, time, events } = contents;
        let (hash, events) = (Hash::of(bytes), events.into());
        Ok(Self { prefix, hash, previous, previous_hash, term, time, events })
    }

    /// Its events with their positions.
    pub fn positioned(&self) -> impl Iterator<Item = (Position, &Event)> {
        let Prefix { partition, sequence, .. } = self.prefix;
        (0..)
            .zip(self.events.iter())
            .map(move |(index, event)| (Position { partition, sequence, index }, event))
    }
}

/// What a body says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) previous: Sequence,
    pub(super) previous_hash: Hash,
    pub(super) term: TermNonce,
    pub(super) time: Timestamp,
    pub(super) events: Vec<Event>,
}

/// Reads any body, however its fields stand.
pub(super) fn read_contents(version: u16, bytes: &[u8]) -> Result<Contents, DecodeError> {
    let body = read_body(version, bytes)?;
    let texts = body.texts.iter().map(String::as_str).collect();
    let mut tables = Tables::read(texts, body.accounts.iter().map(|(app, user)| (*app, user.as_str())))?;
    Ok(Contents {
        previous: body.previous,
        previous_hash: Hash(body.previous_hash.into_array()),
        term: TermNonce(body.term.into_array()),
        time: Timestamp(body.time),
        events: body.events.into_iter().map(|event| tables.event(event)).collect::<Result<_, _>>()?,
    })
}

/// What can not be read is asked for the reader it needs, so that an old program says that it is too old instead of
/// calling damaged what it does not know.
fn read_body(version: u16, bytes: &[u8]) -> Result<wire::Body, DecodeError> {
    let body = wire::read::<wire::Body>(bytes);
    let oldest_reader = match &body {
        Ok(body) => body.min_reader,
        Err(_) => wire::read::<wire::OldestReader>(bytes).map_or(0, |body| body.min_reader),
    };
    match oldest_reader {
        needed if needed > READER => Err(DecodeError::TooNew(needed)),
        _ if version > VERSION => Err(DecodeError::TooNew(version)),
        _ if version == 0 => Err(DecodeError::Impossible("version")),
        _ => Ok(body?),
    }
}

/// The texts and accounts that the events of one commit point at.
pub(super) struct Tables<'a> {
    texts: Vec<&'a str>,
    accounts: Vec<AccountId>,
    /// The one that was asked for last: most commits name few.
    meter: Option<(u32, Meter)>,
}

impl<'a> Tables<'a> {
    pub(super) fn read(
        texts: Vec<&'a str>,
        accounts: impl IntoIterator<Item = (u32, &'a str), IntoIter: ExactSizeIterator>,
    ) -> Result<Self, DecodeError> {
        let accounts = accounts.into_iter();
        let mut tables = Self { texts, accounts: Vec::with_capacity(accounts.len()), meter: None };
        let mut app: Option<(u32, AppId)> = None;
        for (app_index, user) in accounts {
            let known = app.take().filter(|(index, _)| *index == app_index);
            let (_, id) =
                app.insert(known.map_or_else(|| tables.app(app_index).map(|id| (app_index, id)), Ok)?);
            let account = AccountId { app: id.clone(), user: UserId::new(user)? };
            tables.accounts.push(account);
        }
        Ok(tables)
    }

    fn text(&self, index: u32) -> Result<&str, DecodeError> {
        self.texts.get(index as usize).copied().ok_or(DecodeError::Impossible("text index"))
    }

    fn app(&self, index: u32) -> Result<AppId, DecodeError> {
        Ok(AppId::new(self.text(index)?)?)
    }

    pub(super) fn name<T: std::str::FromStr<Err = InvalidName>>(&self, index: u32) -> Result<T, DecodeError> {
        Ok(self.text(index)?.parse()?)
    }

    pub(super) fn meter(&mut self, index: u32) -> Result<Meter, DecodeError> {
        if let Some((_, meter)) = self.meter.as_ref().filter(|(last, _)| *last == index) {
            return Ok(meter.clone());
        }
        let meter: Meter = self.name(index)?;
        self.meter = Some((index, meter.clone()));
        Ok(meter)
    }

    pub(super) fn account(&self, index: u32) -> Result<AccountId, DecodeError> {
        self.accounts.get(index as usize).cloned().ok_or(DecodeError::Impossible("account index"))
    }

    pub(super) fn event(&mut self, event: wire::Event) -> Result<Event, DecodeError> {
        Ok(match event {
            wire::Event::Genesis(event) => Event::Genesis(genesis(event)?),
            wire::Event::TermOpened(event) => Event::TermOpened(TermOpened {
                nonce: TermNonce(event.nonce.into_array()),
                head: event.head,
                program: event.program.parse()?,
            }),
            wire::Event::PolicySet(event) => Event::PolicySet(self.policy_set(&event)?),
            wire::Event::AccountOpened(event) => Event::AccountOpened(AccountOpened {
                account: self.account(event.account)?,
                key: event.key.as_ref().map(key).transpose()?,
                initial_balance: amount(event.initial_balance)?,
                level: level(event.level)?,
                actor: self.name(event.actor)?,
                profile: event.profile.map(sealed),
            }),
            wire::Event::Granted(event) => Event::Granted(self.money_in(event)?),
            wire::Event::Deposited(event) => Event::Deposited(self.money_in(event)?),
            wire::Event::Debited(event) => Event::Debited(self.debited(event)?),
            wire::Event::Declined(event) => Event::Declined(self.declined(event)?),
            wire::Event::Crossed(event) => Event::Crossed(self.crossed(&event)?),
            wire::Event::AccountClosed(event) => Event::AccountClosed(AccountClosed {
                account: self.account(event.account)?,
                key: event.key.as_ref().map(key).transpose()?,
                balance: amount(event.balance)?,
                actor: self.name(event.actor)?,
            }),
            wire::Event::SourceMarked(event) => Event::SourceMarked(SourceMarked {
                app: self.app(event.app)?,
                source: self.name(event.source)?,
                to: event.to,
                digest: Hash(event.digest.into_array()),
            }),
            wire::Event::HorizonRaised(event) => Event::HorizonRaised(HorizonRaised {
                app: self.app(event.app)?,
                horizon: Timestamp(event.horizon),
            }),
            wire::Event::ContainerSet(event) => Event::ContainerSet(self.container_set(event)?),
            wire::Event::Paused(event) => Event::Paused(self.paused(&event)?),
            wire::Event::Resumed(event) => Event::Resumed(self.resumed(&event)?),
            wire::Event::LifecycleStepped(event) => Event::LifecycleStepped(self.lifecycle_stepped(event)?),
            wire::Event::NoticeStepped(event) => Event::NoticeStepped(self.notice_stepped(event)?),
            wire::Event::CheckoutStepped(event) => Event::CheckoutStepped(self.checkout_stepped(event)?),
            wire::Event::SolvencyChecked(event) => Event::SolvencyChecked(self.solvency_checked(event)?),
        })
    }

    fn policy_set(&self, event: &wire::PolicySet) -> Result<PolicySet, DecodeError> {
        let policy = Policy {
            fee_bps: event.fee_bps,
            low_percent: event.low_percent,
            on_decline: match event.on_decline {
                1 => OnDecline::Dust,
                2 => OnDecline::Exhaust,
                3 => OnDecline::Ignore,
                _ => return Err(DecodeError::Impossible("on_decline")),
            },
            key_window_hours: event.key_window_hours,
            key_budget: event.key_budget.unwrap_or(KEY_BUDGET),
        };
        policy.check().map_err(|invalid| DecodeError::Impossible(invalid.field))?;
        Ok(PolicySet { app: self.app(event.app)?, number: event.number, policy })
    }

    fn money_in(&self, event: wire::MoneyIn) -> Result<MoneyIn, DecodeError> {
        Ok(MoneyIn {
            account: self.account(event.account)?,
            key: key(&event.key)?,
            amount: amount(event.amount)?,
            lot: event.lot,
            priority: event.priority,
            balance: amount(event.balance)?,
            baseline: amount(event.baseline)?,
            level: level(event.level)?,
            epoch_started: event.epoch_started,
            wakes: event.wakes,
            actor: self.name(event.actor)?,
            metadata: event.metadata.map(sealed),
        })
    }

    fn debited(&mut self, event: wire::Debited) -> Result<Debited, DecodeError> {
        let charged = amount(event.charged)?;
        let slices = match event.lot {
            Some(lot) if event.slices.is_empty() => Slices::from_elem(Slice { lot, amount: charged }, 1),
            Some(_) => return Err(DecodeError::Impossible("slices")),
            None => event
                .slices
                .iter()
                .map(|(lot, taken)| Ok(Slice { lot: *lot, amount: amount(*taken)? }))
                .collect::<Result<_, DecodeError>>()?,
        };
        let charge = match event.items {
            Some(items) => self.items(&items)?,
            None => Charge::Amount(charged),
        };
        let usage = Usage {
            account: self.account(event.account)?,
            key: event.key.as_ref().map(key).transpose()?,
            item: self.source_item(event.item)?,
            charge,
            meter: self.meter(event.meter)?,
            scope: event.scope.map(|scope| self.name(scope)).transpose()?,
            occurred_at: event.occurred_at.map(Timestamp),
            metadata: event.metadata.map(sealed),
        };
        Ok(Debited {
            usage,
            charged,
            fee: amount(event.fee)?,
            slices,
            balance: amount(event.balance)?,
            level: level(event.level)?,
            epoch_started: event.epoch_started,
        })
    }

    fn declined(&mut self, event: wire::Declined) -> Result<Declined, DecodeError> {
        let charge = match (event.items, event.amount) {
            (Some(items), None) => self.items(&items)?,
            (None, Some(credits)) => Charge::Amount(Usdc::from_credits(credits)),
            _ => return Err(DecodeError::Impossible("charge")),
        };
        let usage = Usage {
            account: self.account(event.account)?,
            key: event.key.as_ref().map(key).transpose()?,
            item: self.source_item(event.item)?,
            charge,
            meter: self.meter(event.meter)?,
            scope: event.scope.map(|scope| self.name(scope)).transpose()?,
            occurred_at: event.occurred_at.map(Timestamp),
            metadata: event.metadata.map(sealed),
        };
        let code: Code = event.code.parse().map_err(|()| DecodeError::Impossible("rejection code"))?;
        Ok(Declined { usage, code, dusted: event.dusted, balance: amount(event.balance)? })
    }

    fn crossed(&self, event: &wire::Crossed) -> Result<Crossed, DecodeError> {
        Ok(Crossed {
            account: self.account(event.account)?,
            line: match event.line {
                1 => Line::Low,
                2 => Line::Exhausted,
                _ => return Err(DecodeError::Impossible("line")),
            },
            balance: amount(event.balance)?,
            baseline: amount(event.baseline)?,
            epoch: event.epoch,
            reason: match event.reason {
                1 => CrossingReason::Debit,
                2 => CrossingReason::Decline,
                3 => CrossingReason::Policy,
                _ => return Err(DecodeError::Impossible("crossing reason")),
            },
        })
    }

    fn source_item(&self, item: Option<(u32, u64)>) -> Result<Option<SourceItem>, DecodeError> {
        item.map(|(source, number)| Ok(SourceItem { source: self.name(source)?, number })).transpose()
    }

    fn items(&self, items: &[wire::Item]) -> Result<Charge, DecodeError> {
        let item = |(name, quantity, unit_price): &wire::Item| {
            Ok(Item {
                name: self.name(*name)?,
                quantity: Quantity::from_units(*quantity).ok_or(DecodeError::Impossible("quantity"))?,
                unit_price: UnitPrice::from_units(*unit_price)
                    .ok_or(DecodeError::Impossible("unit price"))?,
            })
        };
        items.iter().map(item).collect::<Result<_, _>>().map(Charge::Items)
    }
}

fn genesis(event: wire::Genesis) -> Result<Genesis, DecodeError> {
    let range = |(first, partition)| SlotRange { first, partition: PartitionId(partition) };
    let ranges: Vec<_> = event.slots.into_iter().map(range).collect();
    if ranges.iter().any(|range| range.partition.0 >= event.partitions) {
        return Err(DecodeError::Impossible("slot map"));
    }
    Ok(Genesis {
        log: LogId(event.log.into_array()),
        format: event.format,
        partitions: event.partitions,
        slots: SlotMap::from_ranges(ranges).ok_or(DecodeError::Impossible("slot map"))?,
    })
}

/// Amounts in a log are never negative and stay within the range in which sums do not overflow.
pub(super) fn amount(credits: i64) -> Result<Usdc, DecodeError> {
    let amount = Usdc::from_credits(credits);
    let in_range = (Usdc::ZERO..=crate::money::BALANCE_MAX).contains(&amount);
    if in_range { Ok(amount) } else { Err(DecodeError::Impossible("amount")) }
}

pub(super) fn key(key: &wire::Key) -> Result<Key, DecodeError> {
    match key {
        wire::Key::Uuid(bytes) => Ok(Key::of_uuid(*bytes)),
        wire::Key::Text(text) => Ok(Key::new(text)?),
    }
}

pub(super) fn sealed(sealed: wire::Sealed) -> Sealed {
    Sealed { key_id: sealed.0, bytes: Bytes::from(sealed.1.into_vec()) }
}

pub(super) fn level(number: u8) -> Result<Level, DecodeError> {
    match number {
        0 => Ok(Level::Healthy),
        1 => Ok(Level::Low),
        2 => Ok(Level::Exhausted),
        _ => Err(DecodeError::Impossible("level")),
    }
}
