//! UUIDs in their usual text form, 8-4-4-4-12 hex digits, and as the 16 bytes they stand for.

const DASHES: [usize; 4] = [8, 13, 18, 23];

/// Where the two digits of each byte begin.
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// What each character is worth as a digit, in lower case alone, and in either case.
const LOWER: [u8; 256] = values(b"0123456789abcdef", [NO_DIGIT; 256]);
const EITHER: [u8; 256] = values(b"0123456789ABCDEF", LOWER);

/// Has bits that no digit has.
const NO_DIGIT: u8 = 0xff;

const fn values(digits: &[u8; 16], mut values: [u8; 256]) -> [u8; 256] {
    let mut value = 0;
    while value < 16 {
        values[digits[value as usize] as usize] = value;
        value += 1;
    }
    values
}

/// The 16 bytes of a UUID in either case; `None` for any other text.
pub(crate) fn bytes(text: &str) -> Option<[u8; 16]> {
    read(text, &EITHER)
}

/// The same, of a UUID that is written in lower case: the one text that [`text`] gives back.
pub(crate) fn canonical_bytes(text: &str) -> Option<[u8; 16]> {
    read(text, &LOWER)
}

/// Every debit's key is read more than once: by tables, and asking at the end alone whether all were digits.
fn read(text: &str, values: &[u8; 256]) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let value = |at: usize| values[usize::from(text[at])];
    let mut bytes = [0; 16];
    let mut all = 0;
    for (byte, at) in bytes.iter_mut().zip(PLACES) {
        let (high, low) = (value(at), value(at + 1));
        all |= high | low;
        *byte = (high << 4) | low;
    }
    (all < 16 && DASHES.iter().all(|at| text[*at] == b'-')).then_some(bytes)
}

/// The text of 16 bytes, in lower case.
pub(crate) fn text(bytes: &[u8; 16]) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    for (byte, at) in bytes.iter().zip(PLACES) {
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_usual_form_is_a_uuid() {
        let lower = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        assert_eq!(bytes(lower).map(|bytes| bytes[..2].to_vec()), Some(vec![0x01, 0x7f]));
        assert_eq!(bytes(&lower.to_uppercase()), bytes(lower));
        assert_eq!(canonical_bytes(&lower.to_uppercase()), None);
        for other in
            ["", "017f22e279b07cc398c4dc0c0c07398f", &lower.replace('b', "g"), &lower.replace('-', "0")]
        {
            assert_eq!(bytes(other), None, "{other}");
        }
    }

    #[test]
    fn only_hex_digits_are_read() {
        let lower = *b"017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        for (at, character) in (0..36).flat_map(|at| (0..128_u8).map(move |character| (at, character))) {
            let mut text = lower;
            text[at] = character;
            let text = std::str::from_utf8(&text).unwrap();
            let (dash, character) = (DASHES.contains(&at), char::from(character));
            let is_valid = if dash { character == '-' } else { character.is_ascii_hexdigit() };
            assert_eq!(bytes(text).is_some(), is_valid, "{text}");
            assert_eq!(
                canonical_bytes(text).is_some(),
                is_valid && !character.is_ascii_uppercase(),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn bytes_and_text_of_a_uuid_say_the_same(uuid: [u8; 16]) {
            let text = text(&uuid);
            let text = std::str::from_utf8(&text).unwrap();
            prop_assert_eq!(canonical_bytes(text), Some(uuid));
            prop_assert_eq!(bytes(&text.to_uppercase()), Some(uuid));
        }
    }
}
