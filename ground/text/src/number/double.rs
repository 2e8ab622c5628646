//! Doubles: read as C's `strtod` reads them, written in the fewest digits that read back the same.

use super::grisu;
use super::hexadecimal;
use super::integer::{write_i64, write_padded};
use std::io::Write;

/// Reads a double that fills the whole text: decimal, hexadecimal (`0x1p3`), or `inf` and `infinity` in any case.
///
/// Refused are spaces, `nan`, and decimal or hexadecimal numbers so far from zero, or so near to it, that a double cannot tell.
#[inline]
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    match text {
        // Small integers are most of the scores that clients send.
        [b'1'..=b'9', rest @ ..] if rest.len() < 15 && rest.iter().all(u8::is_ascii_digit) => {
            let value = text.iter().fold(0u64, |value, &byte| value * 10 + u64::from(byte - b'0'));
            Some(value as f64)
        }
        _ => parse_any(text),
    }
}

fn parse_any(text: &[u8]) -> Option<f64> {
    let (negative, magnitude) = split_sign(text);
    let value = match magnitude {
        [b'0', b'x' | b'X', digits @ ..] => from_hexadecimal(digits)?,
        [b'0'..=b'9' | b'.', ..] => {
            let value = std::str::from_utf8(magnitude).ok()?.parse::<f64>().ok()?;
            let vanished = value == 0.0 && has_digit_above_zero(magnitude);
            (value.is_finite() && !vanished).then_some(value)?
        }
        _ if is_infinity(magnitude) => f64::INFINITY,
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

/// Cuts an optional sign off; the first part tells whether it was a minus.
pub(super) fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', magnitude @ ..] => (true, magnitude),
        [b'+', magnitude @ ..] | magnitude => (false, magnitude),
    }
}

pub(super) fn is_infinity(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity")
}

/// Whether the number before the exponent is not zero.
fn has_digit_above_zero(text: &[u8]) -> bool {
    let significand = text.iter().take_while(|&&byte| !matches!(byte, b'e' | b'E'));
    significand.into_iter().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// Rounds to the nearest double, ties to even; `None` if that is infinite or zero while the number is not.
fn from_hexadecimal(digits: &[u8]) -> Option<f64> {
    let number = hexadecimal::parse(digits)?;
    if number.mantissa == 0 {
        return Some(0.0);
    }
    // The place of the leading bit; the mantissa's 64 bits stand below it.
    let top = number.exponent + 127;
    if top > 1023 {
        return None;
    }
    // Subnormal doubles keep fewer than 53 bits.
    let bits = 53 - (-1022 - top).max(0);
    if bits < 0 {
        return None;
    }
    let drop = (128 - bits) as u32;
    let kept = number.mantissa.checked_shr(drop).unwrap_or(0) as u64;
    let dropped = number.mantissa << bits;
    let half = 1u128 << 127;
    let up = dropped > half || dropped == half && (number.inexact || kept & 1 == 1);
    let rounded = kept + u64::from(up);
    // `rounded` has at most 54 bits with a zero at the end, so the conversion and the scaling in two steps are exact.
    let scale = number.exponent + i64::from(drop);
    let first = (scale / 2) as i32;
    let value = rounded as f64 * 2f64.powi(first) * 2f64.powi(scale as i32 - first);
    (value.is_finite() && value != 0.0).then_some(value)
}

/// Appends the fewest digits that read back as `value`, in the form that scores and RESP3 doubles have in replies.
///
/// `3`, `3.1`, `1e+20`, `1.5e-7`, `inf`, `-inf`, `nan`, `-0`.
#[inline]
pub fn write_f64(out: &mut Vec<u8>, value: f64) {
    /// Up to here Redis shows whole numbers exactly; above, in the shortest digits that read back.
    const EXACT_MAX: f64 = (1u64 << 62) as f64;
    let whole = value as i64;
    // Minus zero keeps its sign, so zero is not among them.
    if whole as f64 == value && value.abs() <= EXACT_MAX && whole != 0 {
        return write_i64(out, whole);
    }
    write_fraction(out, value);
}

fn write_fraction(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_infinite() {
        return out.extend_from_slice(b"inf");
    }
    if value == 0.0 {
        return out.push(b'0');
    }
    let digits = grisu::digits(value.abs());
    write_shortest(out, &digits.text[..digits.len], digits.exponent);
}

/// Digits, the first one standing for 10^exponent: whole, with a point, or in the scientific form.
fn write_shortest(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    // The place of the last digit.
    let last = exponent - (digits.len() as i32 - 1);
    if last >= 0 && exponent < digits.len() as i32 + 7 {
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', last as usize));
    } else if last < 0 && (last > -7 || exponent.abs() < 4) {
        write_positional(out, digits, exponent);
    } else {
        write_scientific(out, digits, exponent, 1);
    }
}

/// `d.ddde+xx`, the exponent in at least so many digits.
fn write_scientific(out: &mut Vec<u8>, digits: &[u8], exponent: i32, exponent_width: usize) {
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    write_padded(out, u64::from(exponent.unsigned_abs()), exponent_width);
}

/// Digits with a point among or before them, the first one standing for 10^exponent.
fn write_positional(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', -exponent as usize - 1));
        return out.extend_from_slice(digits);
    }
    let whole = exponent as usize + 1;
    match digits.split_at_checked(whole) {
        Some((whole, fraction)) if !fraction.is_empty() => {
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
        _ => {
            out.extend_from_slice(digits);
            out.extend(std::iter::repeat_n(b'0', whole - digits.len()));
        }
    }
}

/// Appends `value` as C's `%.17g` shows it: 17 significant digits, so 0.1 is `0.10000000000000001`.
pub fn write_f64_17(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() || value == 0.0 {
        return write_fraction(out, value);
    }
    if value < 0.0 {
        out.push(b'-');
    }
    // Rust's scientific form: a digit, a point, sixteen digits, `e` and the exponent.
    let text = format!("{:.16e}", value.abs());
    let (digits, exponent) = text.split_once('e').expect("the scientific form has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a small integer");
    let digits = digits.replacen('.', "", 1);
    let digits = digits.trim_end_matches('0').as_bytes();
    if (-4..17).contains(&exponent) {
        write_positional(out, digits, exponent);
    } else {
        write_scientific(out, digits, exponent, 2);
    }
}

/// Appends `value` with exactly `decimals` digits behind the point, as C's `%.Nf` does.
pub fn write_fixed(out: &mut Vec<u8>, value: f64, decimals: usize) {
    if value.is_finite() {
        write!(out, "{value:.decimals$}").expect("writing to a vector does not fail");
    } else {
        write_fraction(out, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: impl Fn(&mut Vec<u8>, f64), value: f64) -> String {
        let mut out = Vec::new();
        write(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    /// Replies of ZADD and ZSCORE by Redis 8.0.6 and Valkey 9.1.2 (skip list encoding).
    #[test]
    fn scores_are_shown_as_by_the_reference() {
        for (given, shown) in [
            ("0", "0"),
            ("-0.0", "-0"),
            ("1e5", "100000"),
            ("1e8", "100000000"),
            ("1700000000000", "1700000000000"),
            ("1e15", "1000000000000000"),
            ("1e18", "1000000000000000000"),
            ("1e19", "1e+19"),
            ("5e18", "5e+18"),
            ("-1e17", "-100000000000000000"),
            ("123456789012345678", "123456789012345680"),
            ("1152921504606846976", "1152921504606846976"),
            ("4611686018427387904", "4611686018427387904"),
            ("-4611686018427387904", "-4611686018427387904"),
            ("4611686018427388928", "4611686018427389000"),
            ("9223372036854775807", "9223372036854776000"),
            ("-9223372036854775808", "-9223372036854776000"),
            ("12345678901234567890", "12345678901234567000"),
            ("123456789012345680000", "123456789012345680000"),
            ("100000000000000000000000", "99999999999999990000000"),
            ("1.5e20", "1.5e+20"),
            ("1e22", "1e+22"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("0.1", "0.1"),
            ("3.14", "3.14"),
            ("1e-4", "0.0001"),
            ("1e-5", "0.00001"),
            ("2.5e-5", "0.000025"),
            ("1e-7", "1e-7"),
            ("0.001234", "0.001234"),
            ("0.0001234", "1.234e-4"),
            ("0.00001234", "1.234e-5"),
            ("123456789.125", "123456789.125"),
            ("12345.678901234567", "1.2345678901234567e+4"),
            ("5e-324", "5e-324"),
            ("inf", "inf"),
            ("-Infinity", "-inf"),
            ("+5", "5"),
            ("1.", "1"),
            (".5", "0.5"),
            ("0x1p3", "8"),
            ("0X10", "16"),
            ("-0x.8", "-0.5"),
        ] {
            let value = parse_f64(given.as_bytes()).unwrap_or_else(|| panic!("{given} is a double"));
            assert_eq!(text(write_f64, value), shown, "{given}");
        }
    }

    #[test]
    fn what_is_not_wholly_a_double_is_refused() {
        for text in [
            "",
            " 5",
            "5 ",
            "nan",
            "-nan",
            "NaN",
            "1e400",
            "-1e400",
            "1e-400",
            "+",
            "-",
            ".",
            "1e",
            "1e+",
            "0x",
            "0x.",
            "0x1p",
            "0x1pz",
            "0x1p2000",
            "0x1p-2000",
            "1_000",
            "1,5",
            "++1",
            "inff",
            "infinit",
            "1f",
            "\u{661}",
        ] {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_f64(b"0e400"), Some(0.0));
        assert_eq!(parse_f64(b"0e-400"), Some(0.0));
    }

    /// Replies of ZSCORE by Redis 7.0.15, which uses this form.
    #[test]
    fn seventeen_digits_are_those_of_c() {
        for (value, shown) in [
            (1e20, "1e+20"),
            (123456789012345678.0, "1.2345678901234568e+17"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (0.1, "0.10000000000000001"),
            (1e-5, "1.0000000000000001e-05"),
            (1e-4, "0.0001"),
            (3.15, "3.1499999999999999"),
            (-1.7976931348623157e308, "-1.7976931348623157e+308"),
            (2251799813685248.5, "2251799813685248.5"),
            (123456789.125, "123456789.125"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::INFINITY, "inf"),
            (100.0, "100"),
        ] {
            assert_eq!(text(write_f64_17, value), shown);
        }
        assert_eq!(text(|out, value| write_fixed(out, value, 4), 190.442_38), "190.4424");
        assert_eq!(text(|out, value| write_fixed(out, value, 2), -0.125), "-0.12");
    }

    #[test]
    fn hexadecimal_rounds_to_even() {
        for (given, value) in [
            ("0x1.fffffffffffff8p0", 2.0),
            ("0x1.fffffffffffff7p0", f64::from_bits(0x3fff_ffff_ffff_ffff)),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.000000000000080000000000000001p0", f64::from_bits(0x3ff0_0000_0000_0001)),
            ("0x1.00000000000018p0", f64::from_bits(0x3ff0_0000_0000_0002)),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1p-1074", 5e-324),
            ("0x.8p-1073", 5e-324),
            ("0x1.8p-1075", 5e-324),
            ("0x1p-1022", f64::MIN_POSITIVE),
            ("0x0000000000000000000001", 1.0),
            ("0x100000000000000000000", 1_208_925_819_614_629_174_706_176.0),
        ] {
            assert_eq!(parse_f64(given.as_bytes()), Some(value), "{given}");
        }
        assert_eq!(parse_f64(b"0x1.fffffffffffff8p1023"), None, "rounds to infinity");
        assert_eq!(parse_f64(b"0x1p-1075"), None, "rounds to zero");
    }

    proptest! {
        #[test]
        fn written_doubles_read_back(value: f64) {
            prop_assume!(!value.is_nan());
            for write in [write_f64, write_f64_17] {
                let shown = text(write, value);
                prop_assert_eq!(parse_f64(shown.as_bytes()).map(f64::to_bits), Some(value.to_bits()), "{}", shown);
            }
        }

        #[test]
        fn hexadecimal_reads_back(bits: u64) {
            let value = f64::from_bits(bits & !(1 << 63));
            prop_assume!(value.is_finite() && value != 0.0);
            let (fraction, exponent) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32);
            let shown = match exponent {
                0 => format!("0x0.{fraction:013x}p-1022"),
                _ => format!("0x1.{fraction:013x}p{}", exponent - 1023),
            };
            prop_assert_eq!(parse_f64(shown.as_bytes()), Some(value), "{}", shown);
        }

        #[test]
        fn any_text_is_read_as_by_rust_or_refused(given in "[-+0-9.eE]{0,12}") {
            match (parse_f64(given.as_bytes()), given.parse::<f64>()) {
                (Some(value), Ok(expected)) => prop_assert_eq!(value.to_bits(), expected.to_bits()),
                (None, Ok(expected)) => prop_assert!(expected == 0.0 || expected.is_infinite()),
                (None, Err(_)) => {}
                (Some(_), Err(_)) => prop_assert!(false, "{given} is no number"),
            }
        }
    }
}
