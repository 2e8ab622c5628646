//! Unsigned integers of any size: just what reading and showing long doubles takes.

/// Invariant: words from the lowest up, the last one not zero.
#[derive(Default)]
pub(super) struct Big {
    words: Vec<u64>,
}

impl Big {
    pub(super) fn is_zero(&self) -> bool {
        self.words.is_empty()
    }

    /// The number of bits up to the highest that is set.
    pub(super) fn bits(&self) -> usize {
        let top = self.words.last().map_or(0, |word| word.leading_zeros() as usize);
        self.words.len() * 64 - top
    }

    /// self = self × factor + addend.
    pub(super) fn multiply_add(&mut self, factor: u64, addend: u64) {
        let mut carry = u128::from(addend);
        for word in &mut self.words {
            let product = u128::from(*word) * u128::from(factor) + carry;
            *word = product as u64;
            carry = product >> 64;
        }
        if carry != 0 {
            self.words.push(carry as u64);
        }
    }

    pub(super) fn multiply_by_ten_to(&mut self, power: u32) {
        for _ in 0..power / 19 {
            self.multiply_add(10u64.pow(19), 0);
        }
        self.multiply_add(10u64.pow(power % 19), 0);
    }

    pub(super) fn shift_left(&mut self, bits: usize) {
        self.multiply_add(1 << (bits % 64), 0);
        if !self.is_zero() {
            self.words.splice(0..0, std::iter::repeat_n(0, bits / 64));
        }
    }

    /// Divides by a number that is not zero, in place, and returns the remainder.
    pub(super) fn divide_small(&mut self, divisor: u64) -> u64 {
        let mut rest = 0u128;
        for word in self.words.iter_mut().rev() {
            let part = rest << 64 | u128::from(*word);
            *word = (part / u128::from(divisor)) as u64;
            rest = part % u128::from(divisor);
        }
        self.trim();
        rest as u64
    }

    /// The quotient, which must have few bits (one step of long division each), and whether anything is left over.
    pub(super) fn divide(mut self, divisor: &Big) -> (Big, bool) {
        let mut quotient = Big::default();
        let Some(steps) = self.bits().checked_sub(divisor.bits()) else { return (quotient, !self.is_zero()) };
        for shift in (0..=steps).rev() {
            let fits = self.subtract_shifted(divisor, shift);
            quotient.multiply_add(2, u64::from(fits));
        }
        (quotient, !self.is_zero())
    }

    /// The highest 128 bits, the place of the lowest of them, and whether any lower bit is set.
    pub(super) fn top(&self) -> (u128, i64, bool) {
        let low = self.bits().saturating_sub(128);
        let (word, bit) = (low / 64, low % 64);
        let at = |index: usize| u128::from(self.words.get(word + index).copied().unwrap_or(0));
        let mut bits = at(0) >> bit | at(1) << (64 - bit);
        if bit > 0 {
            bits |= at(2) << (128 - bit);
        }
        let cut = self.words.get(word).is_some_and(|lowest| lowest & ((1 << bit) - 1) != 0);
        let inexact = cut || self.words[..word].iter().any(|&lower| lower != 0);
        (bits, low as i64, inexact)
    }

    /// Subtracts `other × 2^shift` if it is not larger, and says whether.
    fn subtract_shifted(&mut self, other: &Big, shift: usize) -> bool {
        if self.less_than_shifted(other, shift) {
            return false;
        }
        let mut borrow = false;
        for index in 0..self.words.len() {
            let (value, first) = self.words[index].overflowing_sub(other.shifted_word(index, shift));
            let (value, second) = value.overflowing_sub(u64::from(borrow));
            self.words[index] = value;
            borrow = first || second;
        }
        self.trim();
        true
    }

    fn less_than_shifted(&self, other: &Big, shift: usize) -> bool {
        let bits = other.bits() + shift;
        if self.bits() != bits {
            return self.bits() < bits;
        }
        let unequal = (0..self.words.len()).rev().find(|&index| self.words[index] != other.shifted_word(index, shift));
        unequal.is_some_and(|index| self.words[index] < other.shifted_word(index, shift))
    }

    /// The word at `index` of `self × 2^shift`.
    fn shifted_word(&self, index: usize, shift: usize) -> u64 {
        let Some(source) = index.checked_sub(shift / 64) else { return 0 };
        let at = |index: usize| self.words.get(index).copied().unwrap_or(0);
        match shift % 64 {
            0 => at(source),
            bits => at(source) << bits | source.checked_sub(1).map_or(0, |lower| at(lower) >> (64 - bits)),
        }
    }

    fn trim(&mut self) {
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }
}
