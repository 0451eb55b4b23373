//! The bytes of a plain debit, which is nearly all that is ever written: the same as serde would write from
//! `wire::Debited`, without its copies. A property test compares the two.

use rmp::encode::{write_bin, write_sint, write_str, write_uint};

use super::CommitBuilder;
use super::builder::level_number;
use crate::charge::Charge;
use crate::event::{Debited, Slice, Usage};
use crate::ids::Key;

impl CommitBuilder {
    /// Writes a debit of an amount, paid from one lot, with nothing rare about it. False: it is not one, and nothing
    /// was written.
    pub(super) fn write_plain_debit(&mut self, event: &Debited) -> bool {
        let Debited { usage, charged, fee, slices, balance, level, epoch_started } = event;
        let Usage { account, key, item, charge, meter, scope, occurred_at, metadata } = usage;
        let ([Slice { lot, .. }], Charge::Amount(_)) = (slices.as_slice(), charge) else { return false };
        if item.is_some() || metadata.is_some() || epoch_started.is_some() {
            return false;
        }
        let account = self.account(account);
        let meter = self.text(meter.as_str());
        let scope = scope.as_ref().map(|scope| self.text(scope.as_str()));
        let fee = Some(fee.credits()).filter(|fee| *fee != 0);
        let level = Some(level_number(*level)).filter(|level| *level != 0);
        let optional =
            [key.is_some(), scope.is_some(), occurred_at.is_some(), fee.is_some(), level.is_some()];
        let count = 5 + optional.map(u8::from).iter().sum::<u8>();
        let mut fields = Fields::begin(&mut self.events, count);
        fields.unsigned(b'a', account.into());
        key.iter().for_each(|key| fields.key(b'k', key));
        fields.unsigned(b'm', meter.into());
        scope.iter().for_each(|scope| fields.unsigned(b'p', (*scope).into()));
        occurred_at.iter().for_each(|at| fields.signed(b'o', at.0));
        fields.signed(b'c', charged.credits());
        fee.iter().for_each(|fee| fields.signed(b'f', *fee));
        fields.unsigned(b'l', (*lot).into());
        fields.signed(b'b', balance.credits());
        level.iter().for_each(|level| fields.unsigned(b'v', (*level).into()));
        true
    }
}

/// The fields of one debit, in the order of `wire::Debited`.
struct Fields<'a>(&'a mut Vec<u8>);

impl<'a> Fields<'a> {
    /// A map of one entry, the kind "D", whose value is a map of at most 15.
    fn begin(out: &'a mut Vec<u8>, count: u8) -> Self {
        out.extend_from_slice(&[0x81, 0xa1, b'D', 0x80 | count]);
        Self(out)
    }

    fn name(&mut self, name: u8) {
        self.0.extend_from_slice(&[0xa1, name]);
    }

    fn unsigned(&mut self, name: u8, value: u64) {
        self.name(name);
        write_uint(self.0, value).expect("writing to memory does not fail");
    }

    fn signed(&mut self, name: u8, value: i64) {
        self.name(name);
        write_sint(self.0, value).expect("writing to memory does not fail");
    }

    fn key(&mut self, name: u8, key: &Key) {
        self.name(name);
        let written = match key.uuid() {
            Some(uuid) => write_bin(self.0, uuid),
            None => write_str(self.0, &key.text()),
        };
        written.expect("writing to memory does not fail");
    }
}
