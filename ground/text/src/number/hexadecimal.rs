//! Hexadecimal floating-point text (`0x1.8p3`), which C's `strtod` accepts and so Redis does too.

/// A positive value `mantissa × 2^exponent`, with the top bit of the mantissa set unless the value is zero.
pub(super) struct Hexadecimal {
    pub(super) mantissa: u128,
    pub(super) exponent: i64,
    /// Digits other than zero were dropped below the mantissa's last bit.
    pub(super) inexact: bool,
}

/// Reads what follows `0x`; the whole text must be used.
pub(super) fn parse(text: &[u8]) -> Option<Hexadecimal> {
    let mut mantissa = 0u128;
    let mut exponent = 0i64;
    let mut inexact = false;
    let mut after_point = false;
    let mut digits = 0usize;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match (byte as char).to_digit(16) {
            Some(digit) => {
                digits += 1;
                if mantissa >> 124 == 0 {
                    mantissa = mantissa << 4 | u128::from(digit);
                    exponent -= if after_point { 4 } else { 0 };
                } else {
                    inexact |= digit != 0;
                    exponent += if after_point { 0 } else { 4 };
                }
            }
            None if byte == b'.' && !after_point => after_point = true,
            None => break,
        }
        at += 1;
    }
    if digits == 0 {
        return None;
    }
    match &text[at..] {
        [] => {}
        [b'p' | b'P', power @ ..] => exponent += parse_power(power)?,
        _ => return None,
    }
    let shift = mantissa.leading_zeros();
    if mantissa != 0 {
        mantissa <<= shift;
        exponent -= i64::from(shift);
    }
    Some(Hexadecimal { mantissa, exponent, inexact })
}

/// The power of two after `p`: decimal, with an optional sign; far beyond any float it stays at a bound.
fn parse_power(text: &[u8]) -> Option<i64> {
    const BOUND: i64 = 1 << 40;
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut power = 0i64;
    for &byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        power = (power * 10 + i64::from(byte - b'0')).min(BOUND);
    }
    Some(if negative { -power } else { power })
}
