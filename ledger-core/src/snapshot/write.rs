//! The state as bytes. What is unordered in memory is sorted, so that equal states give equal bytes.

use std::sync::Arc;

use bytes::Bytes;

use super::KEYS_MAGIC;
use crate::account::{Account, Lot, LotKind};
use crate::chain::Chain;
use crate::ids::{AppId, Position, UserId};
use crate::keys::{Generation, KeyWindow, Record};
use crate::ledger::{App, Ledger};
use crate::level::Level;
use crate::policy::{OnDecline, Policy};
use crate::slots::SlotMap;
use crate::upkeep::Upkeep;

/// The state, and the generations it counts on.
pub(super) fn state(chain: &Chain, ledger: &Ledger) -> (Vec<u8>, Vec<Arc<Generation>>) {
    let mut out = Out { bytes: Vec::with_capacity(160 * ledger.account_count()), generations: Vec::new() };
    out.chain(chain);
    out.i64(chain.time.0);
    out.i64(ledger.swept_minute.unwrap_or(i64::MIN));
    match &ledger.log {
        Some((log, slots)) => {
            out.raw(&[1]);
            out.raw(&log.0);
            out.slots(slots);
        }
        None => out.raw(&[0]),
    }
    let mut apps: Vec<_> = ledger.apps.iter().collect();
    apps.sort_unstable_by_key(|(id, _)| *id);
    out.count(apps.len());
    apps.into_iter().for_each(|(id, app)| out.app(id, app));
    (out.bytes, out.generations)
}

/// A closed generation.
pub(crate) fn generation(generation: &Generation) -> Bytes {
    let mut out = Out { bytes: Vec::with_capacity(64 + 36 * generation.len()), generations: Vec::new() };
    out.raw(KEYS_MAGIC);
    out.i64(generation.hour());
    out.i64(generation.newest().0);
    out.count(generation.len());
    generation.records().iter().for_each(|record| out.record(*record));
    out.bytes.into()
}

struct Out {
    bytes: Vec<u8>,
    generations: Vec<Arc<Generation>>,
}

impl Out {
    fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn u16(&mut self, number: u16) {
        self.raw(&number.to_le_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.raw(&number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.raw(&number.to_le_bytes());
    }

    fn i64(&mut self, number: i64) {
        self.raw(&number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("a partition has far fewer than 2^32 of anything"));
    }

    /// A name: at most 200 bytes.
    fn name(&mut self, text: &str) {
        self.raw(&[u8::try_from(text.len()).expect("names are at most 200 bytes")]);
        self.raw(text.as_bytes());
    }

    /// The partition is that of the whole snapshot.
    fn position(&mut self, position: Position) {
        self.u64(position.sequence);
        self.u32(position.index);
    }

    fn chain(&mut self, chain: &Chain) {
        self.raw(&chain.log.map_or([0; 16], |log| log.0));
        self.u16(chain.partition.0);
        self.u64(chain.read);
        self.u64(chain.sequence);
        self.raw(&chain.hash.0);
        self.i64(chain.time.0);
        self.raw(&chain.term.0);
    }

    fn slots(&mut self, slots: &SlotMap) {
        self.count(slots.ranges().len());
        for range in slots.ranges() {
            self.u16(range.first);
            self.u16(range.partition.0);
        }
    }

    fn app(&mut self, id: &AppId, app: &App) {
        self.name(id.as_str());
        self.u32(app.number);
        self.policy(&app.policy);
        self.keys(&app.keys);
        let kept = app.kept_keys.iter().map(|(fingerprint, used)| Record::of((*fingerprint, *used)));
        self.records(kept.collect());
        let mut marks: Vec<_> = app.marks.iter().collect();
        marks.sort_unstable_by_key(|(source, _)| *source);
        self.count(marks.len());
        for (source, mark) in marks {
            self.name(source.as_str());
            self.u64(mark.to);
            self.raw(&mark.digest.0);
        }
        self.count(app.accounts.len());
        app.accounts.iter().for_each(|(user, account)| self.account(user, account));
    }

    fn policy(&mut self, policy: &Policy) {
        self.u16(policy.fee_bps);
        let on_decline = match policy.on_decline {
            OnDecline::Dust => 1,
            OnDecline::Exhaust => 2,
            OnDecline::Ignore => 3,
        };
        self.raw(&[policy.low_percent, on_decline]);
        self.u16(policy.key_window_hours);
        self.u32(policy.key_budget);
    }

    fn keys(&mut self, keys: &KeyWindow) {
        self.i64(keys.horizon.0);
        self.i64(keys.open.hour());
        self.i64(keys.open.newest().0);
        self.records(keys.open.records().to_vec());
        self.count(keys.closed.len());
        self.generations.extend(keys.closed.iter().cloned());
    }

    fn records(&mut self, mut records: Vec<Record>) {
        records.sort_unstable_by_key(|record| record.fingerprint);
        self.count(records.len());
        records.into_iter().for_each(|record| self.record(record));
    }

    fn record(&mut self, record: Record) {
        record.fingerprint.into_iter().for_each(|half| self.u64(half));
        self.u64(record.content);
        self.u64(record.sequence);
        self.u32(record.index);
    }

    fn account(&mut self, user: &UserId, account: &Account) {
        self.name(user.as_str());
        self.position(account.opened);
        self.position(account.last);
        self.i64(account.balance.credits());
        self.i64(account.baseline.credits());
        self.u64(account.carry.atto());
        self.i64(account.smallest.credits());
        self.i64(account.smallest_before.credits());
        self.u32(account.epoch);
        self.u32(account.lots_made);
        self.u16(account.fee_carry);
        let level = match account.level {
            Level::Exhausted => 0,
            Level::Low => 1,
            Level::Healthy => 2,
        };
        let flags = [account.dusted, account.closed, account.paused, account.forced];
        self.raw(&[level]);
        self.raw(&flags.map(u8::from));
        self.upkeep(account.upkeep());
        self.count(account.lots.len());
        account.lots.iter().for_each(|lot| self.lot(lot));
    }

    /// Few accounts have one, so its form may be a general one.
    fn upkeep(&mut self, upkeep: Option<&Upkeep>) {
        let bytes = upkeep.map(|upkeep| rmp_serde::to_vec(upkeep).expect("writing to memory does not fail"));
        let bytes = bytes.unwrap_or_default();
        self.count(bytes.len());
        self.raw(&bytes);
    }

    fn lot(&mut self, lot: &Lot) {
        self.u32(lot.number);
        let kind = match lot.kind {
            LotKind::Paid => 1,
            LotKind::Promo => 2,
        };
        self.raw(&[kind, lot.priority]);
        self.position(lot.position);
        self.i64(lot.left.credits());
    }
}
