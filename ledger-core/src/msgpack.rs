//! The few forms of MessagePack that are read straight from the bytes, where so much is read that serde's detour over
//! names and copies counts. Whoever reads so leaves to serde whatever looks other than expected: nothing here says what
//! is wrong.

use std::str::from_utf8;

/// How much memory a list gets before its items are seen.
const LIST_BYTES_MAX: usize = 1 << 20;

/// The bytes that are still to be read. Every `None` says that they are not what was asked for, or end too early.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn skip(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let marker = self.byte()?;
        self.unsigned_after(marker)
    }

    fn unsigned_after(&mut self, marker: u8) -> Option<u64> {
        Some(match marker {
            0..=0x7f => marker.into(),
            0xcc => self.byte()?.into(),
            0xcd => u16::from_be_bytes(self.array()?).into(),
            0xce => u32::from_be_bytes(self.array()?).into(),
            0xcf => u64::from_be_bytes(self.array()?),
            _ => return None,
        })
    }

    pub(crate) fn index(&mut self) -> Option<u32> {
        u32::try_from(self.unsigned()?).ok()
    }

    /// A whole number, in whichever width it was written.
    pub fn signed(&mut self) -> Option<i64> {
        Some(match self.byte()? {
            marker @ 0xe0.. => i8::from_be_bytes([marker]).into(),
            0xd0 => i8::from_be_bytes(self.array()?).into(),
            0xd1 => i16::from_be_bytes(self.array()?).into(),
            0xd2 => i32::from_be_bytes(self.array()?).into(),
            0xd3 => i64::from_be_bytes(self.array()?),
            marker => i64::try_from(self.unsigned_after(marker)?).ok()?,
        })
    }

    /// A text.
    pub fn text(&mut self) -> Option<&'a str> {
        let len = match self.byte()? {
            marker @ 0xa0..=0xbf => (marker & 0x1f).into(),
            0xd9 => self.byte()?.into(),
            0xda => u16::from_be_bytes(self.array()?).into(),
            _ => return None,
        };
        from_utf8(self.take(len)?).ok()
    }

    /// The length of a list, whose items follow.
    pub fn list_len(&mut self) -> Option<u32> {
        Some(match self.byte()? {
            marker @ 0x90..=0x9f => (marker & 0x0f).into(),
            0xdc => u16::from_be_bytes(self.array()?).into(),
            0xdd => u32::from_be_bytes(self.array()?),
            _ => return None,
        })
    }

    /// The length of a map of at most 15 fields, whose names and values follow in turn.
    pub fn map_len(&mut self) -> Option<u8> {
        self.byte().filter(|marker| marker & 0xf0 == 0x80).map(|marker| marker & 0x0f)
    }

    /// A list, item by item.
    pub fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let len = self.list_len()?;
        // A claim alone gets little memory.
        let most = LIST_BYTES_MAX / size_of::<T>();
        let mut list = Vec::with_capacity(most.min(len as usize));
        for _ in 0..len {
            list.push(read(self)?);
        }
        Some(list)
    }
}
