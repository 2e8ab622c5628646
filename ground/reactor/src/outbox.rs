//! What a socket has still to send: nearly always nothing or one buffer, so more than one costs an allocation and one does not.

use std::{collections::VecDeque, mem};

/// A queue of buffers that remembers how much of the first has been sent.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    first: Option<Vec<u8>>,
    /// Invariant: absent or empty when there is no first buffer.
    #[expect(clippy::box_collection, reason = "nearly always absent, and then it takes 8 bytes rather than 32")]
    rest: Option<Box<VecDeque<Vec<u8>>>>,
    /// Bytes of the first buffer that have been sent.
    first_sent: usize,
}

impl Outbox {
    #[inline]
    pub(crate) fn push(&mut self, buffer: Vec<u8>) {
        if self.first.is_none() {
            self.first = Some(buffer);
        } else {
            self.rest.get_or_insert_default().push_back(buffer);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.as_ref().map_or(0, |rest| rest.len())
    }

    /// The pieces that are still to be sent, in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let first = self.first.iter().map(|buffer| &buffer[self.first_sent..]);
        first.chain(self.rest.iter().flat_map(|rest| rest.iter().map(Vec::as_slice)))
    }

    /// Counts up to `bytes` of the first buffer as sent: how many that was, and the buffer, emptied, if it was all of it.
    #[inline]
    pub(crate) fn sent(&mut self, bytes: usize) -> (usize, Option<Vec<u8>>) {
        let Some(first) = &mut self.first else { return (0, None) };
        let left = first.len() - self.first_sent;
        if bytes < left {
            self.first_sent += bytes;
            return (bytes, None);
        }
        let mut buffer = mem::take(first);
        buffer.clear();
        self.next();
        (left, Some(buffer))
    }

    /// Drops all buffers, or all but the first, which the kernel reads from.
    pub(crate) fn clear(&mut self, keep_first: bool) {
        self.rest = None;
        if !keep_first {
            self.next();
        }
    }

    fn next(&mut self) {
        self.first_sent = 0;
        self.first = self.rest.as_mut().and_then(|rest| rest.pop_front());
        if self.first.is_none() {
            self.rest = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Outbox;

    #[test]
    fn buffers_leave_in_order_and_come_back_empty() {
        let mut outbox = Outbox::default();
        for word in ["one", "three", "five"] {
            outbox.push(word.into());
        }
        assert_eq!(outbox.sent(2), (2, None));
        assert_eq!(outbox.pieces().collect::<Vec<_>>(), [&b"e"[..], b"three", b"five"]);
        assert_eq!(outbox.len(), 3);
        assert_eq!(outbox.sent(100), (1, Some(vec![])));
        assert_eq!(outbox.sent(4), (4, None));
        outbox.clear(true);
        assert_eq!(outbox.pieces().collect::<Vec<_>>(), [b"e"]);
        outbox.clear(false);
        assert!(outbox.is_empty());
        assert_eq!(outbox.sent(1), (0, None));
    }
}
