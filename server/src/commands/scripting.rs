//! Group scripting: EVAL and its kin, SCRIPT, FUNCTION and FCALL.

mod eval;
mod functions;
mod libraries;
mod script;

use super::Command;

pub const COMMANDS: &[Command] = &[
    eval::EVAL,
    eval::EVALSHA,
    eval::EVALSHA_RO,
    eval::EVAL_RO,
    eval::FCALL,
    eval::FCALL_RO,
    functions::FUNCTION,
    script::SCRIPT,
];
