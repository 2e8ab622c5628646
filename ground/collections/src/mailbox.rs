//! A mailbox: many threads post, one thread empties it; the order of each poster is kept.
//!
//! Looking into an empty mailbox is one relaxed load, so an event loop may look in every turn. A message costs one short
//! uncontended lock; the two vectors (the box's and the reader's) change places, so in the steady state nothing is allocated.

use crate::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
    lock,
};

/// An unbounded queue with many producers and one consumer.
#[derive(Debug)]
pub struct Mailbox<T> {
    messages: Mutex<Vec<T>>,
    /// True while `messages` holds something; changed only under its lock, read without it.
    filled: AtomicBool,
}

impl<T> Mailbox<T> {
    pub fn new() -> Self {
        Self { messages: Mutex::new(Vec::new()), filled: AtomicBool::new(false) }
    }

    /// Appends a message. True when the mailbox was empty: the consumer may be asleep and has to be woken.
    ///
    /// The caller must pass a true answer on to the consumer's waker, which must not lose a wake-up that comes just before
    /// the consumer falls asleep; then no message is overlooked.
    #[must_use = "the consumer has to be woken when this is true"]
    pub fn post(&self, message: T) -> bool {
        let mut messages = lock(&self.messages);
        let was_empty = messages.is_empty();
        messages.push(message);
        if was_empty {
            self.filled.store(true, Ordering::Release);
        }
        was_empty
    }

    /// Whether there is nothing to read; a message that is being posted at this moment may not be seen yet.
    pub fn is_empty(&self) -> bool {
        !self.filled.load(Ordering::Relaxed)
    }

    /// Moves all messages to the end of `into`, oldest first. One relaxed load when there are none.
    pub fn drain(&self, into: &mut Vec<T>) {
        if self.is_empty() {
            return;
        }
        let mut messages = lock(&self.messages);
        self.filled.store(false, Ordering::Relaxed);
        if into.is_empty() {
            std::mem::swap(&mut *messages, into);
        } else {
            into.append(&mut messages);
        }
    }
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Mailbox;
    use std::sync::Arc;

    #[test]
    fn the_first_message_asks_for_a_wake_up_and_later_ones_do_not() {
        let mailbox = Mailbox::new();
        assert!(mailbox.is_empty());
        assert!(mailbox.post(1));
        assert!(!mailbox.post(2));
        let mut messages = vec![0];
        mailbox.drain(&mut messages);
        assert_eq!(messages, [0, 1, 2]);
        assert!(mailbox.is_empty());
        assert!(mailbox.post(3));
    }

    #[test]
    fn the_order_of_each_poster_is_kept() {
        let mailbox = Arc::new(Mailbox::new());
        let posters: Vec<_> = (0..4)
            .map(|poster| {
                let mailbox = Arc::clone(&mailbox);
                std::thread::spawn(move || {
                    for number in 0..10_000 {
                        let _ = mailbox.post((poster, number));
                    }
                })
            })
            .collect();
        let (mut next, mut messages) = ([0; 4], Vec::new());
        while next != [10_000; 4] {
            mailbox.drain(&mut messages);
            for (poster, number) in messages.drain(..) {
                assert_eq!(number, next[poster]);
                next[poster] += 1;
            }
        }
        for poster in posters {
            poster.join().expect("the poster does not panic");
        }
        assert!(mailbox.is_empty());
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::Mailbox;
    use loom::sync::{Arc, Notify};

    #[test]
    fn loom_mailbox_loses_no_message_and_no_wake_up() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let shared = Arc::new((Mailbox::new(), Notify::new()));
            for poster in 0..2 {
                let shared = Arc::clone(&shared);
                loom::thread::spawn(move || {
                    for number in 0..2 {
                        if shared.0.post((poster, number)) {
                            shared.1.notify();
                        }
                    }
                });
            }
            let (mut next, mut messages) = ([0; 2], Vec::new());
            while next != [2; 2] {
                shared.0.drain(&mut messages);
                if messages.is_empty() {
                    // A lost wake-up would leave the reader here for ever, which Loom reports as a deadlock.
                    shared.1.wait();
                }
                for (poster, number) in messages.drain(..) {
                    assert_eq!(number, next[poster]);
                    next[poster] += 1;
                }
            }
        });
    }
}
