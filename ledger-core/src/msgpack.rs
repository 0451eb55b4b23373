//! The few forms of MessagePack that are read by hand, where so much is read that serde's detour over names counts.
//! What is read so is always read by serde too, when it looks other than expected: nothing here says what is wrong.

/// Bytes of MessagePack that are not read yet. Every `None` says that they are not what was asked for, or end too early.
#[derive(Debug, Clone, Copy)]
pub struct In<'a>(pub &'a [u8]);

impl<'a> In<'a> {
    /// A whole number, in whichever width it was written.
    pub fn int<T: TryFrom<u64> + TryFrom<i64>>(&mut self) -> Option<T> {
        let unsigned = |number: u64| T::try_from(number).ok();
        let signed = |number: i64| T::try_from(number).ok();
        match self.byte()? {
            small @ 0..=0x7f => unsigned(small.into()),
            0xcc => unsigned(self.byte()?.into()),
            0xcd => unsigned(self.u16()?.into()),
            0xce => unsigned(self.u32()?.into()),
            0xcf => unsigned(self.raw().map(u64::from_be_bytes)?),
            0xd0 => signed(self.raw().map(i8::from_be_bytes)?.into()),
            0xd1 => signed(self.raw().map(i16::from_be_bytes)?.into()),
            0xd2 => signed(self.raw().map(i32::from_be_bytes)?.into()),
            0xd3 => signed(self.raw().map(i64::from_be_bytes)?),
            negative @ 0xe0.. => signed(negative.cast_signed().into()),
            _ => None,
        }
    }

    /// A text.
    pub fn str(&mut self) -> Option<&'a str> {
        let length = match self.byte()? {
            short @ 0xa0..=0xbf => u32::from(short - 0xa0),
            0xd9 => self.byte()?.into(),
            0xda => self.u16()?.into(),
            0xdb => self.u32()?,
            _ => return None,
        };
        let (text, rest) = self.0.split_at_checked(length as usize)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    /// So many bytes, at most 255, in the shortest form.
    pub fn bin<const N: usize>(&mut self) -> Option<[u8; N]> {
        let [0xc4, length] = self.raw()? else { return None };
        if usize::from(length) == N { self.raw() } else { None }
    }

    /// The length of a list, whose entries follow.
    pub fn array(&mut self) -> Option<u32> {
        match self.byte()? {
            short @ 0x90..=0x9f => Some((short - 0x90).into()),
            0xdc => self.u16().map(u32::from),
            0xdd => self.u32(),
            _ => None,
        }
    }

    /// The length of a map of at most 15 entries, whose names and values follow in turn.
    pub fn map(&mut self) -> Option<u32> {
        self.byte()?.checked_sub(0x80).filter(|length| *length < 16).map(u32::from)
    }

    fn raw<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self) -> Option<u8> {
        self.raw().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.raw().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.raw().map(u32::from_be_bytes)
    }
}
