//! The inputs that are kept, those that once broke a promise among them. `OCHRE_INPUTS` names another folder to run instead, with
//! a folder for each target.

use ochre_abuse_tests::TARGETS;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[test]
fn every_promise_holds_for_the_inputs_that_are_kept() {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("inputs");
    let folder = std::env::var_os("OCHRE_INPUTS").map_or_else(own, PathBuf::from);
    let (mut count, mut broken) = (0, Vec::new());
    for (name, check) in TARGETS {
        let Ok(inputs) = folder.join(name).read_dir() else { continue };
        let mut inputs: Vec<_> = inputs.flatten().map(|input| input.path()).collect();
        inputs.sort();
        for input in inputs {
            let bytes = std::fs::read(&input).expect("it was just listed");
            count += 1;
            if catch_unwind(|| check(&bytes)).is_err() {
                eprintln!("--- {}", input.display());
                broken.push(input);
            }
        }
    }
    assert!(count > 0, "there are inputs in {}", folder.display());
    assert!(broken.is_empty(), "a promise is broken by {broken:?}");
}
