//! The queues that are shared with the kernel: requests, completions and the call that exchanges them.

use crate::{
    buffers::Buffers,
    reactor::{Options, URGENT_BYTES},
    slots::{Kind, Slot, Slots},
    system::{check, opened},
};
use io_uring::{IoUring, cqueue, opcode, squeue, types};
use std::{
    collections::VecDeque,
    fmt, io, mem,
    os::fd::{AsRawFd, RawFd},
    ptr,
    rc::Rc,
    time::Duration,
};

pub(crate) struct Ring {
    ring: IoUring,
    /// Shared with a turn that is handing out what was received.
    pub(super) buffers: Rc<Buffers>,
    /// The ring's number among the thread's registered rings, which saves the kernel a look-up; known after the first turn.
    registered: Option<u32>,
    pub(super) is_enabled: bool,
    /// Where the waker's bell is read to, and whether that request is in the kernel.
    bell_count: Box<u64>,
    pub(super) bell_is_armed: bool,
    /// Requests in the kernel that will complete some time.
    pub(super) in_flight: usize,
    pub(super) completions: VecDeque<Completion>,
    /// Slots whose send leaves with this turn's call, and how many bytes that is.
    pub(super) leaving: Vec<(u32, usize)>,
    /// The end of one of them has to be told at once.
    pub(super) urgent_leaves: bool,
    /// The first of these are in use until the call.
    #[expect(clippy::vec_box, reason = "a message points into itself")]
    messages: Vec<Box<Message>>,
    pub(super) messages_used: usize,
    to_cancel: Vec<u32>,
}

// SAFETY: the `Rc` is cloned only within a turn, by the thread that has the reactor, and the clone does not outlive the turn;
// the pointers in `messages` lead to the message itself and to buffers that the reactor owns.
unsafe impl Send for Ring {}

#[derive(Clone, Copy)]
pub(super) struct Completion {
    pub(super) user_data: u64,
    pub(super) result: i32,
    pub(super) flags: u32,
}

/// Several buffers that leave in one request. Boxed, because it points into itself.
struct Message {
    header: libc::msghdr,
    pieces: [libc::iovec; PIECES_MAX],
}

/// What a request is about; with the slot's index it makes the request's user data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Receive = 1,
    Accept,
    Send,
    SendNow,
    Bell,
    Cancel,
}

impl Op {
    fn of(self, index: u32) -> u64 {
        (self as u64) << 32 | u64::from(index)
    }

    pub(super) fn from_user_data(user_data: u64) -> (Self, u32) {
        let op = match user_data >> 32 {
            1 => Self::Receive,
            2 => Self::Accept,
            3 => Self::Send,
            4 => Self::SendNow,
            5 => Self::Bell,
            _ => Self::Cancel,
        };
        (op, user_data as u32)
    }
}

impl Ring {
    pub(crate) fn new(options: Options) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_cqsize(COMPLETIONS)
            // The thread of the first turn enables it and is then the only one that may use it.
            .setup_r_disabled()
            .build(REQUESTS)?;
        let params = ring.params();
        if !(params.is_feature_ext_arg() && params.is_feature_submit_stable() && params.is_feature_nodrop()) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this kernel's io_uring is too old"));
        }
        let buffers = Rc::new(Buffers::new(options.buffers, options.buffer_bytes)?);
        // SAFETY: the memory stays until the buffers are dropped, which `Drop` below puts after the last request's end.
        unsafe { ring.submitter().register_buf_ring_with_flags(buffers.address(), buffers.count(), GROUP, 0)? };
        Ok(Self {
            ring,
            buffers,
            registered: None,
            is_enabled: false,
            bell_count: Box::new(0),
            bell_is_armed: false,
            in_flight: 0,
            completions: VecDeque::new(),
            leaving: Vec::new(),
            urgent_leaves: false,
            messages: Vec::new(),
            messages_used: 0,
            to_cancel: Vec::new(),
        })
    }

    /// Asks the receive request to end; what arrives before it has is held back.
    pub(crate) fn cancel_receive(&mut self, slot: &mut Slot, index: u32) {
        if slot.armed && !mem::replace(&mut slot.cancelling, true) {
            self.to_cancel.push(index);
        }
    }

    pub(super) fn enable(&mut self) -> io::Result<()> {
        self.ring.submitter().register_enable_rings()?;
        self.is_enabled = true;
        let mut update = RegisteredRing { offset: u32::MAX, reserved: 0, data: self.ring.as_raw_fd() as u64 };
        // SAFETY: the pointer leads to one entry, which the kernel reads and writes during the call.
        let answer = unsafe { register(self.ring.as_raw_fd(), REGISTER_RING_FDS, &raw mut update) };
        self.registered = (answer == Ok(1)).then_some(update.offset);
        Ok(())
    }

    /// Adds a request; calls the kernel when the queue is full.
    fn push(&mut self, entry: squeue::Entry) -> io::Result<()> {
        if self.ring.submission().is_full() {
            self.submit()?;
        }
        // SAFETY: whoever makes a request keeps what it points to: buffers stay in their slot while the kernel has the
        // request, messages until it has been submitted, the bell's count with the ring.
        unsafe { self.ring.submission().push(&entry) }.map_err(io::Error::other)
    }

    /// Hands all requests to the kernel without waiting.
    #[cold]
    pub(super) fn submit(&mut self) -> io::Result<()> {
        while !self.ring.submission().is_empty() {
            self.enter(Some(Duration::ZERO))?;
            self.collect()?;
        }
        Ok(())
    }

    /// One call to the kernel: submits, then waits for a completion, at most for `timeout`.
    pub(super) fn enter(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let requests = self.ring.submission().len() as u32;
        let time = timeout.map(|timeout| types::Timespec::from(timeout.min(TIMEOUT_MAX)));
        let argument = WaitArgument {
            signals: 0,
            signals_bytes: 0,
            at_least_us: 0,
            time: time.as_ref().map_or(0, |time| ptr::from_ref(time).addr() as u64),
        };
        let wait_for = u32::from(timeout != Some(Duration::ZERO));
        let (fd, registered) = match self.registered {
            Some(number) => (number as RawFd, ENTER_REGISTERED_RING),
            None => (self.ring.as_raw_fd(), 0),
        };
        // SAFETY: the argument and the time that it points to live through the call; the requests are as `push` says.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                fd,
                requests,
                wait_for,
                ENTER_GETEVENTS | ENTER_EXT_ARG | registered,
                &raw const argument,
                size_of::<WaitArgument>(),
            )
        };
        match check(answer as libc::c_int) {
            Ok(_) => Ok(()),
            // Time is up, a signal came, the completions have to be taken first, or memory is short: all pass.
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Takes all completions out of the queue, also those that did not fit into it.
    pub(super) fn collect(&mut self) -> io::Result<()> {
        loop {
            let queue = self.ring.completion();
            self.completions.extend(queue.map(|entry| Completion {
                user_data: entry.user_data(),
                result: entry.result(),
                flags: entry.flags(),
            }));
            if !self.ring.submission().cq_overflow() {
                return Ok(());
            }
            self.enter(Some(Duration::ZERO))?;
        }
    }

    /// A message of all pieces of the slot that fit, and their bytes.
    fn message(&mut self, slot: &Slot) -> (*const libc::msghdr, usize) {
        if self.messages_used == self.messages.len() {
            // SAFETY: all bytes zero is a valid message header, and a valid piece.
            self.messages.push(Box::new(unsafe { mem::zeroed() }));
        }
        let message = &mut self.messages[self.messages_used];
        self.messages_used += 1;
        let (mut count, mut bytes) = (0, 0);
        for (place, piece) in message.pieces.iter_mut().zip(slot.outbox.pieces()) {
            let length = piece.len().min(SEND_MAX - bytes);
            *place = libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: length };
            count += 1;
            bytes += length;
            if bytes == SEND_MAX {
                break;
            }
        }
        message.header.msg_iov = message.pieces.as_mut_ptr();
        message.header.msg_iovlen = count;
        (&raw const message.header, bytes)
    }

    fn push_send(&mut self, slot: &mut Slot, index: u32) -> io::Result<()> {
        let fd = types::Fd(slot.raw_fd());
        let Some(first) = slot.outbox.pieces().next() else { return Ok(()) };
        let length = first.len().min(SEND_MAX);
        if slot.send_slowly {
            let send = opcode::Send::new(fd, first.as_ptr(), length as u32).flags(libc::MSG_NOSIGNAL).build();
            self.push(send.user_data(Op::Send.of(index)))?;
            slot.send_waits = true;
            self.in_flight += 1;
            return Ok(());
        }
        // With MSG_WAITALL a send of less than everything counts as a failure and is not silent.
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT | libc::MSG_WAITALL;
        let (send, bytes) = if slot.outbox.len() == 1 {
            (opcode::Send::new(fd, first.as_ptr(), length as u32).flags(flags).build(), length)
        } else {
            let (message, bytes) = self.message(slot);
            (opcode::SendMsg::new(fd, message).flags(flags as u32).build(), bytes)
        };
        self.push(send.flags(squeue::Flags::SKIP_SUCCESS).user_data(Op::SendNow.of(index)))?;
        self.urgent_leaves |= bytes >= URGENT_BYTES || slot.close_when_sent;
        slot.send_leaves = true;
        slot.send_result = None;
        self.leaving.push((index, bytes));
        Ok(())
    }

    fn push_receive(&mut self, slot: &mut Slot, index: u32) -> io::Result<()> {
        let fd = types::Fd(slot.raw_fd());
        let entry = if slot.kind == Kind::Listener {
            let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            opcode::AcceptMulti::new(fd).flags(flags).build().user_data(Op::Accept.of(index))
        } else {
            opcode::RecvMulti::new(fd, GROUP).build().user_data(Op::Receive.of(index))
        };
        self.push(entry)?;
        slot.armed = true;
        self.in_flight += 1;
        Ok(())
    }

    /// Turns the reactor's lists into requests.
    pub(super) fn push_requests(
        &mut self,
        slots: &mut Slots,
        to_arm: &mut Vec<u32>,
        to_send: &mut Vec<u32>,
        bell: RawFd,
    ) -> io::Result<()> {
        if !self.bell_is_armed {
            let read = opcode::Read::new(types::Fd(bell), ptr::from_mut(&mut *self.bell_count).cast(), 8).build();
            self.push(read.user_data(Op::Bell.of(0)))?;
            self.bell_is_armed = true;
            self.in_flight += 1;
        }
        for index in mem::take(&mut self.to_cancel) {
            let slot = slots.at(index);
            slot.cancelling &= slot.armed && !slot.wanted;
            if slot.cancelling {
                let target = if slot.kind == Kind::Listener { Op::Accept } else { Op::Receive };
                let cancel = opcode::AsyncCancel::new(target.of(index)).build().flags(squeue::Flags::SKIP_SUCCESS);
                self.push(cancel.user_data(Op::Cancel.of(index)))?;
            }
        }
        for index in to_arm.drain(..) {
            let slot = slots.at(index);
            if mem::take(&mut slot.to_arm) && slot.may_receive() && !slot.armed && slot.held.is_none() {
                self.push_receive(slot, index)?;
            }
        }
        for index in to_send.drain(..) {
            let slot = slots.at(index);
            if mem::take(&mut slot.to_send) && !slot.in_kernel() {
                self.push_send(slot, index)?;
            }
        }
        Ok(())
    }
}

impl Ring {
    /// Gets everything back from the kernel, as far as possible; false when it may still use what it was given.
    pub(super) fn close(&mut self) -> bool {
        let is_done = self.in_flight == 0 || self.end_all();
        if !is_done {
            mem::forget(Rc::clone(&self.buffers));
            mem::forget(mem::take(&mut self.bell_count));
        }
        if let Some(number) = self.registered {
            let mut update = RegisteredRing { offset: number, reserved: 0, data: 0 };
            // SAFETY: the pointer leads to one entry. In another thread than that of the first turn the kernel refuses or
            // finds none of ours; then the ring goes with that thread.
            _ = unsafe { register(self.ring.as_raw_fd(), UNREGISTER_RING_FDS, &raw mut update) };
        }
        is_done
    }

    /// Cancels all requests and waits for their ends; false when that does not work, as in another thread.
    fn end_all(&mut self) -> bool {
        let all = opcode::AsyncCancel2::new(types::CancelBuilder::any().all()).build();
        if self.push(all.user_data(Op::Cancel.of(0))).is_err() {
            return false;
        }
        for _ in 0..1000 {
            if self.enter(Some(Duration::from_millis(10))).and_then(|()| self.collect()).is_err() {
                return false;
            }
            for completion in self.completions.drain(..) {
                let (op, _) = Op::from_user_data(completion.user_data);
                if !cqueue::more(completion.flags) && !matches!(op, Op::Cancel | Op::SendNow) {
                    self.in_flight -= 1;
                }
                if op == Op::Accept && completion.result >= 0 {
                    drop(opened(completion.result)); // a connection that nobody will serve
                }
            }
            if self.in_flight == 0 {
                return true;
            }
        }
        false
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}

/// `struct io_uring_getevents_arg`.
#[repr(C)]
struct WaitArgument {
    signals: u64,
    signals_bytes: u32,
    at_least_us: u32,
    time: u64,
}

/// `struct io_uring_rsrc_update`.
#[repr(C)]
struct RegisteredRing {
    offset: u32,
    reserved: u32,
    data: u64,
}

/// # Safety
///
/// `update` leads to one valid entry.
unsafe fn register(ring: RawFd, operation: u32, update: *mut RegisteredRing) -> Result<libc::c_long, ()> {
    // SAFETY: as the caller promises.
    let answer = unsafe { libc::syscall(libc::SYS_io_uring_register, ring, operation, update, 1) };
    if answer < 0 { Err(()) } else { Ok(answer) }
}

/// Requests that fit into the queue; more of them cost another system call.
const REQUESTS: u32 = 1024;
/// Completions that fit; the kernel keeps the rest until we come for it.
const COMPLETIONS: u32 = 4096;
/// The only group of buffers.
const GROUP: u16 = 0;
/// Buffers that one request sends.
const PIECES_MAX: usize = 64;
/// Bytes that one request sends; the kernel takes no more than 2 GiB.
const SEND_MAX: usize = 1 << 30;
/// Longer waits end early, which does no harm.
const TIMEOUT_MAX: Duration = Duration::from_secs(1 << 30);

const ENTER_GETEVENTS: u32 = 1;
const ENTER_EXT_ARG: u32 = 1 << 3;
const ENTER_REGISTERED_RING: u32 = 1 << 4;
const REGISTER_RING_FDS: u32 = 20;
const UNREGISTER_RING_FDS: u32 = 21;
