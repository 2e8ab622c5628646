//! Few digits that read back as a double, found with 64-bit integers: the Grisu2 algorithm (Florian Loitsch, "Printing Floating-Point
//! Numbers Quickly and Accurately with Integers", 2010).
//!
//! In about 1 of 1,000 doubles it finds one digit more than the fewest. Redis and Valkey show scores with it, so we do too: 1e23 is `99999999999999990000000`.

/// Digits `d.ddd × 10^exponent`, the first and the last one not zero.
pub(super) struct Digits {
    pub(super) text: [u8; 20],
    pub(super) len: usize,
    pub(super) exponent: i32,
}

/// A number `mantissa × 2^exponent`.
#[derive(Clone, Copy)]
struct Scaled {
    mantissa: u64,
    exponent: i32,
}

/// The digits of a positive finite double.
pub(super) fn digits(value: f64) -> Digits {
    let (exact, lower, upper) = neighbourhood(value);
    // Scaled by a power of ten, the upper end has a whole part of at most 32 bits and a fraction of at least 32.
    let (power, ten) = power_of_ten(upper.exponent);
    let [exact, mut lower, mut upper] = [exact, lower, upper].map(|number| number.times(power));
    // The products are off by less than one unit: the ends move inwards, so that all between them reads back.
    lower.mantissa += 1;
    upper.mantissa -= 1;
    generate(upper, upper.mantissa - lower.mantissa, upper.mantissa - exact.mantissa, -ten)
}

impl Scaled {
    /// The upper half of the product, rounded.
    fn times(self, other: Scaled) -> Scaled {
        let product = u128::from(self.mantissa) * u128::from(other.mantissa) + (1 << 63);
        Scaled { mantissa: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }
}

/// A double and the two ends of the interval whose numbers round to it, all with the same exponent.
fn neighbourhood(value: f64) -> (Scaled, Scaled, Scaled) {
    const HIDDEN: u64 = 1 << 52;
    let bits = value.to_bits();
    let (fraction, biased) = (bits & (HIDDEN - 1), (bits >> 52) as i32);
    let (mantissa, exponent) = if biased == 0 { (fraction, -1074) } else { (fraction | HIDDEN, biased - 1075) };
    // In quarters of the last place: below a power of two the doubles lie twice as densely.
    let (exact, exponent) = (mantissa << 2, exponent - 2);
    let below = if mantissa == HIDDEN { 1 } else { 2 };
    let shift = (exact + 2).leading_zeros();
    let scaled = |quarters: u64| Scaled { mantissa: quarters << shift, exponent: exponent - shift as i32 };
    (scaled(exact), scaled(exact - below), scaled(exact + 2))
}

/// A power of ten that scales a number with this exponent, and which one it is.
fn power_of_ten(exponent: i32) -> (Scaled, i32) {
    // The product's exponent must lie between -60 and -32; the first guess is seldom wrong.
    let mut index = ((-f64::from(exponent + 87) * std::f64::consts::LOG10_2) as i32 - FIRST_POWER) / POWER_STEP;
    loop {
        let ten = FIRST_POWER + index * POWER_STEP;
        // The binary logarithm of ten, in 65,536ths, is exact enough for all powers here.
        let power = Scaled { mantissa: POWERS[index as usize], exponent: ((ten * 217_706) >> 16) - 63 };
        match exponent + power.exponent + 64 {
            ..-60 => index += 1,
            -31.. => index -= 1,
            _ => return (power, ten),
        }
    }
}

/// The digits of `upper`, from the left, until what is left out is within `width` of it; then as near to the exact value, which lies
/// `to_exact` below, as the last digit allows. All are to be multiplied by 10^`ten`.
fn generate(upper: Scaled, mut width: u64, mut to_exact: u64, ten: i32) -> Digits {
    let point = -upper.exponent as u32;
    let one = 1u64 << point;
    let mut digits = Digits { text: [0; 20], len: 0, exponent: 0 };
    let mut whole = (upper.mantissa >> point) as u32;
    let mut fraction = upper.mantissa & (one - 1);
    let places = whole.checked_ilog10().map_or(0, |log| log as i32 + 1);
    digits.exponent = ten + places - 1;
    for place in (0..places as u32).rev() {
        let unit = 10u32.pow(place);
        digits.push((whole / unit) as u8);
        whole %= unit;
        let rest = (u64::from(whole) << point) + fraction;
        if rest <= width {
            digits.approach(to_exact, width, rest, u64::from(unit) << point);
            return digits;
        }
    }
    loop {
        fraction *= 10;
        width *= 10;
        to_exact *= 10;
        let digit = (fraction >> point) as u8;
        if digits.len == 0 && digit == 0 {
            digits.exponent -= 1;
        } else {
            digits.push(digit);
        }
        fraction &= one - 1;
        if fraction < width {
            digits.approach(to_exact, width, fraction, one);
            return digits;
        }
    }
}

impl Digits {
    fn push(&mut self, digit: u8) {
        self.text[self.len] = b'0' + digit;
        self.len += 1;
    }

    /// Lowers the last digit while the number stays within the interval and comes nearer to the exact value. `rest` is how far the
    /// number lies below the upper end, `unit` what one of the last digit is worth.
    fn approach(&mut self, to_exact: u64, width: u64, mut rest: u64, unit: u64) {
        while rest < to_exact
            && width - rest >= unit
            && (rest + unit < to_exact || to_exact - rest > rest + unit - to_exact)
        {
            self.text[self.len - 1] -= 1;
            rest += unit;
        }
    }
}

const FIRST_POWER: i32 = -348;
const POWER_STEP: i32 = 8;

/// The highest 64 bits, rounded, of every eighth power of ten from 10^-348 to 10^340.
#[rustfmt::skip]
const POWERS: [u64; 87] = [
    0xfa8fd5a0081c0288, 0xbaaee17fa23ebf76, 0x8b16fb203055ac76, 0xcf42894a5dce35ea, 0x9a6bb0aa55653b2d,
    0xe61acf033d1a45df, 0xab70fe17c79ac6ca, 0xff77b1fcbebcdc4f, 0xbe5691ef416bd60c, 0x8dd01fad907ffc3c,
    0xd3515c2831559a83, 0x9d71ac8fada6c9b5, 0xea9c227723ee8bcb, 0xaecc49914078536d, 0x823c12795db6ce57,
    0xc21094364dfb5637, 0x9096ea6f3848984f, 0xd77485cb25823ac7, 0xa086cfcd97bf97f4, 0xef340a98172aace5,
    0xb23867fb2a35b28e, 0x84c8d4dfd2c63f3b, 0xc5dd44271ad3cdba, 0x936b9fcebb25c996, 0xdbac6c247d62a584,
    0xa3ab66580d5fdaf6, 0xf3e2f893dec3f126, 0xb5b5ada8aaff80b8, 0x87625f056c7c4a8b, 0xc9bcff6034c13053,
    0x964e858c91ba2655, 0xdff9772470297ebd, 0xa6dfbd9fb8e5b88f, 0xf8a95fcf88747d94, 0xb94470938fa89bcf,
    0x8a08f0f8bf0f156b, 0xcdb02555653131b6, 0x993fe2c6d07b7fac, 0xe45c10c42a2b3b06, 0xaa242499697392d3,
    0xfd87b5f28300ca0e, 0xbce5086492111aeb, 0x8cbccc096f5088cc, 0xd1b71758e219652c, 0x9c40000000000000,
    0xe8d4a51000000000, 0xad78ebc5ac620000, 0x813f3978f8940984, 0xc097ce7bc90715b3, 0x8f7e32ce7bea5c70,
    0xd5d238a4abe98068, 0x9f4f2726179a2245, 0xed63a231d4c4fb27, 0xb0de65388cc8ada8, 0x83c7088e1aab65db,
    0xc45d1df942711d9a, 0x924d692ca61be758, 0xda01ee641a708dea, 0xa26da3999aef774a, 0xf209787bb47d6b85,
    0xb454e4a179dd1877, 0x865b86925b9bc5c2, 0xc83553c5c8965d3d, 0x952ab45cfa97a0b3, 0xde469fbd99a05fe3,
    0xa59bc234db398c25, 0xf6c69a72a3989f5c, 0xb7dcbf5354e9bece, 0x88fcf317f22241e2, 0xcc20ce9bd35c78a5,
    0x98165af37b2153df, 0xe2a0b5dc971f303a, 0xa8d9d1535ce3b396, 0xfb9b7cd9a4a7443c, 0xbb764c4ca7a44410,
    0x8bab8eefb6409c1a, 0xd01fef10a657842c, 0x9b10a4e5e9913129, 0xe7109bfba19c0c9d, 0xac2820d9623bf429,
    0x80444b5e7aa7cf85, 0xbf21e44003acdd2d, 0x8e679c2f5e44ff8f, 0xd433179d9c8cb841, 0x9e19db92b4e31ba9,
    0xeb96bf6ebadf77d9, 0xaf87023b9bf0ee6b,
];

#[cfg(test)]
mod tests {
    use super::super::big::Big;
    use super::*;

    #[test]
    fn the_powers_of_ten_are_right() {
        for (index, &mantissa) in POWERS.iter().enumerate() {
            let ten = FIRST_POWER + index as i32 * POWER_STEP;
            let mut power = Big::default();
            power.multiply_add(1, 1);
            power.multiply_by_ten_to(ten.unsigned_abs());
            let (exact, lowest, _) = if ten >= 0 {
                power.top()
            } else {
                let mut numerator = Big::default();
                numerator.multiply_add(1, 1);
                numerator.shift_left(power.bits() + 128);
                let shift = power.bits() as i64 + 128;
                let (bits, lowest, inexact) = numerator.divide(&power).0.top();
                (bits, lowest - shift, inexact)
            };
            let zeros = exact.leading_zeros();
            let rounded = ((exact << zeros >> 63) + 1) >> 1;
            assert_eq!(rounded, u128::from(mantissa), "10^{ten}");
            let exponent = ((ten * 217_706) >> 16) - 63;
            assert_eq!(lowest + 64 - i64::from(zeros), i64::from(exponent), "10^{ten}");
        }
    }
}
