//! The epoll back end, for kernels and sandboxes without io_uring.
//!
//! Level-triggered: what is not read or accepted in this turn is reported again in the next. All writes of a turn happen at
//! the start of the next one, a single call for each socket.

use crate::{
    reactor::{Driver, Event, Handler, Options, Reactor, URGENT_BYTES},
    slots::{Kind, Slot, Token},
    socket::Socket,
    system::{check, check_size, is_shortage, opened},
    waker::Waker,
};
use std::{
    io, mem,
    os::fd::{AsRawFd, OwnedFd},
    ptr,
    time::Duration,
};

pub(crate) struct Poll {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
    /// Everything is received here and handed out before the next is.
    buffer: Vec<u8>,
}

impl Poll {
    pub(crate) fn new(options: Options, waker: &Waker) -> io::Result<Self> {
        // SAFETY: takes no pointers.
        let epoll = opened(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: BELL };
        // SAFETY: the event lives through the call.
        check(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, waker.bell().fd(), &raw mut event) })?;
        let events = vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX];
        Ok(Self { epoll, events, buffer: vec![0; options.buffer_bytes as usize * 4] })
    }

    /// Tells the kernel what we want to hear of a socket, if that has changed. A socket of which we want nothing is taken out,
    /// because the kernel would report its errors over and over.
    fn update(&self, slot: &mut Slot, token: Token) -> io::Result<()> {
        let mut wanted = 0;
        if slot.may_receive() && slot.held.is_none() {
            wanted |= READABLE;
        }
        if slot.send_waits && !slot.failed {
            wanted |= WRITABLE;
        }
        let operation = match (slot.registered, wanted) {
            (before, after) if before == after => return Ok(()),
            (0, _) => libc::EPOLL_CTL_ADD,
            (_, 0) => libc::EPOLL_CTL_DEL,
            _ => libc::EPOLL_CTL_MOD,
        };
        let mut event = libc::epoll_event { events: wanted.into(), u64: token.to_bits() };
        // SAFETY: the event lives through the call.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, slot.raw_fd(), &raw mut event) })?;
        slot.registered = wanted;
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        // Rounded up, so that a timer is due when we come back.
        let timeout_ms = timeout.map_or(-1, |timeout| {
            libc::c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
        });
        // SAFETY: the pointer leads to as many events as the third argument says.
        let answer = unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                self.events.len() as libc::c_int,
                timeout_ms,
            )
        };
        match check(answer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            answer => answer.map(|count| count as usize),
        }
    }
}

impl Reactor {
    pub(crate) fn poll_turn(&mut self, timeout: Option<Duration>, handler: &mut impl Handler) -> io::Result<()> {
        let mut to_send = mem::take(&mut self.to_send);
        for index in to_send.drain(..) {
            let slot = self.slots.at(index);
            if mem::take(&mut slot.to_send) && slot.kind == Kind::Socket && !slot.send_waits {
                self.poll_send(self.slots.token(index), handler);
            }
        }
        if self.to_send.is_empty() {
            self.to_send = to_send; // keeps its memory
        }
        for index in mem::take(&mut self.to_arm) {
            self.poll_arm(index, handler);
        }
        let may_sleep = timeout != Some(Duration::ZERO)
            && !mem::take(&mut self.is_urgent)
            && self.to_send.is_empty()
            && self.to_arm.is_empty()
            && self.waker.bell().may_sleep();
        let answer = self.poll().wait(if may_sleep { timeout } else { Some(Duration::ZERO) });
        let was_called = self.waker.bell().was_called();
        let count = answer?;
        if was_called {
            handler.event(self, Event::Woken);
        }
        for number in 0..count {
            let libc::epoll_event { events, u64: bits } = self.poll().events[number];
            if bits == BELL {
                self.waker.bell().silence();
            } else {
                self.poll_ready(Token::from_bits(bits), events, handler);
            }
        }
        Ok(())
    }

    fn poll(&mut self) -> &mut Poll {
        match &mut self.driver {
            Driver::Poll(poll) => poll,
            Driver::Ring(_) => unreachable!("only called with epoll"),
        }
    }

    fn poll_arm(&mut self, index: u32, handler: &mut impl Handler) {
        let token = self.slots.token(index);
        let slot = self.slots.at(index);
        if !mem::take(&mut slot.to_arm) || !matches!(slot.kind, Kind::Socket | Kind::Listener) {
            return;
        }
        let Driver::Poll(poll) = &self.driver else { unreachable!("only called with epoll") };
        if let Err(error) = poll.update(slot, token) {
            self.fail(token, error, handler);
        }
    }

    /// The kernel reports a socket: also a token of one that has been closed since.
    fn poll_ready(&mut self, token: Token, events: u32, handler: &mut impl Handler) {
        let (readable, writable) = (events & u32::from(READABLE) != 0, events & u32::from(WRITABLE) != 0);
        let has_ended = events & (libc::EPOLLHUP | libc::EPOLLERR) as u32 != 0;
        let Some(slot) = self.slots.get(token) else { return };
        if (readable || has_ended) && slot.may_receive() && slot.held.is_none() {
            match slot.kind {
                Kind::Listener => return self.poll_accept(token, handler),
                _ => self.poll_receive(token, handler),
            }
        }
        if (writable || has_ended) && self.slots.get(token).is_some_and(|slot| mem::take(&mut slot.send_waits)) {
            self.poll_send(token, handler);
            self.arm(token.index() as u32);
        }
    }

    fn poll_receive(&mut self, token: Token, handler: &mut impl Handler) {
        let Some(fd) = self.slots.get(token).map(|slot| slot.raw_fd()) else { return };
        let mut buffer = mem::take(&mut self.poll().buffer);
        if buffer.is_empty() {
            // A turn within a turn, while the handler looks at the buffer of the outer one.
            buffer = vec![0; NESTED_BUFFER_BYTES];
        }
        // SAFETY: the pointer leads to as many bytes as the third argument says.
        let answer =
            check_size(unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) });
        match answer {
            Ok(0) => {
                if let Some(slot) = self.slots.get(token) {
                    slot.peer_closed = true;
                    self.arm(token.index() as u32);
                }
                handler.event(self, Event::PeerClosed { token });
            }
            Ok(length) => self.deliver(token, &buffer[..length], handler),
            Err(error) if is_passing(&error) => {}
            Err(error) => self.fail(token, error, handler),
        }
        mem::swap(&mut self.poll().buffer, &mut buffer);
    }

    fn poll_accept(&mut self, listener: Token, handler: &mut impl Handler) {
        for _ in 0..ACCEPTS_MAX {
            // The handler may have closed the listener.
            let Some(fd) = self.slots.get(listener).map(|slot| slot.raw_fd()) else { return };
            let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            // SAFETY: the kernel takes null for an address that nobody wants to know.
            match opened(unsafe { libc::accept4(fd, ptr::null_mut(), ptr::null_mut(), flags) }) {
                Ok(fd) => handler.event(self, Event::Accepted { listener, socket: Socket::from(fd) }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if !is_shortage(&error) && is_passing(&error) => {}
                Err(error) => return self.accept_failed(listener, error, handler),
            }
        }
    }

    /// One attempt to send what the socket has to send.
    fn poll_send(&mut self, token: Token, handler: &mut impl Handler) {
        let Some(slot) = self.slots.get(token).filter(|slot| !slot.outbox.is_empty()) else { return };
        let (answer, asked) = send_pieces(slot);
        match answer {
            Ok(bytes) => {
                slot.send_waits = bytes < asked;
                self.is_urgent |= asked >= URGENT_BYTES;
                self.sent(token, bytes, handler);
            }
            Err(error) if is_passing(&error) => slot.send_waits = true,
            Err(error) => return self.fail(token, error, handler),
        }
        let Some(slot) = self.slots.get(token) else { return };
        if slot.send_waits {
            self.arm(token.index() as u32);
        } else if !slot.outbox.is_empty() && !mem::replace(&mut slot.to_send, true) {
            self.to_send.push(token.index() as u32);
        }
    }
}

/// Sends without waiting; the answer and how many bytes that was about.
fn send_pieces(slot: &Slot) -> (io::Result<usize>, usize) {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    if slot.outbox.len() == 1 {
        let piece = slot.outbox.pieces().next().expect("there is one buffer");
        // SAFETY: the pointer leads to as many bytes as the third argument says.
        let answer = unsafe { libc::send(slot.raw_fd(), piece.as_ptr().cast(), piece.len(), flags) };
        return (check_size(answer), piece.len());
    }
    let mut pieces = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; PIECES_MAX];
    let (mut count, mut asked) = (0, 0);
    for (place, piece) in pieces.iter_mut().zip(slot.outbox.pieces()) {
        *place = libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() };
        count += 1;
        asked += piece.len();
    }
    // SAFETY: all bytes zero is a valid message header.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = pieces.as_mut_ptr();
    header.msg_iovlen = count;
    // SAFETY: the header leads to `count` pieces, which lead to the outbox; the kernel only reads them.
    let answer = unsafe { libc::sendmsg(slot.raw_fd(), &raw const header, flags) };
    (check_size(answer), asked)
}

/// Whether the same call may well succeed later.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR | libc::ECONNABORTED | libc::ENOBUFS))
}

impl std::fmt::Debug for Poll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poll").field("epoll", &self.epoll).finish_non_exhaustive()
    }
}

const READABLE: u8 = libc::EPOLLIN as u8;
const WRITABLE: u8 = libc::EPOLLOUT as u8;
/// What the waker's bell is reported as; no token has these bits, because there are fewer than 2^32 sockets.
const BELL: u64 = u64::MAX;
/// Sockets that one turn hears of.
const EVENTS_MAX: usize = 1024;
/// The buffer of a turn within a turn.
const NESTED_BUFFER_BYTES: usize = 16 * 1024;
/// Connections that a listener accepts in one turn, so that the others are served too.
const ACCEPTS_MAX: usize = 64;
/// Buffers that one call sends.
const PIECES_MAX: usize = 64;
