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
            self.push_behind(buffer);
        }
    }

    /// Whoever is slow to read many small pieces must not make us keep a large buffer for each.
    fn push_behind(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() / 4 * 3 > buffer.len() {
            buffer.shrink_to_fit();
        }
        self.rest.get_or_insert_default().push_back(buffer);
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
        let long = vec![b'x'; 1000];
        for buffer in [b"one".to_vec(), long.clone(), b"five".to_vec()] {
            outbox.push(buffer);
        }
        assert_eq!(outbox.sent(2), (2, None));
        assert_eq!(outbox.pieces().collect::<Vec<_>>(), [&b"e"[..], &long, b"five"]);
        assert_eq!(outbox.len(), 3);
        assert_eq!(outbox.sent(long.len() + 1), (1, Some(vec![])));
        assert_eq!(outbox.sent(long.len() - 1), (long.len() - 1, None));
        outbox.clear(true);
        assert_eq!(outbox.pieces().collect::<Vec<_>>(), [b"x"]);
        outbox.clear(false);
        assert!(outbox.is_empty());
        assert_eq!(outbox.sent(1), (0, None));
    }

    #[test]
    fn small_buffers_that_wait_take_little() {
        let mut outbox = Outbox::default();
        for _ in 0..1000 {
            let mut buffer = Vec::with_capacity(64 * 1024);
            buffer.extend_from_slice(b"0123456789");
            outbox.push(buffer);
        }
        let kept: usize = outbox.rest.iter().flat_map(|rest| rest.iter()).map(Vec::capacity).sum();
        assert!(kept < 20_000, "{kept}");
        assert_eq!(outbox.pieces().map(<[u8]>::len).sum::<usize>(), 10_000);
    }
}
