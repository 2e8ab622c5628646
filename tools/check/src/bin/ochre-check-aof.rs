//! Checks an append-only file, and cuts it where it stops being right, or where it begins to tell of later times.

use ochre_check::aof::{Repair, Stop, check};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let program = arguments.first().map_or("ochre-check-aof".into(), |name| name.to_string_lossy().into_owned());
    let words: Vec<_> = arguments.iter().skip(1).map(|word| word.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    let (file, repair) = match words.as_slice() {
        ["-v" | "--version"] => {
            println!("ochre-check-aof {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        [_] => (&arguments[1], Repair::Nothing),
        ["--fix", _] => (&arguments[2], Repair::Cut),
        ["--truncate-to-timestamp", time, _] => match time.parse() {
            Ok(timestamp_s) => (&arguments[3], Repair::CutAfter(timestamp_s)),
            Err(_) => {
                println!("Invalid timestamp, aborting...");
                return ExitCode::FAILURE;
            }
        },
        _ => {
            println!("Usage: {program} [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>");
            return ExitCode::FAILURE;
        }
    };
    let mut agree = || {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).is_ok() && answer.starts_with(['y', 'Y'])
    };
    match check(Path::new(file), repair, &mut std::io::stdout().lock(), &mut agree) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Bad(reason)) => {
            println!("{reason}");
            ExitCode::FAILURE
        }
        Err(Stop::Io(error)) => {
            println!("Cannot check {}: {error}", Path::new(file).display());
            ExitCode::FAILURE
        }
    }
}
