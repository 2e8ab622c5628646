//! MurmurHash64A, which decides the register of an element in a HyperLogLog.

const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
const SHIFT: u32 = 47;

/// The hash of `bytes`, as on a little-endian machine.
pub fn murmur64a(bytes: &[u8], seed: u64) -> u64 {
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash ^ mixed(u64::from_le_bytes(*word))).wrapping_mul(MULTIPLIER);
    }
    if !tail.is_empty() {
        let mut word = [0; 8];
        word[..tail.len()].copy_from_slice(tail);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ hash >> SHIFT).wrapping_mul(MULTIPLIER);
    hash ^ hash >> SHIFT
}

fn mixed(word: u64) -> u64 {
    let word = word.wrapping_mul(MULTIPLIER);
    (word ^ word >> SHIFT).wrapping_mul(MULTIPLIER)
}

#[cfg(test)]
mod tests {
    use super::murmur64a;

    /// Which register PFADD raises on Redis 7.0.15 and Valkey 9.1.2: the lower 14 bits are its number.
    #[test]
    fn hashes_lead_to_the_registers_of_the_reference() {
        for (text, register) in REGISTERS {
            assert_eq!(murmur64a(text.as_bytes(), 0xadc8_3b19) & 16_383, *register, "{text}");
        }
    }

    const REGISTERS: &[(&str, u64)] = &[
        ("", 5938),
        ("a", 12711),
        ("ab", 719),
        ("abc", 9474),
        ("abcdefg", 5634),
        ("abcdefgh", 1383),
        ("abcdefghi", 6903),
        ("The quick brown fox jumps over the lazy dog", 6862),
    ];
}
