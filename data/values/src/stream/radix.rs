//! How many nodes Redis's radix tree would have for some keys.
//!
//! A run of bytes without a branch is one node, so is a branch, and so is the end of every key.

const KEY_BYTES: usize = 16;

/// Number of nodes for these keys, which come in order, each once, and at least one.
pub(super) fn tree_nodes(keys: impl Iterator<Item = [u8; KEY_BYTES]>) -> usize {
    // Bytes of the branches that the last key lies under, from the root on.
    let mut branches: Vec<usize> = Vec::new();
    let mut last: Option<[u8; KEY_BYTES]> = None;
    let mut nodes = 0;
    // A node that begins after `above` bytes (those of a branch and one more) and ends after `below`.
    let run = |above: Option<usize>, below: usize| usize::from(below > above.map_or(0, |branch| branch + 1));
    for key in keys {
        if let Some(last) = last {
            let common = last.iter().zip(&key).take_while(|(one, other)| one == other).count();
            // The last key is complete: its end hangs under the deeper of its two branches.
            let above = branches.last().copied().map_or(common, |branch| branch.max(common));
            nodes += 1 + run(Some(above), KEY_BYTES);
            nodes += close(&mut branches, Some(common), &run);
            if branches.last() != Some(&common) {
                branches.push(common);
            }
        }
        last = Some(key);
    }
    nodes += 1 + run(branches.last().copied(), KEY_BYTES);
    nodes + close(&mut branches, None, &run)
}

/// Ends the branches below `common`, and counts them with the runs that lead to them.
fn close(branches: &mut Vec<usize>, common: Option<usize>, run: &impl Fn(Option<usize>, usize) -> usize) -> usize {
    let mut nodes = 0;
    while let Some(branch) = branches.pop_if(|branch| common.is_none_or(|common| *branch > common)) {
        let above = branches.last().copied().max(common);
        nodes += 1 + run(above, branch);
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::tree_nodes;

    fn nodes(keys: &[u64]) -> usize {
        tree_nodes(keys.iter().map(|key| u128::from(*key).to_be_bytes()))
    }

    #[test]
    fn runs_branches_and_ends_are_counted() {
        // A run and the end; a run, a branch and two ends; and so on, as XINFO STREAM of Redis 7.0 shows it.
        assert_eq!(nodes(&[1]), 2);
        assert_eq!(nodes(&[1, 2]), 4);
        assert_eq!(nodes(&[1, 2, 3]), 5);
        assert_eq!(nodes(&[1, 0x100]), 6);
        assert_eq!(nodes(&[1, 2, 0x100]), 7);
        assert_eq!(nodes(&[1, 0x100, 0x200]), 8);
        assert_eq!(nodes(&[1, 0x100, 0x101, 0x10_0000]), 10);
        assert_eq!(nodes(&[5, 70_000, 70_001, 70_255, 1 << 40, (1 << 40) + 256]), 18);
    }
}
