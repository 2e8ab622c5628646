//! Every scenario in both encodings.

use crate::testing::Db;

/// Runs `scenario` on sorted sets that stay packed, and on such that never are.
pub(crate) fn in_both_encodings(scenario: impl Fn(&mut Db)) {
    for packed_max in [128, 0] {
        let mut db = Db::new();
        db.context.limits.sorted_set_max_listpack_entries = packed_max;
        scenario(&mut db);
    }
}
