//! From registers to a count: Otmar Ertl's improved estimator ("New cardinality estimation algorithms for HyperLogLog sketches",
//! 2017, algorithm 6), computed in the same order of operations as by the peers, so that the counts are the same.

use super::{RANK_BITS, REGISTERS, Registers};

/// 1 / (2 ln 2).
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// About how many different elements raised the registers; off by 0.81 % on average.
pub fn estimate(registers: &Registers) -> u64 {
    // Four tallies, because neighbours are often equal and would wait for each other.
    let mut tallies = [[0u32; 256]; 4];
    let (fours, _) = registers.as_chunks::<4>();
    for ranks in fours {
        for (tally, rank) in tallies.iter_mut().zip(ranks) {
            tally[usize::from(*rank)] += 1;
        }
    }
    let of_rank = |rank: u32| f64::from(tallies.iter().map(|tally| tally[rank as usize]).sum::<u32>());
    let all = REGISTERS as f64;
    let mut z = all * tau((all - of_rank(RANK_BITS + 1)) / all);
    for rank in (1..=RANK_BITS).rev() {
        z += of_rank(rank);
        z *= 0.5;
    }
    z += all * sigma(of_rank(0) / all);
    (ALPHA * all * all / z).round() as u64
}

/// x + Σ x^(2^k) · 2^(k-1), until nothing is added any more.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        let before = z;
        x *= x;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// ⅓ · (1 − x − Σ (1 − x^(2^-k))² · 2^-k), until nothing is taken away any more.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        let before = z;
        x = x.sqrt();
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}
