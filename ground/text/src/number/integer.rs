//! Decimal integers: exactly one spelling for each number is accepted, and written two digits at a time.

/// The longest text of an `i64`: `-9223372036854775808`.
pub const I64_TEXT_LEN_MAX: usize = 20;

/// `00` to `99`, so that two digits cost one division and one copy.
const PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut number = 0;
    while number < 100 {
        pairs[2 * number] = b'0' + (number / 10) as u8;
        pairs[2 * number + 1] = b'0' + (number % 10) as u8;
        number += 1;
    }
    pairs
};

/// Reads a signed integer whose text is the one that [`write_i64`] would write.
///
/// No spaces, no plus sign, no leading zero, no `-0`, nothing outside the range of 64 bits.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', magnitude @ ..] => match parse_u64(magnitude)? {
            0 => None,
            value => 0i64.checked_sub_unsigned(value),
        },
        _ => i64::try_from(parse_u64(text)?).ok(),
    }
}

/// Reads an unsigned integer whose text is the one that [`write_u64`] would write.
#[inline]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    let (&first, rest) = text.split_first()?;
    let mut value = u64::from(digit(first)?);
    if value == 0 {
        return rest.is_empty().then_some(0);
    }
    if rest.len() > I64_TEXT_LEN_MAX {
        return None;
    }
    // Nineteen digits cannot overflow; only what is longer pays for the checks.
    let (safe, tail) = rest.split_at(rest.len().min(18));
    for &byte in safe {
        value = value * 10 + u64::from(digit(byte)?);
    }
    for &byte in tail {
        value = value.checked_mul(10)?.checked_add(u64::from(digit(byte)?))?;
    }
    Some(value)
}

#[inline]
fn digit(byte: u8) -> Option<u8> {
    let value = byte.wrapping_sub(b'0');
    (value < 10).then_some(value)
}

/// How many characters [`write_u64`] writes for `value`: 1 to 20.
#[inline]
pub fn digits(value: u64) -> usize {
    value.checked_ilog10().unwrap_or(0) as usize + 1
}

/// Appends `value` in decimal.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    write_u64(out, value.unsigned_abs());
}

/// Appends `value` in decimal.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, value: u64) {
    if value < 10 {
        out.push(b'0' + value as u8);
        return;
    }
    let mut text = [0; I64_TEXT_LEN_MAX];
    let start = fill_backwards(&mut text, value);
    out.extend_from_slice(&text[start..]);
}

/// The text of `value`, written into `text` without an allocation.
#[inline]
pub fn format_i64(value: i64, text: &mut [u8; I64_TEXT_LEN_MAX]) -> &[u8] {
    let mut start = fill_backwards(text, value.unsigned_abs());
    if value < 0 {
        // 19 digits are the most that a negative number has.
        start -= 1;
        text[start] = b'-';
    }
    &text[start..]
}

/// Writes the digits of `value` to the end of `text` and returns where they begin.
#[inline]
fn fill_backwards(text: &mut [u8; I64_TEXT_LEN_MAX], mut value: u64) -> usize {
    let mut start = text.len();
    while value >= 100 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        start -= 2;
        text[start..start + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if value >= 10 {
        let pair = value as usize * 2;
        start -= 2;
        text[start..start + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        start -= 1;
        text[start] = b'0' + value as u8;
    }
    start
}

/// Appends `value` with zeros in front to fill `width`.
pub(super) fn write_padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let missing = width.saturating_sub(digits(value));
    out.extend(std::iter::repeat_n(b'0', missing));
    write_u64(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_canonical_spelling_is_an_integer() {
        for (text, value) in [
            ("0", 0),
            ("7", 7),
            ("-1", -1),
            ("10", 10),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(parse_i64(text.as_bytes()), Some(value), "{text}");
        }
        for text in [
            "",
            "-",
            "+1",
            "-0",
            "00",
            "01",
            "-01",
            " 1",
            "1 ",
            "1.0",
            "0x1",
            "1e3",
            "--1",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
            "18446744073709551616",
            "1111111111111111111111",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"99999999999999999999"), None);
        assert_eq!(parse_u64(b"-1"), None);
    }

    #[test]
    fn digits_counts_what_is_written() {
        for power in 0..20 {
            let value = 10u64.pow(power);
            assert_eq!(digits(value), power as usize + 1);
            assert_eq!(digits(value - 1), (power as usize).max(1));
        }
        assert_eq!(digits(u64::MAX), 20);
    }

    proptest! {
        #[test]
        fn written_integers_read_back(value: i64, shift in 0u32..64) {
            let value = value >> shift;
            let mut text = Vec::new();
            write_i64(&mut text, value);
            prop_assert_eq!(&text, &value.to_string().into_bytes());
            prop_assert_eq!(parse_i64(&text), Some(value));
            prop_assert_eq!(digits(value.unsigned_abs()), text.len() - usize::from(value < 0));
        }

        #[test]
        fn a_parsed_text_is_the_written_one(text in "[-+0-9 ]{0,22}") {
            if let Some(value) = parse_i64(text.as_bytes()) {
                prop_assert_eq!(value.to_string(), text);
            } else if let Ok(value) = text.parse::<i64>() {
                prop_assert_ne!(value.to_string(), text);
            }
        }
    }
}
