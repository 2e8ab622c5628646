//! SHA-1 names scripts, SHA-256 hides passwords, XXH3 compares values (DIGEST).

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The SHA-1 of `bytes`.
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    Sha1::digest(bytes).into()
}

/// The SHA-1 of `bytes` in lower-case hexadecimal: the name of a script.
pub fn sha1_hex(bytes: &[u8]) -> [u8; 40] {
    hex(&sha1(bytes))
}

/// The SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The SHA-256 of `bytes` in lower-case hexadecimal: a password in an ACL file.
pub fn sha256_hex(bytes: &[u8]) -> [u8; 64] {
    hex(&sha256(bytes))
}

/// The XXH3 of `bytes`, 64 bits, without a seed.
pub fn xxh3_64(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// `bytes` in lower-case hexadecimal; `N` must be twice their number.
pub fn hex<const N: usize>(bytes: &[u8]) -> [u8; N] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    assert_eq!(N, bytes.len() * 2, "a byte is two digits");
    std::array::from_fn(|at| {
        let byte = bytes[at / 2];
        DIGITS[usize::from(if at % 2 == 0 { byte >> 4 } else { byte & 15 })]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_known_texts() {
        assert_eq!(&sha1_hex(b"return 1"), b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
        assert_eq!(&sha256_hex(b"abc"), b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(xxh3_64(b""), 0x2d06_8005_38d3_94c2);
    }
}
