//! Payloads of RESTORE: refused, or taken in so that every dialect that holds the value gives the same one back.

use ochre_rdb::testing::{show, view};
use ochre_rdb::{Dialect, dump, restore};
use ochre_values::Limits;

/// Restores `payload`, whatever its checksum.
///
/// # Panics
/// When what was taken in is not what is given out.
pub fn check(payload: &[u8]) {
    let Ok(built) = restore(payload, true, &Limits::default()) else { return };
    let shown = show(&built);
    for dialect in [Dialect::Redis8, Dialect::Valkey9, Dialect::Portable] {
        let again = dump(view(&built), dialect);
        let read = restore(&again, false, &Limits::default()).expect("what is written can be read");
        // The portable form leaves out what its readers do not know.
        if dialect == Dialect::Redis8 {
            assert_eq!(show(&read), shown, "a value reads back as it was written");
        }
    }
}
