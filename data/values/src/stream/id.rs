//! The id of a stream entry: a time in milliseconds and a sequence number within it.

/// The id of a stream entry. Ids grow from entry to entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix time in ms, unless who adds entries has other ideas.
    pub ms: u64,
    pub seq: u64,
}

impl StreamId {
    /// `0-0`, which no entry has.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };
    /// The longest text of an id, in bytes.
    pub const TEXT_LEN_MAX: usize = 41;

    pub const fn new(ms: u64, seq: u64) -> Self {
        StreamId { ms, seq }
    }

    /// Whether this is `0-0`.
    pub fn is_zero(self) -> bool {
        self == StreamId::MIN
    }

    /// The next id, if there is one.
    pub fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The id before, if there is one.
    pub fn previous(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// The text: `ms-seq`.
    pub fn to_vec(self) -> Vec<u8> {
        self.format(&mut [0; StreamId::TEXT_LEN_MAX]).to_vec()
    }

    /// The text: `ms-seq`, written into `text`.
    pub fn format(self, text: &mut [u8; StreamId::TEXT_LEN_MAX]) -> &[u8] {
        let dash = write_digits(self.seq, text, StreamId::TEXT_LEN_MAX) - 1;
        text[dash] = b'-';
        let start = write_digits(self.ms, text, dash);
        &text[start..]
    }

    /// The 16 bytes under which Redis keeps a node: both numbers, the higher byte first.
    pub fn to_be_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// The id of these 16 bytes.
    pub fn from_be_bytes(bytes: [u8; 16]) -> StreamId {
        let both = u128::from_be_bytes(bytes);
        StreamId { ms: (both >> 64) as u64, seq: both as u64 }
    }
}

/// Writes the decimal digits of `value` before `end`, and says where they begin.
fn write_digits(mut value: u64, text: &mut [u8], end: usize) -> usize {
    let mut at = end;
    loop {
        at -= 1;
        text[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StreamId;

    #[test]
    fn ids_are_counted_up_and_down() {
        let id = StreamId::new(5, u64::MAX);
        assert_eq!(id.next(), Some(StreamId::new(6, 0)));
        assert_eq!(StreamId::new(6, 0).previous(), Some(id));
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.previous(), None);
        assert_eq!(StreamId::MIN.next(), Some(StreamId::new(0, 1)));
    }

    #[test]
    fn ids_have_a_text_and_a_key() {
        assert_eq!(StreamId::MAX.to_vec(), b"18446744073709551615-18446744073709551615");
        assert_eq!(StreamId::MAX.to_vec().len(), StreamId::TEXT_LEN_MAX);
        assert_eq!(StreamId::MIN.to_vec(), b"0-0");
        assert_eq!(StreamId::new(120, 7).to_vec(), b"120-7");
        let id = StreamId::new(258, 3);
        assert_eq!(id.to_be_bytes(), [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(StreamId::from_be_bytes(id.to_be_bytes()), id);
    }
}
