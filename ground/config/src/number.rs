//! Whole numbers as settings write them: plain, with units of memory, as a percentage, in octal; their range and its errors.

use ochre_text::number::parse_i64;
use ochre_text::size;

use crate::Value;

/// The kind of a whole number: its range, both ends included, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// Smallest value; for [`Unit::BytesOrPercent`] the negated largest percentage.
    pub least: i128,
    /// Largest value.
    pub most: i128,
    /// How it is written.
    pub unit: Unit,
    /// Values outside are accepted and moved to the nearer end.
    pub clamp: Option<(i128, i128)>,
}

/// How a number is written in files and by CONFIG SET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Decimal digits.
    Plain,
    /// Bytes: digits and maybe b, k, kb, m, mb, g or gb.
    Bytes,
    /// [`Unit::Bytes`], or a plain number below zero.
    SignedBytes,
    /// [`Unit::Bytes`], or `10%`, which is stored as -10.
    BytesOrPercent,
    /// Octal digits, for file permissions.
    Octal,
}

impl Number {
    /// Reads a value or says why not, in the words of the reference server.
    pub(crate) fn parse(&self, text: &[u8]) -> Result<i128, String> {
        let number = self.read(text).ok_or_else(|| self.unreadable().to_string())?;
        if self.unit == Unit::BytesOrPercent && number < 0 {
            if number < self.least {
                return Err(format!("percentage argument must be less or equal to {}", -self.least));
            }
        } else if number < self.least || number > self.most {
            let end = |end: i128| if self.unit == Unit::Octal { self.show(end) } else { end.to_string() };
            let (least, most) = (end(self.least), end(self.most));
            return Err(format!("argument must be between {least} and {most} inclusive"));
        }
        Ok(match self.clamp {
            Some((least, most)) => number.clamp(least, most),
            None => number,
        })
    }

    /// The text of CONFIG GET: bytes as a plain number.
    pub(crate) fn show(&self, number: i128) -> String {
        match self.unit {
            Unit::BytesOrPercent if number < 0 => format!("{}%", -number),
            Unit::Octal => format!("{number:o}"),
            _ => number.to_string(),
        }
    }

    /// The text for a config file: bytes in the largest unit that loses nothing.
    pub(crate) fn written(&self, number: i128) -> String {
        match self.unit {
            Unit::Bytes | Unit::SignedBytes | Unit::BytesOrPercent if number >= 0 => {
                u64::try_from(number).map_or_else(|_| self.show(number), memory_in_units)
            }
            _ => self.show(number),
        }
    }

    fn read(&self, text: &[u8]) -> Option<i128> {
        match self.unit {
            Unit::Plain => plain(text),
            Unit::Bytes => memory(text),
            Unit::SignedBytes => memory(text).or_else(|| plain(text)),
            Unit::BytesOrPercent => memory(text).or_else(|| percentage(text)),
            Unit::Octal => octal(text),
        }
    }

    fn unreadable(&self) -> &'static str {
        match self.unit {
            Unit::Plain => "argument couldn't be parsed into an integer",
            Unit::Bytes | Unit::SignedBytes => "argument must be a memory value",
            Unit::BytesOrPercent => "argument must be a memory or percent value",
            Unit::Octal => "argument couldn't be parsed as an octal number",
        }
    }
}

impl From<i128> for Value {
    fn from(number: i128) -> Self {
        Value::Number(number)
    }
}

/// `bytes` as a config file says it: `1gb`, `100mb`, `3kb`, `1000`.
pub fn memory_in_units(bytes: u64) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        if bytes != 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// A number with a unit of memory. No digits at all mean 0, as in the reference server. `None` when it does not fit 64 bits.
pub(crate) fn memory(text: &[u8]) -> Option<i128> {
    let has_digits = text.first().is_some_and(u8::is_ascii_digit);
    let bytes = if has_digits { size::parse(text) } else { size::parse(&[b"0", text].concat()) };
    bytes.map(i128::from)
}

/// A whole number in the one form that shows it.
fn plain(text: &[u8]) -> Option<i128> {
    parse_i64(text).map(i128::from)
}

fn percentage(text: &[u8]) -> Option<i128> {
    let percent = plain(text.strip_suffix(b"%")?)?;
    (percent >= 0).then_some(-percent)
}

fn octal(text: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?;
    if text.is_empty() { Some(0) } else { i64::from_str_radix(text, 8).ok().map(i128::from) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(least: i128, most: i128, unit: Unit) -> Number {
        Number { least, most, unit, clamp: None }
    }

    fn check(kind: Number, text: &str, expected: Result<i128, &str>) {
        assert_eq!(kind.parse(text.as_bytes()), expected.map_err(str::to_string), "{text}");
    }

    #[test]
    fn plain_numbers_are_strict_about_form_and_range() {
        let port = number(0, 65_535, Unit::Plain);
        check(port, "7000", Ok(7_000));
        check(port, "0", Ok(0));
        for odd in ["", "-", "01", "+1", " 1", "1 ", "1k", "-0", "0x10", "9223372036854775808"] {
            check(port, odd, Err("argument couldn't be parsed into an integer"));
        }
        check(port, "65536", Err("argument must be between 0 and 65535 inclusive"));
        check(port, "-1", Err("argument must be between 0 and 65535 inclusive"));
    }

    #[test]
    fn memory_takes_decimal_and_binary_units_in_any_case() {
        let memory = number(0, u64::MAX.into(), Unit::Bytes);
        check(memory, "100", Ok(100));
        check(memory, "1k", Ok(1_000));
        check(memory, "1KB", Ok(1_024));
        check(memory, "2m", Ok(2_000_000));
        check(memory, "2Mb", Ok(2 << 20));
        check(memory, "3g", Ok(3_000_000_000));
        check(memory, "3gB", Ok(3 << 30));
        check(memory, "7b", Ok(7));
        check(memory, "", Ok(0));
        for odd in ["-1", "1x", "1 kb", "1.5gb", "10%", "99999999999999999999", "18446744073709551615gb"] {
            check(memory, odd, Err("argument must be a memory value"));
        }
    }

    #[test]
    fn a_percentage_is_stored_below_zero_and_shown_with_its_sign() {
        let clients = number(-100, i64::MAX.into(), Unit::BytesOrPercent);
        check(clients, "10%", Ok(-10));
        check(clients, "1mb", Ok(1 << 20));
        check(clients, "101%", Err("percentage argument must be less or equal to 100"));
        check(clients, "-1%", Err("argument must be a memory or percent value"));
        let range = "argument must be between -100 and 9223372036854775807 inclusive";
        check(clients, "9223372036854775808", Err(range));
        assert_eq!(clients.show(-10), "10%");
        assert_eq!(clients.written(-10), "10%");
    }

    #[test]
    fn signed_bytes_take_a_plain_number_below_zero() {
        let limit = number(-1, i64::MAX.into(), Unit::SignedBytes);
        check(limit, "-1", Ok(-1));
        check(limit, "1kb", Ok(1_024));
        check(limit, "-2", Err("argument must be between -1 and 9223372036854775807 inclusive"));
    }

    #[test]
    fn octal_reads_and_shows_octal() {
        let permissions = number(0, 0o777, Unit::Octal);
        check(permissions, "700", Ok(0o700));
        check(permissions, "8", Err("argument couldn't be parsed as an octal number"));
        check(permissions, "1000", Err("argument must be between 0 and 777 inclusive"));
        assert_eq!(permissions.show(0o700), "700");
    }

    #[test]
    fn a_clamped_number_is_moved_into_its_range() {
        let hz = Number { clamp: Some((1, 500)), ..number(0, i32::MAX.into(), Unit::Plain) };
        check(hz, "0", Ok(1));
        check(hz, "100000", Ok(500));
        check(hz, "-1", Err("argument must be between 0 and 2147483647 inclusive"));
    }

    #[test]
    fn files_get_the_largest_unit_that_loses_nothing() {
        let expected = [(0, "0"), (1_000, "1000"), (1_024, "1kb"), (5 << 20, "5mb"), (1_025, "1025"), (3 << 30, "3gb")];
        for (bytes, text) in expected {
            assert_eq!(memory_in_units(bytes), text);
        }
    }
}
