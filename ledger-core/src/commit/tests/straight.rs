//! The straight reader takes only what the general one takes, as the same; and all that the builder writes.

use proptest::prelude::*;

use super::{head, seal, strategies};
use crate::charge::Charge;
use crate::commit::decode::read_contents;
use crate::commit::{PREFIX_LEN, Prefix, straight};
use crate::event::{Debited, Event, Slice, Slices};

/// Whether the straight reader took it. What it takes the general reader takes, as the same.
pub(super) fn agree(bytes: &[u8]) -> bool {
    let Some(prefix) = Prefix::read(bytes) else { return false };
    let Some(contents) = straight::read(prefix.version, &bytes[PREFIX_LEN..]) else { return false };
    assert_eq!(read_contents(prefix.version, &bytes[PREFIX_LEN..]).ok(), Some(contents), "{bytes:x?}");
    true
}

fn plain(mut debit: Debited) -> Event {
    (debit.usage.item, debit.usage.metadata, debit.epoch_started) = (None, None, None);
    debit.usage.charge = Charge::Amount(debit.charged);
    let lot = debit.slices.first().map_or(1, |slice| slice.lot);
    debit.slices = Slices::from_elem(Slice { lot, amount: debit.charged }, 1);
    Event::Debited(debit)
}

/// Bytes that mean something in MessagePack, and any others.
fn byte() -> impl Strategy<Value = u8> {
    let marks = [
        0x00, 0x01, 0x7f, 0x80, 0x85, 0x90, 0xa0, 0xa1, 0xc0, 0xc1, 0xc4, 0xca, 0xcc, 0xcd, 0xce, 0xcf, 0xd0,
        0xd1, 0xd2, 0xd3, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xff, b'a', b'b', b'f', b'k', b'l',
        b'm', b'o', b'p', b'v',
    ];
    prop_oneof![prop::sample::select(marks.to_vec()), any::<u8>()]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn all_that_the_builder_writes_is_taken(
        debits in prop::collection::vec(strategies::debited().prop_map(plain), 0..8),
        others in prop::collection::vec(strategies::event(), 0..3),
    ) {
        prop_assert!(agree(&seal(&[debits, others].concat(), &head()).bytes));
    }

    #[test]
    fn nothing_is_taken_that_the_general_reader_refuses_or_reads_otherwise(
        debits in prop::collection::vec(strategies::debited().prop_map(plain), 1..3),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..3_usize, prop::collection::vec(byte(), 0..4)), 1..3),
    ) {
        let mut bytes = seal(&debits, &head()).bytes.to_vec();
        for (at, taken, put) in changes {
            let at = PREFIX_LEN + at.index(bytes.len() - PREFIX_LEN);
            let end = bytes.len().min(at + taken);
            bytes.splice(at..end, put);
            if bytes.len() <= PREFIX_LEN {
                break;
            }
        }
        agree(&bytes);
    }
}
