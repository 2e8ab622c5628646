//! Amounts of memory: `512mb` as configuration files write them, `1.50M` as INFO shows them.

use std::io::Write;

/// Reads a number of bytes with an optional unit, in any case: `b`, `k` (1,000), `kb` (1,024), `m`, `mb`, `g`, `gb`.
///
/// `None` for anything else and for what does not fit 64 bits.
pub fn parse(text: &[u8]) -> Option<u64> {
    let unit_at = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1_000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    // Unlike in commands, leading zeros do no harm here.
    let number = std::str::from_utf8(number).ok()?.parse::<u64>().ok()?;
    number.checked_mul(factor)
}

/// Appends `bytes` for people, as INFO's `used_memory_human`: `512B`, `1.50M`.
pub fn write_human(out: &mut Vec<u8>, bytes: u64) {
    const UNITS: [(u32, char); 5] = [(10, 'K'), (20, 'M'), (30, 'G'), (40, 'T'), (50, 'P')];
    let written = match UNITS.iter().rev().find(|(shift, _)| bytes >> shift > 0) {
        None => write!(out, "{bytes}B"),
        Some((shift, unit)) => write!(out, "{:.2}{unit}", bytes as f64 / (1u64 << shift) as f64),
    };
    written.expect("writing to a vector does not fail");
}

/// [`write_human`] as an owned text.
pub fn human(bytes: u64) -> String {
    let mut out = Vec::new();
    write_human(&mut out, bytes);
    String::from_utf8(out).expect("digits and a unit are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_powers_of_ten_without_b_and_of_two_with_it() {
        for (text, bytes) in [
            ("0", 0),
            ("100", 100),
            ("100b", 100),
            ("1k", 1_000),
            ("1kb", 1_024),
            ("1K", 1_000),
            ("2Mb", 2 << 20),
            ("2m", 2_000_000),
            ("1gb", 1 << 30),
            ("1G", 1_000_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(bytes), "{text}");
        }
        for text in ["", "b", "-1", "+1", "1.5gb", "1 kb", "1tb", "1kbb", "18446744073709551616", "99999999999gb"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn people_read_two_decimals() {
        for (bytes, text) in [
            (0, "0B"),
            (1_023, "1023B"),
            (1_024, "1.00K"),
            (1_572_864, "1.50M"),
            (1_048_575, "1024.00K"),
            (3 << 30, "3.00G"),
            (5 << 40, "5.00T"),
            (u64::MAX, "16384.00P"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
