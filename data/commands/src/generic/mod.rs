//! Group generic: what works on keys whatever their type.

mod expiry;
mod moving;
mod object;
mod payloads;
mod removal;
mod sort;
mod walks;

use crate::Command;

pub use object::encoding_of;

pub const COMMANDS: &[Command] = &[
    removal::DEL,
    removal::UNLINK,
    removal::EXISTS,
    removal::TOUCH,
    removal::TYPE,
    expiry::EXPIRE,
    expiry::PEXPIRE,
    expiry::EXPIREAT,
    expiry::PEXPIREAT,
    expiry::TTL,
    expiry::PTTL,
    expiry::EXPIRETIME,
    expiry::PEXPIRETIME,
    expiry::PERSIST,
    moving::RENAME,
    moving::RENAMENX,
    moving::MOVE,
    moving::COPY,
    payloads::DUMP,
    payloads::RESTORE,
    payloads::RESTORE_ASKING,
    walks::KEYS,
    walks::SCAN,
    walks::RANDOMKEY,
    object::OBJECT,
    sort::SORT,
    sort::SORT_RO,
];
