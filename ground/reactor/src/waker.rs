//! Waking an event loop from another thread.

use crate::system::{check_size, opened};
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

/// The loop is working and will look for a wake-up before it sleeps.
const AWAKE: u8 = 0;
/// The loop is in the kernel, or so close to it that only the event descriptor reaches it.
const ASLEEP: u8 = 1;
/// Somebody wants the loop's attention.
const CALLED: u8 = 2;

/// Wakes one reactor's loop; cheap to clone.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Bell>);

#[derive(Debug)]
pub(crate) struct Bell {
    state: AtomicU8,
    event: OwnedFd,
}

impl Waker {
    /// Makes the loop's current or next turn end soon with [`crate::Event::Woken`]. Many calls before that count as one.
    /// Costs an atomic exchange, and a system call only when the loop sleeps.
    pub fn wake(&self) {
        if self.0.state.swap(CALLED, Ordering::AcqRel) == ASLEEP {
            self.0.ring();
        }
    }

    pub(crate) fn new() -> io::Result<Self> {
        // Blocking, because io_uring would not wait on a descriptor that is not.
        // SAFETY: takes no pointers.
        let event = opened(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) })?;
        Ok(Self(Arc::new(Bell { state: AtomicU8::new(AWAKE), event })))
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.0
    }
}

impl Bell {
    /// Announces that the loop is about to sleep; false when it must not, because it has been called.
    pub(crate) fn may_sleep(&self) -> bool {
        self.state.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Ends the sleep, if there was one; true when the loop has been called since it last asked.
    pub(crate) fn was_called(&self) -> bool {
        self.state.load(Ordering::Relaxed) != AWAKE && self.state.swap(AWAKE, Ordering::AcqRel) == CALLED
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.event.as_raw_fd()
    }

    /// Takes the pending ring of the bell; to be called only when there is one.
    pub(crate) fn silence(&self) {
        let mut count = 0_u64;
        // SAFETY: the buffer has the eight bytes that an event descriptor writes.
        _ = check_size(unsafe { libc::read(self.fd(), (&raw mut count).cast(), 8) });
    }

    fn ring(&self) {
        let one = 1_u64;
        // SAFETY: the buffer has the eight bytes that an event descriptor reads. An error is possible only at a count of
        // 2^64 - 2, and then the loop is awake.
        _ = check_size(unsafe { libc::write(self.fd(), (&raw const one).cast(), 8) });
    }
}
