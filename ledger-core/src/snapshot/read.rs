//! The state from bytes whose digest was checked: what does not fit was written by another program.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::{KEYS_MAGIC, SnapshotError};
use crate::account::{Account, Lot, LotKind};
use crate::chain::Chain;
use crate::charge::Carry;
use crate::commit::Hash;
use crate::ids::{AppId, InvalidName, LogId, PartitionId, Position, SourceName, TermNonce, UserId};
use crate::keys::{Generation, KeyWindow, OpenGeneration, Record};
use crate::ledger::{App, Ledger, Mark};
use crate::level::Level;
use crate::money::Usdc;
use crate::policy::{OnDecline, Policy};
use crate::slots::{SlotMap, SlotRange};
use crate::time::Timestamp;
use crate::upkeep::Upkeep;

type Read<T> = Result<T, SnapshotError>;

/// The state, and where it stands.
pub(super) fn state(bytes: &[u8], generation: impl FnMut(Hash) -> Option<Bytes>) -> Read<(Chain, Ledger)> {
    let mut rest = In { bytes, partition: PartitionId(0) };
    let chain = rest.chain()?;
    rest.partition = chain.partition;
    let mut ledger = Ledger::new(chain.partition);
    ledger.time = Timestamp(rest.i64()?);
    ledger.swept_minute = Some(rest.i64()?).filter(|minute| *minute != i64::MIN);
    ledger.log = match rest.u8()? {
        0 => None,
        _ => Some((LogId(rest.raw()?), rest.slots()?)),
    };
    let mut unfilled = Vec::new();
    for _ in 0..rest.u32()? {
        let (id, app, closed) = rest.app(ledger.seed())?;
        unfilled.push((id.clone(), closed));
        ledger.apps.insert(id, app);
    }
    fill(&mut ledger, unfilled, rest, generation)?;
    Ok((chain, ledger))
}

/// Brings the closed generations, whose hashes stand behind the state.
fn fill(
    ledger: &mut Ledger,
    unfilled: Vec<(AppId, u32)>,
    mut hashes: In<'_>,
    mut generation: impl FnMut(Hash) -> Option<Bytes>,
) -> Read<()> {
    for (id, count) in unfilled {
        let mut closed = VecDeque::new();
        for _ in 0..count {
            let hash = Hash(hashes.raw()?);
            let bytes = generation(hash).filter(|bytes| Hash::of(bytes) == hash);
            let bytes = bytes.ok_or(SnapshotError::Generation(hash))?;
            closed.push_back(Arc::new(read_generation(&bytes)?));
        }
        let app = ledger.apps.get_mut(&id).expect("it was put there just now");
        let KeyWindow { open, horizon, .. } = std::mem::take(&mut app.keys);
        app.keys = KeyWindow::restored(closed, open, horizon);
    }
    if hashes.bytes.is_empty() { Ok(()) } else { Err(SnapshotError::Layout) }
}

fn read_generation(bytes: &[u8]) -> Read<Generation> {
    let bytes = bytes.strip_prefix(KEYS_MAGIC).ok_or(SnapshotError::Layout)?;
    let mut rest = In { bytes, partition: PartitionId(0) };
    let (hour, newest) = (rest.i64()?, Timestamp(rest.i64()?));
    let records = rest.records()?;
    if !rest.bytes.is_empty() || !records.is_sorted_by_key(|record| record.fingerprint) {
        return Err(SnapshotError::Layout);
    }
    Ok(Generation::of_sorted(hour, newest, records))
}

struct In<'a> {
    bytes: &'a [u8],
    /// That of the whole snapshot.
    partition: PartitionId,
}

impl In<'_> {
    fn raw<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (first, rest) = self.bytes.split_first_chunk().ok_or(SnapshotError::Layout)?;
        self.bytes = rest;
        Ok(*first)
    }

    fn u8(&mut self) -> Read<u8> {
        self.raw().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Read<u16> {
        self.raw().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Read<u32> {
        self.raw().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Read<u64> {
        self.raw().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Read<i64> {
        self.raw().map(i64::from_le_bytes)
    }

    fn usdc(&mut self) -> Read<Usdc> {
        self.i64().map(Usdc::from_credits)
    }

    fn name<T>(&mut self, name: impl FnOnce(&str) -> Result<T, InvalidName>) -> Read<T> {
        let length = usize::from(self.u8()?);
        let (text, rest) = self.bytes.split_at_checked(length).ok_or(SnapshotError::Layout)?;
        self.bytes = rest;
        let text = std::str::from_utf8(text).map_err(|_| SnapshotError::Layout)?;
        name(text).map_err(|_| SnapshotError::Layout)
    }

    fn position(&mut self) -> Read<Position> {
        Ok(Position { partition: self.partition, sequence: self.u64()?, index: self.u32()? })
    }

    fn chain(&mut self) -> Read<Chain> {
        let log = LogId(self.raw()?);
        let partition = PartitionId(self.u16()?);
        let (read, sequence) = (self.u64()?, self.u64()?);
        let (hash, time, term) = (Hash(self.raw()?), Timestamp(self.i64()?), TermNonce(self.raw()?));
        let log = (sequence > 0).then_some(log);
        Ok(Chain { log, partition, read, sequence, hash, time, term })
    }

    fn slots(&mut self) -> Read<SlotMap> {
        let mut ranges = Vec::new();
        for _ in 0..self.u32()? {
            ranges.push(SlotRange { first: self.u16()?, partition: PartitionId(self.u16()?) });
        }
        SlotMap::from_ranges(ranges).ok_or(SnapshotError::Layout)
    }

    /// An app, and how many closed generations it has.
    fn app(&mut self, seed: u64) -> Read<(AppId, App, u32)> {
        let id = self.name(AppId::new)?;
        let number = self.u32()?;
        let mut app = App::new(number, self.policy()?, seed);
        let closed = self.keys(&mut app)?;
        app.kept_keys = self.records()?.into_iter().map(Record::into_entry).collect();
        for _ in 0..self.u32()? {
            let source = self.name(SourceName::new)?;
            app.marks.insert(source, Mark { to: self.u64()?, digest: Hash(self.raw()?) });
        }
        for _ in 0..self.u32()? {
            let user = self.name(UserId::new)?;
            app.accounts.insert(user, self.account()?);
        }
        Ok((id, app, closed))
    }

    fn policy(&mut self) -> Read<Policy> {
        let fee_bps = self.u16()?;
        let [low_percent, on_decline] = self.raw()?;
        let on_decline = match on_decline {
            1 => OnDecline::Dust,
            2 => OnDecline::Exhaust,
            3 => OnDecline::Ignore,
            _ => return Err(SnapshotError::Layout),
        };
        let (key_window_hours, key_budget) = (self.u16()?, self.u32()?);
        Ok(Policy { fee_bps, low_percent, on_decline, key_window_hours, key_budget })
    }

    /// The window without its closed generations, whose number is returned.
    fn keys(&mut self, app: &mut App) -> Read<u32> {
        let horizon = Timestamp(self.i64()?);
        let (hour, newest) = (self.i64()?, Timestamp(self.i64()?));
        let open = OpenGeneration::restored(hour, newest, self.records()?);
        app.keys = KeyWindow::restored(VecDeque::new(), open, horizon);
        self.u32()
    }

    fn records(&mut self) -> Read<Vec<Record>> {
        const SIZE: usize = 36;
        let count = self.u32()? as usize;
        // Never more room than there are bytes for.
        let mut records = Vec::with_capacity(count.min(self.bytes.len() / SIZE));
        for _ in 0..count {
            let fingerprint = [self.u64()?, self.u64()?];
            let (content, sequence, index) = (self.u64()?, self.u64()?, self.u32()?);
            records.push(Record { fingerprint, content, sequence, index });
        }
        Ok(records)
    }

    fn account(&mut self) -> Read<Account> {
        let (opened, last) = (self.position()?, self.position()?);
        let mut account = Account::new(opened, self.usdc()?, Level::Healthy);
        account.last = last;
        account.baseline = self.usdc()?;
        account.carry = Carry::from_atto(self.u64()?).ok_or(SnapshotError::Layout)?;
        account.smallest = self.usdc()?;
        account.smallest_before = self.usdc()?;
        account.epoch = self.u32()?;
        let lots_made = self.u32()?;
        account.fee_carry = self.u16()?;
        let [level, dusted, closed, paused, forced] = self.raw()?;
        account.level = match level {
            0 => Level::Exhausted,
            1 => Level::Low,
            2 => Level::Healthy,
            _ => return Err(SnapshotError::Layout),
        };
        (account.dusted, account.closed) = (dusted != 0, closed != 0);
        (account.paused, account.forced) = (paused != 0, forced != 0);
        account.upkeep = self.upkeep()?;
        for _ in 0..self.u32()? {
            account.lots.push(self.lot()?);
        }
        account.lots_made = lots_made;
        Ok(account)
    }

    fn upkeep(&mut self) -> Read<Option<Box<Upkeep>>> {
        let length = self.u32()? as usize;
        let (bytes, rest) = self.bytes.split_at_checked(length).ok_or(SnapshotError::Layout)?;
        self.bytes = rest;
        if bytes.is_empty() {
            return Ok(None);
        }
        rmp_serde::from_slice(bytes).map(Some).map_err(|_| SnapshotError::Layout)
    }

    fn lot(&mut self) -> Read<Lot> {
        let number = self.u32()?;
        let [kind, priority] = self.raw()?;
        let kind = match kind {
            1 => LotKind::Paid,
            2 => LotKind::Promo,
            _ => return Err(SnapshotError::Layout),
        };
        Ok(Lot { number, kind, priority, position: self.position()?, left: self.usdc()? })
    }
}
