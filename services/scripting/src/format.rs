//! Numbers as C's `%.Ng` writes them.

/// Appends `value` as `%.{digits}g` would.
pub fn write_general(out: &mut Vec<u8>, value: f64, digits: usize) {
    if value.is_nan() {
        // What x86 makes of 0/0 has its sign bit set.
        out.extend_from_slice(if value.is_sign_negative() { b"-nan" } else { b"nan" });
        return;
    }
    if value.is_infinite() {
        out.extend_from_slice(if value < 0.0 { b"-inf" } else { b"inf" });
        return;
    }
    // Whole numbers, nearly all there are, below the point from which on `%g` uses an exponent.
    if value.fract() == 0.0 && value.abs() < 1e14 && !(value == 0.0 && value.is_sign_negative()) {
        ochre_text::number::write_i64(out, value as i64);
        return;
    }
    let scientific = format!("{:.*e}", digits.max(1) - 1, value);
    let (mantissa, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a decimal exponent");
    if exponent < -4 || exponent >= digits.max(1) as i32 {
        out.extend_from_slice(trimmed(mantissa).as_bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
        return;
    }
    let decimals = (digits.max(1) as i32 - 1 - exponent).max(0) as usize;
    let fixed = format!("{value:.decimals$}");
    out.extend_from_slice(trimmed(&fixed).as_bytes());
}

/// Without the zeros at the end that say nothing.
fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// What [`write_general`] writes.
pub fn general(value: f64, digits: usize) -> Vec<u8> {
    let mut out = Vec::new();
    write_general(&mut out, value, digits);
    out
}

#[cfg(test)]
mod tests {
    use super::general;

    #[test]
    fn numbers_look_as_c_writes_them() {
        let g = |value, digits| String::from_utf8(general(value, digits)).unwrap();
        assert_eq!(g(12.5, 17), "12.5");
        assert_eq!(g(0.1, 17), "0.10000000000000001");
        assert_eq!(g(0.1, 14), "0.1");
        assert_eq!(g(1e15, 17), "1000000000000000");
        assert_eq!(g(1e15, 14), "1e+15");
        assert_eq!(g(1e300, 17), "1.0000000000000001e+300");
        assert_eq!(g(-0.0, 17), "-0");
        assert_eq!(g(9007199254740992.0, 17), "9007199254740992");
        assert_eq!(g(9223372036854775808.0, 17), "9.2233720368547758e+18");
        assert_eq!(g(1e-5, 14), "1e-05");
        assert_eq!(g(0.0001, 14), "0.0001");
        assert_eq!(g(f64::INFINITY, 14), "inf");
    }
}
