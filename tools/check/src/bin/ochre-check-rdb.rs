//! Checks a snapshot file: every key and value in depth, and the checksum.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let [_, file] = arguments.as_slice() else {
        let program = arguments.first().map_or("ochre-check-rdb".into(), |name| name.to_string_lossy());
        eprintln!("Usage: {program} <rdb-file-name>");
        return ExitCode::FAILURE;
    };
    if file == "-v" || file == "--version" {
        println!("ochre-check-rdb {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    match ochre_check::rdb::check_file(Path::new(file), &mut std::io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("Can't check {}: {error}", Path::new(file).display());
            ExitCode::FAILURE
        }
    }
}
