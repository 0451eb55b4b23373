//! Reading a commit whose fields stand as [`super::CommitBuilder`] writes them, and in it the plain debits, which are
//! nearly all that is ever read: straight from the bytes, without serde's copies.
//!
//! Whatever stands otherwise is `None`, and read anew by the general reader: only that one ever refuses a commit. So
//! what is taken here must be what the general reader takes, with the same meaning. Property tests compare the two.

use super::decode::{Contents, Tables, amount, level};
use super::{Hash, READER, VERSION, wire};
use crate::charge::Charge;
use crate::event::{Debited, Event, Slice, Slices, Usage};
use crate::ids::{Key, TermNonce};
use crate::msgpack::Reader;
use crate::time::Timestamp;

/// The body of a commit of this version.
pub(super) fn read(version: u16, body: &[u8]) -> Option<Contents> {
    let mut body = Reader(body);
    body.skip(b"\x88\xa1r")?;
    if body.unsigned()? > READER.into() || !(1..=VERSION).contains(&version) {
        return None;
    }
    let previous = body.field(b"\xa1q", Reader::unsigned)?;
    let previous_hash = Hash(body.field(b"\xa1h\xc4\x20", Reader::array)?);
    let time = Timestamp(body.field(b"\xa1t", Reader::signed)?);
    let term = TermNonce(body.field(b"\xa1n\xc4\x10", Reader::array)?);
    let texts = body.field(b"\xa1s", |body| body.list(Reader::text))?;
    let accounts = body.field(b"\xa1u", |body| body.list(Reader::account))?;
    let mut tables = Tables::read(texts, accounts).ok()?;
    let events = body.field(b"\xa1e", |body| body.list(|body| body.event(&mut tables)))?;
    Some(Contents { previous, previous_hash, term, time, events })
}

impl<'a> Reader<'a> {
    fn field<T>(&mut self, name: &[u8], read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.skip(name)?;
        read(self)
    }

    fn account(&mut self) -> Option<(u32, &'a str)> {
        self.skip(b"\x92")?;
        Some((self.index()?, self.text()?))
    }

    fn event(&mut self, tables: &mut Tables<'_>) -> Option<Event> {
        let mut ahead = *self;
        if let Some(debited) = ahead.plain_debit(tables) {
            *self = ahead;
            return Some(Event::Debited(debited));
        }
        tables.event(wire::read_event(&mut self.0).ok()?).ok()
    }

    /// A debit of an amount, paid from one lot, with nothing rare about it.
    fn plain_debit(&mut self, tables: &mut Tables<'_>) -> Option<Debited> {
        self.skip(b"\x81\xa1D")?;
        let mut fields = Fields { left: self.map_len()?, reader: self };
        let account = fields.get(b'a', Reader::index)?;
        let key = fields.optional(b'k', Reader::key)?;
        let meter = fields.get(b'm', Reader::index)?;
        let scope = fields.optional(b'p', Reader::index)?;
        let occurred_at = fields.optional(b'o', Reader::signed)?;
        let charged = amount(fields.get(b'c', Reader::signed)?).ok()?;
        let fee = fields.optional(b'f', Reader::signed)?.unwrap_or_default();
        let lot = fields.get(b'l', Reader::index)?;
        let balance = fields.get(b'b', Reader::signed)?;
        let fallen = fields.optional(b'v', Reader::index)?.unwrap_or_default();
        if fields.left > 0 {
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
            fee: amount(fee).ok()?,
            slices: Slices::from_buf([Slice { lot, amount: charged }]),
            balance: amount(balance).ok()?,
            level: level(u8::try_from(fallen).ok()?).ok()?,
            epoch_started: None,
        })
    }

    fn key(&mut self) -> Option<Key> {
        match self.skip(b"\xc4\x10") {
            Some(()) => Some(Key::of_uuid(self.array()?)),
            None => Key::new(self.text()?).ok(),
        }
    }
}

/// The fields of one debit, in the order of `wire::Debited`.
struct Fields<'r, 'a> {
    left: u8,
    reader: &'r mut Reader<'a>,
}

impl<'a> Fields<'_, 'a> {
    /// `None`: the next field is not this one, or does not hold such a value.
    fn get<T>(&mut self, name: u8, read: impl FnOnce(&mut Reader<'a>) -> Option<T>) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        self.reader.skip(&[0xa1, name])?;
        read(self.reader)
    }

    /// `Some(None)`: the next field is another one.
    fn optional<T>(
        &mut self,
        name: u8,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.left == 0 || !self.reader.0.starts_with(&[0xa1, name]) {
            return Some(None);
        }
        self.get(name, read).map(Some)
    }
}
