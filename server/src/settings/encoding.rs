//! Settings of encodings: how large a value may grow before it leaves its packed form.

use ochre_config::{Live, Unit};

use super::{ANY_INT, INT, LONG, Row, Settings};

/// Live values of this file's settings.
#[derive(Default)]
pub(crate) struct Encoding {
    hash_max_listpack_entries: Live<usize>,
    hash_max_listpack_value_bytes: Live<usize>,
    set_max_intset_entries: Live<usize>,
    set_max_listpack_entries: Live<usize>,
    set_max_listpack_value_bytes: Live<usize>,
    zset_max_listpack_entries: Live<usize>,
    zset_max_listpack_value_bytes: Live<usize>,
    list_max_listpack_size: Live<i64>,
    list_compress_depth: Live<usize>,
    stream_node_max_bytes: Live<usize>,
    stream_node_max_entries: Live<u64>,
    hll_sparse_max_bytes: Live<usize>,
}

/// All of them at one moment, for the floors below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EncodingLimits {
    /// Fields of a packed hash.
    pub(crate) hash_max_listpack_entries: usize,
    /// Longest field or value of a packed hash.
    pub(crate) hash_max_listpack_value_bytes: usize,
    /// Members of a set of integers.
    pub(crate) set_max_intset_entries: usize,
    /// Members of a packed set.
    pub(crate) set_max_listpack_entries: usize,
    /// Longest member of a packed set.
    pub(crate) set_max_listpack_value_bytes: usize,
    /// Members of a packed sorted set.
    pub(crate) zset_max_listpack_entries: usize,
    /// Longest member of a packed sorted set.
    pub(crate) zset_max_listpack_value_bytes: usize,
    /// Elements of a list's node; below zero -1 to -5 for 4, 8, 16, 32 or 64 KiB.
    pub(crate) list_max_listpack_size: i64,
    /// Nodes at each end of a list that are never compressed; 0 for no compression at all.
    pub(crate) list_compress_depth: usize,
    /// Bytes of a stream's node; 0 for any.
    pub(crate) stream_node_max_bytes: usize,
    /// Entries of a stream's node; 0 for any.
    pub(crate) stream_node_max_entries: u64,
    /// Bytes of a sparse HyperLogLog.
    pub(crate) hll_sparse_max_bytes: usize,
}

impl Settings {
    /// The limits of all encodings; a dozen relaxed loads.
    pub(crate) fn encoding_limits(&self) -> EncodingLimits {
        let live = &self.encoding;
        EncodingLimits {
            hash_max_listpack_entries: live.hash_max_listpack_entries.get(),
            hash_max_listpack_value_bytes: live.hash_max_listpack_value_bytes.get(),
            set_max_intset_entries: live.set_max_intset_entries.get(),
            set_max_listpack_entries: live.set_max_listpack_entries.get(),
            set_max_listpack_value_bytes: live.set_max_listpack_value_bytes.get(),
            zset_max_listpack_entries: live.zset_max_listpack_entries.get(),
            zset_max_listpack_value_bytes: live.zset_max_listpack_value_bytes.get(),
            list_max_listpack_size: live.list_max_listpack_size.get(),
            list_compress_depth: live.list_compress_depth.get(),
            stream_node_max_bytes: live.stream_node_max_bytes.get(),
            stream_node_max_entries: live.stream_node_max_entries.get(),
            hll_sparse_max_bytes: live.hll_sparse_max_bytes.get(),
        }
    }
}

/// The names of this file's settings that change [`EncodingLimits`], for [`Settings::on_change`].
pub(crate) const ENCODING_NAMES: &[&str] = &[
    "hash-max-listpack-entries",
    "hash-max-listpack-value",
    "set-max-intset-entries",
    "set-max-listpack-entries",
    "set-max-listpack-value",
    "zset-max-listpack-entries",
    "zset-max-listpack-value",
    "list-max-listpack-size",
    "list-compress-depth",
    "stream-node-max-bytes",
    "stream-node-max-entries",
    "hll-sparse-max-bytes",
];

pub(super) const ROWS: &[Row] = &[
    Row::number("hash-max-listpack-entries", LONG, "512", "Fields up to which a hash is packed.")
        .or(&["hash-max-ziplist-entries"])
        .mirrored(|live| &live.encoding.hash_max_listpack_entries),
    Row::bytes("hash-max-listpack-value", LONG, "64", "Length of fields and values up to which a hash is packed.")
        .or(&["hash-max-ziplist-value"])
        .mirrored(|live| &live.encoding.hash_max_listpack_value_bytes),
    Row::number("set-max-intset-entries", LONG, "512", "Members up to which a set of integers is packed.")
        .mirrored(|live| &live.encoding.set_max_intset_entries),
    Row::number("set-max-listpack-entries", LONG, "128", "Members up to which a set is packed.")
        .mirrored(|live| &live.encoding.set_max_listpack_entries),
    Row::number("set-max-listpack-value", LONG, "64", "Length of members up to which a set is packed.")
        .mirrored(|live| &live.encoding.set_max_listpack_value_bytes),
    Row::number("zset-max-listpack-entries", LONG, "128", "Members up to which a sorted set is packed.")
        .or(&["zset-max-ziplist-entries"])
        .mirrored(|live| &live.encoding.zset_max_listpack_entries),
    Row::bytes("zset-max-listpack-value", LONG, "64", "Length of members up to which a sorted set is packed.")
        .or(&["zset-max-ziplist-value"])
        .mirrored(|live| &live.encoding.zset_max_listpack_value_bytes),
    Row::number(
        "list-max-listpack-size",
        ANY_INT,
        "-2",
        "Elements of a list's node; -1 to -5 stand for 4, 8, 16, 32 or 64 KiB.",
    )
    .or(&["list-max-ziplist-size"])
    .mirrored(|live| &live.encoding.list_max_listpack_size),
    Row::number(
        "list-compress-depth",
        INT,
        "0",
        "Nodes at each end of a list that stay uncompressed; 0 compresses none.",
    )
    .mirrored(|live| &live.encoding.list_compress_depth),
    Row::bytes("stream-node-max-bytes", LONG, "4kb", "Bytes of a stream's node; 0 for any.")
        .mirrored(|live| &live.encoding.stream_node_max_bytes),
    Row::number("stream-node-max-entries", LONG, "100", "Entries of a stream's node; 0 for any.")
        .mirrored(|live| &live.encoding.stream_node_max_entries),
    Row::in_unit("hll-sparse-max-bytes", Unit::Bytes, LONG, "3000", "Bytes up to which a HyperLogLog is sparse.")
        .mirrored(|live| &live.encoding.hll_sparse_max_bytes),
];

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    #[test]
    fn encoding_limits_follow_the_settings_by_any_name() {
        let settings = settings("hash-max-ziplist-entries 7\nlist-max-ziplist-size -5\nzset-max-listpack-value 1kb");
        let limits = settings.encoding_limits();
        assert_eq!(limits.hash_max_listpack_entries, 7);
        assert_eq!(limits.list_max_listpack_size, -5);
        assert_eq!(limits.zset_max_listpack_value_bytes, 1024);
        assert_eq!(limits.set_max_intset_entries, 512);
    }

    #[test]
    fn every_encoding_row_is_named_for_hooks() {
        assert_eq!(ROWS.iter().map(|row| row.name).collect::<Vec<_>>(), ENCODING_NAMES);
    }
}
