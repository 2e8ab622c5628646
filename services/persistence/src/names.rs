//! The names of the files that make up an append-only file.

/// Makes names from `appendfilename`.
#[derive(Clone, Debug)]
pub struct Names {
    stem: String,
}

impl Names {
    pub fn new(stem: &str) -> Names {
        Names { stem: stem.to_owned() }
    }

    /// The name that stands for all of it, and that the one file of older versions has.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    pub fn manifest(&self) -> String {
        format!("{}.manifest", self.stem)
    }

    /// The manifest while it is written.
    pub fn manifest_temporary(&self) -> String {
        format!("temp-{}.manifest", self.stem)
    }

    /// A base; `snapshot`: in the format of snapshots, else as commands.
    pub fn base(&self, sequence: u64, snapshot: bool) -> String {
        format!("{}.{sequence}.base.{}", self.stem, if snapshot { "rdb" } else { "aof" })
    }

    pub fn incremental(&self, sequence: u64) -> String {
        format!("{}.{sequence}.incr.aof", self.stem)
    }

    /// What is appended until the first base is there.
    pub fn incremental_temporary(&self) -> String {
        format!("temp-{}.incr", self.stem)
    }

    /// Whether a file of this name in the folder is a segment, listed or not.
    pub fn is_segment(&self, name: &str) -> bool {
        let Some(rest) = name.strip_prefix(&self.stem).and_then(|rest| rest.strip_prefix('.')) else { return false };
        let Some((sequence, kind)) = rest.split_once('.') else { return false };
        let numbered = !sequence.is_empty() && sequence.bytes().all(|byte| byte.is_ascii_digit());
        numbered && matches!(kind, "base.rdb" | "base.aof" | "incr.aof")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_known_by_their_names() {
        let names = Names::new("a b.aof");
        for name in [names.base(1, true), names.base(12, false), names.incremental(3)] {
            assert!(names.is_segment(&name), "{name}");
        }
        for name in ["a b.aof", "a b.aof.manifest", "a b.aof.x.incr.aof", "a b.aof..incr.aof", "b.aof.1.incr.aof"] {
            assert!(!names.is_segment(name), "{name}");
        }
    }
}
