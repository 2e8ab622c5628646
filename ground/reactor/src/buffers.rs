//! Memory that the kernel receives into: a ring of buffers that it takes from one end and we give back at the other.

use io_uring::types::BufRingEntry;
use std::{
    cell::Cell,
    io,
    ops::Deref,
    ptr::{self, NonNull},
    sync::atomic::{AtomicU16, Ordering},
};

/// A ring of `count` buffers of the same size. It must outlive every request that may receive into it.
pub(crate) struct Buffers {
    ring: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    count: u16,
    buffer_bytes: u32,
    /// How many buffers are in use: those that have never been given to the kernel take no memory.
    in_use: Cell<u16>,
    /// How many times a buffer has been given to the kernel; it reads the low 16 bits from the ring.
    tail: Cell<u16>,
}

/// The kernel fills the buffers in turn, so all that it has take memory, however little is received.
const USED_AT_FIRST: u16 = 16;

/// A buffer that holds what was received; dropping it gives the buffer back to the kernel.
pub(crate) struct Received<'a> {
    buffers: &'a Buffers,
    number: u16,
    length: usize,
}

impl Buffers {
    /// `count` must be a power of two up to 32,768.
    pub(crate) fn new(count: u16, buffer_bytes: u32) -> io::Result<Self> {
        if !count.is_power_of_two() || count > 1 << 15 || buffer_bytes == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the number of buffers is a power of two up to 32768",
            ));
        }
        let ring = map(usize::from(count) * size_of::<BufRingEntry>())?.cast();
        let memory = map(usize::from(count) * buffer_bytes as usize)?;
        let in_use = count.min(USED_AT_FIRST);
        let buffers = Self { ring, memory, count, buffer_bytes, in_use: Cell::new(in_use), tail: Cell::new(0) };
        (0..in_use).for_each(|number| buffers.give(number));
        Ok(buffers)
    }

    /// The address of the ring, for registration.
    pub(crate) fn address(&self) -> u64 {
        self.ring.as_ptr().addr() as u64
    }

    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    /// Gives the kernel one buffer more, because it found none, unless all are in use.
    #[cold]
    pub(crate) fn use_one_more(&self) {
        let number = self.in_use.get();
        if number < self.count {
            self.in_use.set(number + 1);
            self.give(number);
        }
    }

    /// A buffer that the kernel has filled and handed to us.
    ///
    /// # Safety
    ///
    /// A completion that has just been taken from the queue names this buffer and says that it holds `length` bytes.
    pub(crate) unsafe fn received(&self, number: u16, length: usize) -> Received<'_> {
        assert!(number < self.count && length <= self.buffer_bytes as usize, "the kernel keeps to the ring");
        Received { buffers: self, number, length }
    }

    fn give(&self, number: u16) {
        let tail = self.tail.get();
        let place = usize::from(tail & (self.count - 1));
        // SAFETY: `place` is below `count`, and the kernel reads only entries before the tail that it has seen: this one is
        // not yet among them (there are no more buffers than places). The first entry's last field is the tail, which the
        // three setters leave alone; it is written atomically.
        unsafe {
            let entry = &mut *self.ring.as_ptr().add(place);
            entry.set_addr(self.start(number).addr() as u64);
            entry.set_len(self.buffer_bytes);
            entry.set_bid(number);
            let shared = AtomicU16::from_ptr(BufRingEntry::tail(self.ring.as_ptr()).cast_mut());
            shared.store(tail.wrapping_add(1), Ordering::Release);
        }
        self.tail.set(tail.wrapping_add(1));
    }

    fn start(&self, number: u16) -> *mut u8 {
        // SAFETY: there are `count` buffers, and every number comes from `new` or was checked in `received`.
        unsafe { self.memory.as_ptr().add(usize::from(number) * self.buffer_bytes as usize) }
    }
}

impl Deref for Received<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the buffer is ours until this is dropped, and the kernel wrote `length` bytes to it (the rest is zero).
        unsafe { std::slice::from_raw_parts(self.buffers.start(self.number), self.length) }
    }
}

impl Drop for Received<'_> {
    fn drop(&mut self) {
        self.buffers.give(self.number);
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: both were mapped in `new` with these lengths, and by contract no request uses them any longer.
        unsafe {
            libc::munmap(self.ring.as_ptr().cast(), usize::from(self.count) * size_of::<BufRingEntry>());
            libc::munmap(self.memory.as_ptr().cast(), usize::from(self.count) * self.buffer_bytes as usize);
        }
    }
}

/// Fresh pages, all zero; those that are never touched cost nothing.
fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing that exists.
    let start = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(NonNull::new(start.cast()).expect("the kernel does not map page zero"))
}
