//! How many bits are set, and where the next one is.

use ochre_collections::count_ones;

/// Number of set bits from bit `first` to bit `last`, both inclusive, which must lie in `bytes`.
pub(super) fn count_ones_between(bytes: &[u8], first: u64, last: u64) -> u64 {
    let bytes = &bytes[(first / 8) as usize..=(last / 8) as usize];
    let before = bytes[0] & !(0xff >> (first % 8));
    let behind = bytes[bytes.len() - 1] & (0x7f >> (last % 8));
    count_ones(bytes) - u64::from(before.count_ones()) - u64::from(behind.count_ones())
}

/// The first bit from `first` to `last`, both inclusive, which must lie in `bytes`, that is `on`.
pub(super) fn find_bit(bytes: &[u8], on: bool, first: u64, last: u64) -> Option<u64> {
    // What is looked for becomes a set bit.
    let flip = if on { 0 } else { u64::MAX };
    let start = (first / 8) as usize;
    let bytes = &bytes[start..=(last / 8) as usize];
    let head = (bytes[0] ^ flip as u8) & (0xff >> (first % 8));
    let at = if head != 0 {
        u64::from(head.leading_zeros())
    } else {
        let (words, rest) = bytes[1..].as_chunks::<8>();
        let in_word = words.iter().position(|word| u64::from_ne_bytes(*word) != flip);
        match in_word {
            Some(word) => 8 + word as u64 * 64 + u64::from((u64::from_be_bytes(words[word]) ^ flip).leading_zeros()),
            None => {
                let byte = rest.iter().position(|byte| *byte != flip as u8)?;
                let before = 8 + words.len() as u64 * 64 + byte as u64 * 8;
                before + u64::from((rest[byte] ^ flip as u8).leading_zeros())
            }
        }
    };
    Some(start as u64 * 8 + at).filter(|at| *at <= last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bit(bytes: &[u8], at: u64) -> bool {
        bytes[(at / 8) as usize] & (0x80 >> (at % 8)) != 0
    }

    /// Mostly runs of equal bytes, so that searches go far.
    fn bitmap() -> impl Strategy<Value = Vec<u8>> {
        let run = (prop_oneof![Just(0), Just(0xff), any::<u8>()], 0..400usize);
        prop::collection::vec(run, 1..5)
            .prop_map(|runs| runs.into_iter().flat_map(|(byte, length)| std::iter::repeat_n(byte, length)).collect())
            .prop_filter("not empty", |bytes: &Vec<u8>| !bytes.is_empty())
    }

    proptest! {
        #[test]
        fn counting_and_searching_agree_with_single_bits(bytes in bitmap(), a: u64, b: u64, on: bool) {
            let bits = bytes.len() as u64 * 8;
            let (first, last) = ((a % bits).min(b % bits), (a % bits).max(b % bits));
            let set = (first..=last).filter(|at| bit(&bytes, *at)).count() as u64;
            prop_assert_eq!(count_ones_between(&bytes, first, last), set);
            prop_assert_eq!(find_bit(&bytes, on, first, last), (first..=last).find(|at| bit(&bytes, *at) == on));
        }
    }
}
