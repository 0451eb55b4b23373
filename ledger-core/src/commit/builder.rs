//! Building a commit: events are encoded as they are decided, so that the size is known at every moment.

use bytes::Bytes;
use rmp::encode::{write_array_len, write_bin, write_map_len, write_sint, write_str, write_uint};
use serde::Serialize as _;
use serde_bytes::{ByteArray, ByteBuf};
use smol_str::SmolStr;

use super::table::Table;
use super::{Class, EncodedCommit, Hash, PREFIX_LEN, Prefix, VERSION, wire};
use crate::charge::{Charge, Item};
use crate::event::{CrossingReason, Debited, Declined, Event, Genesis, MoneyIn, SourceItem, Usage};
use crate::ids::{AccountId, Key, LogId, PartitionId, Sequence, TermNonce};
use crate::level::{Level, Line};
use crate::policy::{KEY_BUDGET, OnDecline};
use crate::sealed::Sealed;
use crate::time::Timestamp;

/// The oldest reader that understands what this event means.
fn min_reader(event: &Event) -> u16 {
    match event {
        Event::HorizonRaised(_) => 2,
        Event::ContainerSet(_) | Event::Paused(_) | Event::Resumed(_) => 3,
        Event::LifecycleStepped(_) | Event::NoticeStepped(_) | Event::CheckoutStepped(_) => 3,
        Event::SolvencyChecked(_) => 3,
        Event::Genesis(_) | Event::TermOpened(_) | Event::PolicySet(_) | Event::AccountOpened(_) => 1,
        Event::Granted(_) | Event::Deposited(_) | Event::Debited(_) | Event::Declined(_) => 1,
        Event::Crossed(_) | Event::AccountClosed(_) | Event::SourceMarked(_) => 1,
    }
}

/// What a commit says of itself beside its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The log.
    pub log: LogId,
    /// The partition.
    pub partition: PartitionId,
    /// The commit's own sequence.
    pub sequence: Sequence,
    /// The sequence of the last valid commit before it.
    pub previous: Sequence,
    /// And its hash.
    pub previous_hash: Hash,
    /// The term it is written in.
    pub term: TermNonce,
    /// Its time: never before that of the commit before.
    pub time: Timestamp,
}

/// Events on their way into one commit.
#[derive(Debug, Default)]
pub struct CommitBuilder {
    texts: Table<SmolStr>,
    accounts: Table<AccountId>,
    pub(super) events: Vec<u8>,
    count: u32,
    signal: bool,
    min_reader: u16,
}

impl CommitBuilder {
    /// How many events it holds: the index of the next.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// No event yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The size of the commit so far, in bytes, never too low.
    pub fn size(&self) -> usize {
        const FRAME: usize = PREFIX_LEN + 160;
        FRAME + self.events.len() + self.texts.size + self.accounts.size
    }

    /// Adds an event.
    pub fn push(&mut self, event: &Event) {
        let plain = matches!(event, Event::Debited(event) if self.write_plain_debit(event));
        if !plain {
            self.write_any(event);
        }
        self.count += 1;
        self.signal |= event.is_signal();
        self.min_reader = self.min_reader.max(min_reader(event));
    }

    pub(super) fn write_any(&mut self, event: &Event) {
        let wire = self.wire(event);
        let mut serializer = rmp_serde::Serializer::new(&mut self.events).with_struct_map();
        wire.serialize(&mut serializer).expect("writing to memory does not fail");
    }

    /// Makes the bytes. The builder stays as it is: when a foreign message took the place, the same events are
    /// sealed anew for the next one.
    pub fn seal(&self, head: &Head) -> EncodedCommit {
        let Head { log, partition, sequence, .. } = *head;
        let prefix = Prefix { log, partition, sequence, version: VERSION };
        let mut bytes = Vec::with_capacity(self.size());
        bytes.extend_from_slice(&prefix.to_bytes());
        self.write_body(&mut bytes, head).expect("writing to memory does not fail");
        let class = if self.signal { Class::Signal } else { Class::Usage };
        EncodedCommit::new(prefix, class, Bytes::from(bytes))
    }

    fn write_body(&self, out: &mut Vec<u8>, head: &Head) -> Result<(), rmp::encode::ValueWriteError> {
        write_map_len(out, 8)?;
        write_str(out, "r")?;
        write_uint(out, self.min_reader.max(1).into())?;
        write_str(out, "q")?;
        write_uint(out, head.previous)?;
        write_str(out, "h")?;
        write_bin(out, &head.previous_hash.0)?;
        write_str(out, "t")?;
        write_sint(out, head.time.0)?;
        write_str(out, "n")?;
        write_bin(out, &head.term.0)?;
        write_str(out, "s")?;
        write_array_len(out, self.texts.len())?;
        out.extend_from_slice(&self.texts.bytes);
        write_str(out, "u")?;
        write_array_len(out, self.accounts.len())?;
        out.extend_from_slice(&self.accounts.bytes);
        write_str(out, "e")?;
        write_array_len(out, self.count)?;
        out.extend_from_slice(&self.events);
        Ok(())
    }

    pub(super) fn text(&mut self, text: &str) -> u32 {
        self.texts.find(text, |known| known == text).unwrap_or_else(|hash| {
            write_str(&mut self.texts.bytes, text).expect("writing to memory does not fail");
            self.texts.add(hash, text.into(), text.len() + 5)
        })
    }

    pub(super) fn account(&mut self, account: &AccountId) -> u32 {
        self.accounts.find(account, |known| known == account).unwrap_or_else(|hash| {
            let app = self.text(account.app.as_str());
            self.write_account(app, account.user.as_str()).expect("writing to memory does not fail");
            self.accounts.add(hash, account.clone(), account.user.as_str().len() + 11)
        })
    }

    fn write_account(&mut self, app: u32, user: &str) -> Result<(), rmp::encode::ValueWriteError> {
        write_array_len(&mut self.accounts.bytes, 2)?;
        write_uint(&mut self.accounts.bytes, app.into())?;
        write_str(&mut self.accounts.bytes, user)
    }

    fn wire(&mut self, event: &Event) -> wire::Event {
        match event {
            Event::Genesis(event) => wire::Event::Genesis(genesis(event)),
            Event::TermOpened(event) => wire::Event::TermOpened(wire::TermOpened {
                nonce: ByteArray::new(event.nonce.0),
                head: event.head,
                program: event.program.as_str().to_owned(),
            }),
            Event::PolicySet(event) => wire::Event::PolicySet(wire::PolicySet {
                app: self.text(event.app.as_str()),
                number: event.number,
                fee_bps: event.policy.fee_bps,
                low_percent: event.policy.low_percent,
                on_decline: on_decline_number(event.policy.on_decline),
                key_window_hours: event.policy.key_window_hours,
                key_budget: Some(event.policy.key_budget).filter(|budget| *budget != KEY_BUDGET),
            }),
            Event::AccountOpened(event) => wire::Event::AccountOpened(wire::AccountOpened {
                account: self.account(&event.account),
                key: event.key.as_ref().map(key),
                initial_balance: event.initial_balance.credits(),
                level: level_number(event.level),
                actor: self.text(event.actor.as_str()),
                profile: event.profile.as_ref().map(sealed),
            }),
            Event::Granted(event) => wire::Event::Granted(self.money_in(event)),
            Event::Deposited(event) => wire::Event::Deposited(self.money_in(event)),
            Event::Debited(event) => wire::Event::Debited(self.debited(event)),
            Event::Declined(event) => wire::Event::Declined(self.declined(event)),
            Event::Crossed(event) => wire::Event::Crossed(wire::Crossed {
                account: self.account(&event.account),
                line: line_number(event.line),
                balance: event.balance.credits(),
                baseline: event.baseline.credits(),
                epoch: event.epoch,
                reason: reason_number(event.reason),
            }),
            Event::AccountClosed(event) => wire::Event::AccountClosed(wire::AccountClosed {
                account: self.account(&event.account),
                key: event.key.as_ref().map(key),
                balance: event.balance.credits(),
                actor: self.text(event.actor.as_str()),
            }),
            Event::SourceMarked(event) => wire::Event::SourceMarked(wire::SourceMarked {
                app: self.text(event.app.as_str()),
                source: self.text(event.source.as_str()),
                to: event.to,
                digest: ByteArray::new(event.digest.0),
            }),
            Event::HorizonRaised(event) => wire::Event::HorizonRaised(wire::HorizonRaised {
                app: self.text(event.app.as_str()),
                horizon: event.horizon.0,
            }),
            Event::ContainerSet(event) => wire::Event::ContainerSet(self.container_set(event)),
            Event::Paused(event) => wire::Event::Paused(self.paused(event)),
            Event::Resumed(event) => wire::Event::Resumed(self.resumed(event)),
            Event::LifecycleStepped(event) => wire::Event::LifecycleStepped(self.lifecycle_stepped(event)),
            Event::NoticeStepped(event) => wire::Event::NoticeStepped(self.notice_stepped(event)),
            Event::CheckoutStepped(event) => wire::Event::CheckoutStepped(self.checkout_stepped(event)),
            Event::SolvencyChecked(event) => wire::Event::SolvencyChecked(self.solvency_checked(event)),
        }
    }

    fn money_in(&mut self, event: &MoneyIn) -> wire::MoneyIn {
        wire::MoneyIn {
            account: self.account(&event.account),
            key: key(&event.key),
            amount: event.amount.credits(),
            lot: event.lot,
            priority: event.priority,
            balance: event.balance.credits(),
            baseline: event.baseline.credits(),
            level: level_number(event.level),
            epoch_started: event.epoch_started,
            wakes: event.wakes,
            actor: self.text(event.actor.as_str()),
            metadata: event.metadata.as_ref().map(sealed),
        }
    }

    fn debited(&mut self, event: &Debited) -> wire::Debited {
        let usage = &event.usage;
        let (lot, slices) = match event.slices.as_slice() {
            [only] => (Some(only.lot), vec![]),
            several => (None, several.iter().map(|slice| (slice.lot, slice.amount.credits())).collect()),
        };
        wire::Debited {
            account: self.account(&usage.account),
            key: usage.key.as_ref().map(key),
            item: self.source_item(usage),
            items: self.items(&usage.charge),
            meter: self.text(usage.meter.as_str()),
            scope: usage.scope.as_ref().map(|scope| self.text(scope.as_str())),
            occurred_at: usage.occurred_at.map(|at| at.0),
            metadata: usage.metadata.as_ref().map(sealed),
            charged: event.charged.credits(),
            fee: event.fee.credits(),
            lot,
            slices,
            balance: event.balance.credits(),
            level: level_number(event.level),
            epoch_started: event.epoch_started,
        }
    }

    fn declined(&mut self, event: &Declined) -> wire::Declined {
        let usage = &event.usage;
        wire::Declined {
            account: self.account(&usage.account),
            key: usage.key.as_ref().map(key),
            item: self.source_item(usage),
            amount: match &usage.charge {
                Charge::Amount(amount) => Some(amount.credits()),
                Charge::Items(_) => None,
            },
            items: self.items(&usage.charge),
            meter: self.text(usage.meter.as_str()),
            scope: usage.scope.as_ref().map(|scope| self.text(scope.as_str())),
            occurred_at: usage.occurred_at.map(|at| at.0),
            metadata: usage.metadata.as_ref().map(sealed),
            code: event.code.as_str().to_owned(),
            dusted: event.dusted,
            balance: event.balance.credits(),
        }
    }

    fn source_item(&mut self, usage: &Usage) -> Option<(u32, u64)> {
        let SourceItem { source, number } = usage.item.as_ref()?;
        Some((self.text(source.as_str()), *number))
    }

    fn items(&mut self, charge: &Charge) -> Option<Vec<wire::Item>> {
        let Charge::Items(items) = charge else { return None };
        let wire =
            |item: &Item| (self.text(item.name.as_str()), item.quantity.units(), item.unit_price.units());
        Some(items.iter().map(wire).collect())
    }
}

fn genesis(event: &Genesis) -> wire::Genesis {
    wire::Genesis {
        log: ByteArray::new(event.log.0),
        format: event.format,
        partitions: event.partitions,
        slots: event.slots.ranges().iter().map(|range| (range.first, range.partition.0)).collect(),
    }
}

pub(super) fn key(key: &Key) -> wire::Key {
    key.uuid().map_or_else(|| wire::Key::Text(key.to_string()), |uuid| wire::Key::Uuid(*uuid))
}

pub(super) fn sealed(sealed: &Sealed) -> wire::Sealed {
    wire::Sealed(sealed.key_id, ByteBuf::from(sealed.bytes.to_vec()))
}

/// Healthy is 0, so that the usual case costs nothing.
pub(super) fn level_number(level: Level) -> u8 {
    match level {
        Level::Healthy => 0,
        Level::Low => 1,
        Level::Exhausted => 2,
    }
}

fn line_number(line: Line) -> u8 {
    match line {
        Line::Low => 1,
        Line::Exhausted => 2,
    }
}

fn reason_number(reason: CrossingReason) -> u8 {
    match reason {
        CrossingReason::Debit => 1,
        CrossingReason::Decline => 2,
        CrossingReason::Policy => 3,
    }
}

fn on_decline_number(on_decline: OnDecline) -> u8 {
    match on_decline {
        OnDecline::Dust => 1,
        OnDecline::Exhaust => 2,
        OnDecline::Ignore => 3,
    }
}
