//! Reading the bytes that our own builder writes: the fields of a body in their one order, and plain debits field by
//! field, without serde's detour over names and copies. Whatever looks other in any way is left to [`wire`], which alone
//! says what may stand in a commit and what is wrong with it. A property test compares the two.

use serde::Deserialize as _;

use super::decode::{Parts, Tables, amount, level};
use super::{Hash, READER, wire};
use crate::charge::Charge;
use crate::event::{Debited, Event, Slice, Slices, Usage};
use crate::ids::{Key, TermNonce};
use crate::msgpack::In;
use crate::time::Timestamp;

/// No event takes fewer bytes.
const SHORTEST: usize = 16;

/// The body of a commit. `None`: it is not as it is usually written.
pub(super) fn read(bytes: &[u8]) -> Option<Parts> {
    let mut rest = In(bytes);
    if rest.map()? != 8 || named(&mut rest, b'r')?.int::<u16>()? > READER {
        return None;
    }
    let previous = named(&mut rest, b'q')?.int()?;
    let previous_hash = named(&mut rest, b'h')?.bin().map(Hash)?;
    let time = named(&mut rest, b't')?.int().map(Timestamp)?;
    let term = named(&mut rest, b'n')?.bin().map(TermNonce)?;
    let mut tables = tables(&mut rest)?;
    let count = named(&mut rest, b'e')?.array()? as usize;
    // Never more room than there are bytes for.
    let mut events = Vec::with_capacity(count.min(rest.0.len() / SHORTEST));
    for _ in 0..count {
        events.push(event(&mut rest, &mut tables)?);
    }
    Some(Parts { previous, previous_hash, term, time, events })
}

fn tables<'a>(rest: &mut In<'a>) -> Option<Tables<'a>> {
    let mut texts = Vec::new();
    for _ in 0..named(rest, b's')?.array()? {
        texts.push(rest.str()?);
    }
    let mut accounts = Vec::new();
    for _ in 0..named(rest, b'u')?.array()? {
        if rest.array()? != 2 {
            return None;
        }
        accounts.push((rest.int()?, rest.str()?));
    }
    Tables::read(texts, accounts).ok()
}

fn event<'a>(rest: &mut In<'a>, tables: &mut Tables<'a>) -> Option<Event> {
    let mut plain = *rest;
    if let Some(event) = plain_debit(&mut plain, tables) {
        *rest = plain;
        return Some(Event::Debited(event));
    }
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest.0);
    deserializer.set_max_depth(wire::EVENT_DEPTH_MAX);
    let event = wire::Event::deserialize(&mut deserializer).ok()?;
    tables.event(event).ok()
}

/// What `CommitBuilder::write_plain_debit` writes.
fn plain_debit<'a>(rest: &mut In<'a>, tables: &mut Tables<'a>) -> Option<Debited> {
    rest.0 = rest.0.strip_prefix(&[0x81, 0xa1, b'D'])?;
    let fields = rest.map()?;
    let account = named(rest, b'a')?.int()?;
    let key = optional(rest, b'k', key)?;
    let meter = named(rest, b'm')?.int()?;
    let scope = optional(rest, b'p', In::int)?;
    let occurred_at = optional(rest, b'o', In::int)?;
    let charged = amount(named(rest, b'c')?.int()?).ok()?;
    let fee = optional(rest, b'f', In::int)?;
    let lot = named(rest, b'l')?.int()?;
    let balance = named(rest, b'b')?.int()?;
    let level_number = optional(rest, b'v', In::int)?;
    let optional =
        [key.is_some(), scope.is_some(), occurred_at.is_some(), fee.is_some(), level_number.is_some()];
    if fields != 5 + optional.map(u32::from).iter().sum::<u32>() {
        return None;
    }
    let usage = Usage {
        account: tables.account(account).ok()?,
        key,
        item: None,
        charge: Charge::Amount(charged),
        meter: tables.meter(meter).ok()?,
        scope: scope.map(|scope| tables.name(scope)).transpose().ok()?,
        occurred_at: occurred_at.map(Timestamp),
        metadata: None,
    };
    Some(Debited {
        usage,
        charged,
        fee: amount(fee.unwrap_or(0)).ok()?,
        slices: Slices::from_elem(Slice { lot, amount: charged }, 1),
        balance: amount(balance).ok()?,
        level: level(level_number.unwrap_or(0)).ok()?,
        epoch_started: None,
    })
}

/// The next field must have this name.
fn named<'r, 'a>(rest: &'r mut In<'a>, name: u8) -> Option<&'r mut In<'a>> {
    rest.0 = rest.0.strip_prefix(&[0xa1, name])?;
    Some(rest)
}

/// A field that may be absent.
#[expect(clippy::option_option, reason = "outside: whether it could be read; inside: whether it is there")]
fn optional<'a, T>(
    rest: &mut In<'a>,
    name: u8,
    read: impl FnOnce(&mut In<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match named(rest, name) {
        Some(rest) => read(rest).map(Some),
        None => Some(None),
    }
}

fn key(rest: &mut In<'_>) -> Option<Key> {
    match rest.0.first()? {
        0xc4 => rest.bin().map(Key::of_uuid),
        _ => Key::new(rest.str()?).ok(),
    }
}
