//! The thresholds at which a small value changes to its large encoding.

/// Encoding thresholds, in the units of the directives of the same names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    pub hash_max_listpack_entries: usize,
    pub hash_max_listpack_value_bytes: usize,
    /// `list-max-listpack-size`: positive is entries a node, -1 to -5 is 4 KiB to 64 KiB a node.
    pub list_max_listpack_size: i64,
    /// `list-compress-depth`: kept, without effect.
    pub list_compress_depth: usize,
    /// DEBUG QUICKLIST-PACKED-THRESHOLD: elements from this length on stand alone in a long list; 0 leaves that to the chunk's size.
    pub list_plain_node_bytes_min: usize,
    pub set_max_intset_entries: usize,
    pub set_max_listpack_entries: usize,
    pub set_max_listpack_value_bytes: usize,
    pub sorted_set_max_listpack_entries: usize,
    pub sorted_set_max_listpack_value_bytes: usize,
    pub hll_sparse_max_bytes: usize,
    pub stream_node_max_bytes: usize,
    pub stream_node_max_entries: usize,
    /// `proto-max-bulk-len`: no string grows past it.
    pub string_max_bytes: usize,
}

/// The defaults of Valkey 9.1.
pub const DEFAULT: Limits = Limits {
    hash_max_listpack_entries: 512,
    hash_max_listpack_value_bytes: 64,
    list_max_listpack_size: -2,
    list_compress_depth: 0,
    list_plain_node_bytes_min: 0,
    set_max_intset_entries: 512,
    set_max_listpack_entries: 128,
    set_max_listpack_value_bytes: 64,
    sorted_set_max_listpack_entries: 128,
    sorted_set_max_listpack_value_bytes: 64,
    hll_sparse_max_bytes: 3000,
    stream_node_max_bytes: 4096,
    stream_node_max_entries: 100,
    string_max_bytes: 512 << 20,
};

impl Default for Limits {
    fn default() -> Self {
        DEFAULT
    }
}
