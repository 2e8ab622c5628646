//! What the programs that check data files do; the programs themselves only read their arguments.

pub mod aof;
pub mod rdb;

#[cfg(test)]
mod tests {
    use super::aof::{self, Repair, Stop};
    use std::path::PathBuf;

    #[test]
    fn a_path_of_many_kilobytes_is_an_error() {
        let path = PathBuf::from("/x".repeat(50_000));
        for path in [path.clone(), path.with_extension("manifest")] {
            let outcome = aof::check(&path, Repair::Nothing, &mut Vec::new(), &mut || false);
            assert!(matches!(outcome, Err(Stop::Bad(reason)) if reason.contains("Cannot open file")));
        }
    }
}
