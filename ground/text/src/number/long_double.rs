//! The 80-bit floating point in which Redis computes INCRBYFLOAT, so that our sums show the same digits.
//!
//! A value is a 64-bit mantissa times a power of two. Parsing, adding and printing round once, to nearest and to even, as the x87 unit does.

use super::big::Big;
use super::double::{is_infinity, split_sign};
use super::hexadecimal;
use super::integer::{write_padded, write_u64};

/// The digits behind the point that are shown at most.
const DECIMALS: u32 = 17;
const TEN_TO_DECIMALS: u128 = 10u128.pow(DECIMALS);
/// The longest text that Redis tries to read as a long double.
const TEXT_LEN_MAX: usize = 5 * 1024 - 1;
/// Exponents of the mantissa's last bit, at the largest and at the smallest (subnormal) value.
const EXPONENT_MAX: i64 = 16_383 - 63;
const EXPONENT_MIN: i64 = -16_445;

/// A signed number `mantissa × 2^exponent` with 64 bits of precision, or an infinity; never NaN.
#[derive(Clone, Copy, Debug)]
pub struct LongDouble {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Magnitude {
    Zero,
    /// Invariant: the mantissa's top bit is set, except next to zero (`EXPONENT_MIN`).
    Finite {
        mantissa: u64,
        exponent: i32,
    },
    Infinite,
}

impl LongDouble {
    pub const ZERO: LongDouble = LongDouble { negative: false, magnitude: Magnitude::Zero };

    /// The largest finite value; its negative is the smallest.
    pub const MAX: LongDouble = LongDouble {
        negative: false,
        magnitude: Magnitude::Finite { mantissa: u64::MAX, exponent: EXPONENT_MAX as i32 },
    };

    /// Reads a number that fills the whole text: decimal, hexadecimal, or `inf` and `infinity` in any case.
    ///
    /// Refused are spaces, `nan` and numbers too far from zero or too near to it. At most quadratic in the text, which is shorter than 5 KiB.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() > TEXT_LEN_MAX {
            return None;
        }
        let (negative, text) = split_sign(text);
        let magnitude = match text {
            [b'0', b'x' | b'X', digits @ ..] => {
                let number = hexadecimal::parse(digits)?;
                Magnitude::rounded(number.mantissa, number.exponent, number.inexact)?
            }
            [b'0'..=b'9' | b'.', ..] => Magnitude::from_decimal(text)?,
            _ if is_infinity(text) => Magnitude::Infinite,
            _ => return None,
        };
        Some(LongDouble { negative, magnitude })
    }

    /// Whether the value is not an infinity; INCRBYFLOAT refuses a result that is.
    pub fn is_finite(self) -> bool {
        self.magnitude != Magnitude::Infinite
    }

    /// The sum, rounded once; `None` if it is not a number (infinities of opposite signs).
    pub fn plus(self, other: LongDouble) -> Option<LongDouble> {
        use Magnitude::*;
        let (big, small) =
            if self.magnitude.order() >= other.magnitude.order() { (self, other) } else { (other, self) };
        match (big.magnitude, small.magnitude) {
            (Infinite, Infinite) if big.negative != small.negative => None,
            (Zero, Zero) => Some(LongDouble { negative: big.negative && small.negative, magnitude: Zero }),
            (Infinite | Zero, _) | (_, Zero) => Some(big),
            (Finite { mantissa: a, exponent: a_exponent }, Finite { mantissa: b, exponent: b_exponent }) => {
                Some(add_finite(big.negative, (a, a_exponent), big.negative != small.negative, (b, b_exponent)))
            }
            (Finite { .. }, Infinite) => unreachable!("infinities are ordered above all finite values"),
        }
    }

    /// Appends the value in positional notation with at most 17 digits behind the point and no zeros at their end.
    ///
    /// `10.6`, `5200`, `-0.5`, `0`, `inf`, `-inf`: the form of INCRBYFLOAT, HINCRBYFLOAT and GEOPOS.
    pub fn write(self, out: &mut Vec<u8>) {
        let start = out.len();
        if self.negative {
            out.push(b'-');
        }
        match self.magnitude {
            Magnitude::Infinite => return out.extend_from_slice(b"inf"),
            Magnitude::Zero => out.push(b'0'),
            Magnitude::Finite { mantissa, exponent } if exponent > 0 => write_whole(out, mantissa, exponent as u32),
            Magnitude::Finite { mantissa, exponent } => write_fixed_point(out, mantissa, exponent.unsigned_abs()),
        }
        if &out[start..] == b"-0" {
            out.remove(start);
        }
    }
}

impl PartialEq for LongDouble {
    fn eq(&self, other: &LongDouble) -> bool {
        self.partial_cmp(other) == Some(std::cmp::Ordering::Equal)
    }
}

impl std::ops::Neg for LongDouble {
    type Output = LongDouble;

    fn neg(self) -> LongDouble {
        LongDouble { negative: !self.negative && self.magnitude != Magnitude::Zero, ..self }
    }
}

impl PartialOrd for LongDouble {
    /// Total, as no value is NaN; the two zeros are equal.
    fn partial_cmp(&self, other: &LongDouble) -> Option<std::cmp::Ordering> {
        let (a, b) = (self.magnitude.order(), other.magnitude.order());
        Some(match (self.negative, other.negative) {
            _ if (a.0, b.0) == (0, 0) => std::cmp::Ordering::Equal,
            (false, false) => a.cmp(&b),
            (true, true) => b.cmp(&a),
            (true, false) => std::cmp::Ordering::Less,
            (false, true) => std::cmp::Ordering::Greater,
        })
    }
}

impl From<f64> for LongDouble {
    /// Exact. NaN, which has no place here, becomes infinity.
    fn from(value: f64) -> LongDouble {
        let bits = value.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let magnitude = match (bits >> 52) & 0x7ff {
            0x7ff => Magnitude::Infinite,
            0 if fraction == 0 => Magnitude::Zero,
            biased => {
                let (mantissa, exponent) =
                    if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased as i32 - 1075) };
                let shift = mantissa.leading_zeros();
                Magnitude::Finite { mantissa: mantissa << shift, exponent: exponent - shift as i32 }
            }
        };
        LongDouble { negative: value.is_sign_negative(), magnitude }
    }
}

/// Appends a double in the positional form of [`LongDouble::write`].
pub fn write_long_double(out: &mut Vec<u8>, value: f64) {
    LongDouble::from(value).write(out);
}

impl Magnitude {
    /// Sorts magnitudes by size.
    fn order(self) -> (u8, i32, u64) {
        match self {
            Magnitude::Zero => (0, 0, 0),
            Magnitude::Finite { mantissa, exponent } => (1, exponent, mantissa),
            Magnitude::Infinite => (2, 0, 0),
        }
    }

    /// `bits × 2^exponent` and a little more if `inexact`, to 64 bits. `None` if only infinity or zero would be left.
    fn rounded(bits: u128, exponent: i64, inexact: bool) -> Option<Magnitude> {
        if bits == 0 {
            return Some(Magnitude::Zero);
        }
        let shift = bits.leading_zeros();
        let (bits, mut exponent) = (bits << shift, exponent - i64::from(shift) + 64);
        // Next to zero the last bit has a fixed place, and the upper bits are lost.
        let lost = (EXPONENT_MIN - exponent).max(0);
        if lost > 64 {
            return None;
        }
        exponent += lost;
        let drop = 64 + lost as u32;
        let kept = bits.checked_shr(drop).unwrap_or(0) as u64;
        let dropped = bits << (128 - drop);
        let half = 1u128 << 127;
        // What was shifted out on the left is `kept`; `dropped` stands at the top, so that it compares with a half.
        let up = dropped > half || dropped == half && (inexact || kept & 1 == 1);
        let (mut mantissa, carried) = kept.overflowing_add(u64::from(up));
        if carried {
            mantissa = 1 << 63;
            exponent += 1;
        }
        if exponent > EXPONENT_MAX || mantissa == 0 {
            return None;
        }
        Some(Magnitude::Finite { mantissa, exponent: exponent as i32 })
    }

    fn from_decimal(text: &[u8]) -> Option<Magnitude> {
        let decimal = Decimal::parse(text)?;
        if decimal.digits.is_empty() {
            return Some(Magnitude::Zero);
        }
        decimal.small().unwrap_or_else(|| decimal.large())
    }
}

/// The sum of two finite values, the first of which is not smaller; `opposite` says that their signs differ.
fn add_finite(negative: bool, big: (u64, i32), opposite: bool, small: (u64, i32)) -> LongDouble {
    // One bit is left free above for the carry, 63 below for what the smaller value hangs over.
    let a = u128::from(big.0) << 63;
    let b = u128::from(small.0) << 63;
    let distance = (big.1 - small.1) as u32;
    let (b, hangs_over) = match distance {
        0 => (b, false),
        1..128 => (b >> distance, b << (128 - distance) != 0),
        _ => (0, true),
    };
    let bits = match (opposite, hangs_over) {
        (false, _) => a + b,
        // The true difference lies just below `a - b`: one unit less, and a little more.
        (true, hangs_over) => a - b - u128::from(hangs_over),
    };
    let magnitude = Magnitude::rounded(bits, i64::from(big.1) - 63, hangs_over).unwrap_or(Magnitude::Infinite);
    // Equal values of opposite signs cancel to plus zero.
    LongDouble { negative: negative && magnitude != Magnitude::Zero, magnitude }
}

/// A decimal number: `digits × 10^exponent`, neither beginning nor ending with a zero.
struct Decimal {
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Reads `123`, `.5`, `1.`, `1e-3`: digits with at most one point, and an optional exponent.
    fn parse(text: &[u8]) -> Option<Decimal> {
        let end = text.iter().position(|&byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
        let (significand, power) = text.split_at(end);
        let point = significand.iter().position(|&byte| byte == b'.');
        let mut digits: Vec<u8> = significand.to_vec();
        if let Some(point) = point {
            digits.remove(point);
        }
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut exponent = point.map_or(0, |point| point as i64 - digits.len() as i64);
        if let Some((_, power)) = power.split_first() {
            exponent += parse_power(power)?;
        }
        let zeros = digits.iter().rev().take_while(|&&byte| byte == b'0').count();
        digits.truncate(digits.len() - zeros);
        exponent += zeros as i64;
        digits.drain(..digits.iter().take_while(|&&byte| byte == b'0').count());
        Some(Decimal { digits, exponent })
    }

    /// The usual case, in 128 bits: at most 19 digits and a small exponent. The inner `None` is that of [`Magnitude::rounded`].
    fn small(&self) -> Option<Option<Magnitude>> {
        // 5^27 is the largest power of five below 2^63.
        let power = u32::try_from(self.exponent.abs()).ok().filter(|&power| power <= 27)?;
        if self.digits.len() > 19 {
            return None;
        }
        let digits = self.digits.iter().fold(0u64, |value, &byte| value * 10 + u64::from(byte - b'0'));
        let five = 5u64.pow(power);
        if self.exponent >= 0 {
            return Some(Magnitude::rounded(u128::from(digits) * u128::from(five), self.exponent, false));
        }
        // With its top bit moved to bit 127 the quotient has at least 65 bits: enough to round to 64.
        let shift = u128::from(digits).leading_zeros();
        let scaled = u128::from(digits) << shift;
        let (quotient, rest) = (scaled / u128::from(five), scaled % u128::from(five));
        Some(Magnitude::rounded(quotient, self.exponent - i64::from(shift), rest != 0))
    }

    /// Any size, with big integers.
    fn large(&self) -> Option<Magnitude> {
        let first = self.exponent + self.digits.len() as i64;
        if !(-5_000..5_000).contains(&first) {
            return None;
        }
        let mut number = Big::default();
        for chunk in self.digits.chunks(18) {
            let value = chunk.iter().fold(0u64, |value, &byte| value * 10 + u64::from(byte - b'0'));
            number.multiply_add(10u64.pow(chunk.len() as u32), value);
        }
        if self.exponent >= 0 {
            number.multiply_by_ten_to(self.exponent as u32);
            let (bits, exponent, inexact) = number.top();
            return Magnitude::rounded(bits, exponent, inexact);
        }
        // number / 10^k: scale the number so that the quotient has 66 bits or more, then divide.
        let mut divisor = Big::default();
        divisor.multiply_add(1, 1);
        divisor.multiply_by_ten_to(self.exponent.unsigned_abs() as u32);
        let shift = (divisor.bits() as i64 + 66 - number.bits() as i64).max(0);
        number.shift_left(shift as usize);
        let (quotient, inexact) = number.divide(&divisor);
        let (bits, exponent, hangs_over) = quotient.top();
        Magnitude::rounded(bits, exponent - shift, inexact || hangs_over)
    }
}

fn parse_power(text: &[u8]) -> Option<i64> {
    const BOUND: i64 = 1 << 40;
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let power = digits.iter().fold(0i64, |power, &byte| (power * 10 + i64::from(byte - b'0')).min(BOUND));
    Some(if negative { -power } else { power })
}

/// Appends the whole number `mantissa × 2^shift`.
fn write_whole(out: &mut Vec<u8>, mantissa: u64, shift: u32) {
    let mut number = Big::default();
    number.multiply_add(1, mantissa);
    number.shift_left(shift as usize);
    let mut parts = Vec::new();
    while !number.is_zero() {
        parts.push(number.divide_small(10u64.pow(19)));
    }
    write_u64(out, parts.pop().unwrap_or(0));
    for part in parts.into_iter().rev() {
        write_padded(out, part, 19);
    }
}

/// Appends `mantissa / 2^shift`, rounded to 17 digits behind the point.
fn write_fixed_point(out: &mut Vec<u8>, mantissa: u64, shift: u32) {
    // Beyond this the value is less than half of the last digit shown.
    if shift > 127 {
        return out.push(b'0');
    }
    let whole = mantissa.checked_shr(shift).unwrap_or(0);
    let rest = u128::from(mantissa) & ((1u128 << shift) - 1);
    // The rest is less than 2^64 and 10^17 less than 2^57, so the product fits.
    let scaled = rest * TEN_TO_DECIMALS;
    let (mut fraction, dropped) = (scaled >> shift, scaled & ((1u128 << shift) - 1));
    if shift > 0 {
        let half = 1u128 << (shift - 1);
        fraction += u128::from(dropped > half || dropped == half && fraction & 1 == 1);
    }
    let (carry, mut fraction) = ((fraction / TEN_TO_DECIMALS) as u64, (fraction % TEN_TO_DECIMALS) as u64);
    // A carry needs a fraction, which leaves the whole part below 2^63.
    write_u64(out, whole + carry);
    if fraction == 0 {
        return;
    }
    let mut decimals = DECIMALS as usize;
    while fraction % 10 == 0 {
        fraction /= 10;
        decimals -= 1;
    }
    out.push(b'.');
    write_padded(out, fraction, decimals);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<LongDouble> {
        LongDouble::parse(text.as_bytes())
    }

    fn shown(value: LongDouble) -> String {
        let mut out = Vec::new();
        value.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_ordered_as_numbers() {
        let ascending = ["-inf", "-1e4932", "-2", "-1.5", "-1e-4950", "0", "1e-4950", "1", "1.5", "2", "1e4932", "inf"];
        for (at, low) in ascending.iter().enumerate() {
            for high in &ascending[at + 1..] {
                assert!(read(low) < read(high), "{low} {high}");
            }
            assert_eq!(read(low).map(|value| -(-value)), read(low), "{low}");
        }
        assert_eq!(read("-0"), Some(LongDouble::ZERO));
        assert_eq!(-LongDouble::ZERO, LongDouble::ZERO);
        assert!(!LongDouble::MAX.plus(LongDouble::MAX).unwrap().is_finite());
        assert_eq!(LongDouble::MAX.plus(-LongDouble::MAX), Some(LongDouble::ZERO));
        assert_eq!(read("1.18973149535723176502e4932"), Some(LongDouble::MAX));
    }

    /// SET and INCRBYFLOAT on Redis 7.0.15, Redis 8.0.6 and Valkey 9.1.2, which agree.
    #[test]
    fn sums_have_the_digits_of_the_reference() {
        for (left, right, sum) in [
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("3", "1.1", "4.1"),
            ("0.1", "0.2", "0.3"),
            ("0", "-0.0", "0"),
            ("-0.0", "0", "0"),
            ("1e17", "0.1", "100000000000000000.1015625"),
            ("0", "1e-17", "0.00000000000000001"),
            ("0", "5e-18", "0"),
            ("0", "5.1e-18", "0.00000000000000001"),
            ("0.000000000000000015", "0", "0.00000000000000002"),
            ("0.99999999999999999", "0", "0.99999999999999999"),
            ("0.999999999999999999", "0", "1"),
            ("1e30", "0", "1000000000000000000024696061952"),
            ("1e19", "0.5", "10000000000000000000"),
            ("1.5", "0x1p-3", "1.625"),
            ("123456789.123456789", "1e-9", "123456789.12345678999554366"),
            ("18446744073709551616", "1", "18446744073709551616"),
            ("18446744073709551615", "0.5", "18446744073709551616"),
            ("36893488147419103232", "3", "36893488147419103236"),
            ("-18446744073709551617", "0.5", "-18446744073709551616"),
            ("1e-4950", "0", "0"),
            ("+1", "+1", "2"),
            ("1.", ".5", "1.5"),
        ] {
            let result = read(left).unwrap().plus(read(right).unwrap()).unwrap();
            assert_eq!(shown(result), sum, "{left} + {right}");
        }
    }

    #[test]
    fn what_is_not_wholly_a_long_double_is_refused() {
        let long = "1".repeat(TEXT_LEN_MAX + 1);
        for text in
            ["", "nan", " 1", "1 ", "1e5000", "-1e5000", "1e-5000", "1e99999999999999999999", "1e", "0x", ".", &long]
        {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert!(read(&long[1..]).is_none(), "larger than any long double");
        assert_eq!(shown(read("-inf").unwrap()), "-inf");
        assert!(!read("Infinity").unwrap().is_finite());
        assert_eq!(read("inf").unwrap().plus(read("-inf").unwrap()), None);
        assert!(!read("1e4932").unwrap().plus(read("1e4932").unwrap()).unwrap().is_finite());
    }

    #[test]
    fn the_largest_and_the_smallest_value_are_read() {
        let largest = read("0xf.fffffffffffffffp16380").unwrap();
        assert!(shown(largest).starts_with("118973149535723176502126385303097020"));
        assert_eq!(read("1.189731495357231765021263853030970205169063322294624200440323733891737e4932"), Some(largest));
        assert_eq!(read("0xf.fffffffffffffff8p16380"), None);
        let smallest = read("0x1p-16445").unwrap();
        assert_eq!(read("3.6e-4951"), Some(smallest));
        assert_eq!(read("0x1p-16446"), None);
    }

    proptest! {
        /// Both ways of reading decimals must agree wherever both can be used.
        #[test]
        fn small_and_large_decimals_round_alike(digits in 1u64.., exponent in -27i64..=27) {
            let decimal = Decimal::parse(format!("{digits}e{exponent}").as_bytes()).unwrap();
            if let Some(small) = decimal.small() {
                prop_assert_eq!(small, decimal.large());
            }
        }

        #[test]
        fn doubles_are_exact_and_show_what_rust_shows(value in prop_oneof![-1e25f64..1e25, -10f64..10.0, any::<f64>()]) {
            prop_assume!(value.is_finite());
            let mut expected = format!("{value:.17}");
            expected.truncate(expected.trim_end_matches('0').trim_end_matches('.').len());
            if expected == "-0" {
                expected.remove(0);
            }
            prop_assert_eq!(shown(LongDouble::from(value)), expected);
            prop_assert_eq!(read(&format!("{value:e}")).map(|read| read.plus(LongDouble::from(-value)).unwrap().is_finite()), Some(true));
        }

        #[test]
        fn adding_integers_is_exact(a in -(1i64 << 62)..1 << 62, b in -(1i64 << 62)..1 << 62, shift in 0u32..62) {
            let (a, b) = (a, b >> shift);
            let sum = read(&a.to_string()).unwrap().plus(read(&b.to_string()).unwrap()).unwrap();
            prop_assert_eq!(shown(sum), (a + b).to_string());
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9.eExpPaf]{0,24}") {
            if let Some(value) = read(&text) {
                shown(value);
            }
        }
    }
}
