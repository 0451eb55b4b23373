//! UUIDs in their usual text form, 8-4-4-4-12 hex digits, and as the 16 bytes they stand for.

const DASHES: [usize; 4] = [8, 13, 18, 23];

/// The 16 bytes of a UUID in either case; `None` for any other text.
pub(crate) fn bytes(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    if DASHES.iter().any(|at| text[*at] != b'-') {
        return None;
    }
    let mut digits = text.iter().enumerate().filter(|(at, _)| !DASHES.contains(at)).map(|(_, digit)| *digit);
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        *byte = (value(digits.next()?)? << 4) | value(digits.next()?)?;
    }
    Some(bytes)
}

/// The same, of a UUID that is written in lower case: the one text that [`text`] gives back.
pub(crate) fn canonical_bytes(text: &str) -> Option<[u8; 16]> {
    if text.len() != 36 || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    bytes(text)
}

/// The text of 16 bytes, in lower case.
pub(crate) fn text(bytes: &[u8; 16]) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let mut places = (0..36).filter(|at| !DASHES.contains(at));
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            let at = places.next().expect("36 characters but 4 dashes hold 32 digits");
            text[at] = DIGITS[usize::from(digit)];
        }
    }
    text
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
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
