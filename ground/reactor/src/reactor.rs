//! The reactor's face: what can be asked of it and what it tells.

use crate::{
    poll::Poll,
    ring::Ring,
    slots::{Kind, Slots, Token},
    socket::{ListeningSocket, Socket},
    system::{send_at_once, shut_down},
    tls::{Acceptor, CertificateFacts, Channel, Workshop},
    waker::Waker,
};
use std::{
    io, mem,
    time::{Duration, Instant},
};

/// How the reactor talks to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// io_uring where the kernel has what is needed (Linux 6.1) and allows it, else epoll.
    #[default]
    Auto,
    IoUring,
    Epoll,
}

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub backend: Backend,
    /// io_uring receives into this many buffers, which all sockets share; a power of two up to 32,768. A buffer is taken
    /// only from when bytes arrive until the handler has seen them.
    pub buffers: u16,
    /// The size of such a buffer, and so the longest `Received`. Epoll has one buffer, four times as long.
    pub buffer_bytes: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { backend: Backend::Auto, buffers: 128, buffer_bytes: 8 * 1024 }
    }
}

/// What happened to a socket, or that the waker was used.
#[derive(Debug)]
pub enum Event<'a> {
    Accepted {
        listener: Token,
        socket: Socket,
    },
    /// The bytes stay only for the call.
    Received {
        token: Token,
        bytes: &'a [u8],
    },
    /// The handshake of a socket with TLS has ended well.
    Secured {
        token: Token,
    },
    /// The other end sends nothing more, but may still receive; nothing closes by itself.
    PeerClosed {
        token: Token,
    },
    /// The socket is of no use any more and waits to be closed; what it had to send is dropped. An error of TLS has the kind
    /// `InvalidData`. For a listener: a connection
    /// could not be accepted (too many open files, for example); it tries again by itself after a while.
    Failed {
        token: Token,
        error: io::Error,
    },
    /// The kernel has all bytes of a buffer, which comes back empty for its next use.
    Sent {
        token: Token,
        buffer: Vec<u8>,
    },
    /// A socket given to [`Reactor::close_after_flush`] is closed; its token is void.
    Closed {
        token: Token,
    },
    Woken,
}

/// Hears of everything that happens in a turn; may call everything on the reactor. A turn within a turn goes on with what the outer
/// one has not told yet; the socket whose bytes are being looked at should be paused meanwhile, or its next bytes come first.
pub trait Handler {
    fn event(&mut self, reactor: &mut Reactor, event: Event<'_>);

    /// These bytes come as a `Received` in this turn, after others: a chance to fetch from memory what they will need. Not
    /// every `Received` is announced.
    fn upcoming(&mut self, token: Token, bytes: &[u8]) {
        let _ = (token, bytes);
    }

    /// All that is announced in this turn has been.
    fn upcoming_end(&mut self) {}
}

impl<F: FnMut(&mut Reactor, Event<'_>)> Handler for F {
    fn event(&mut self, reactor: &mut Reactor, event: Event<'_>) {
        self(reactor, event);
    }
}

/// The sockets of one event loop. Belongs to the thread that takes the first turn.
#[derive(Debug)]
pub struct Reactor {
    pub(crate) slots: Slots,
    pub(crate) driver: Driver,
    pub(crate) waker: Waker,
    /// Slots whose receive request (io_uring) or interest (epoll) has to be looked at before the kernel is called.
    pub(crate) to_arm: Vec<u32>,
    /// Slots that have something to send.
    pub(crate) to_send: Vec<u32>,
    /// Sockets that received while they were paused and may now hand it out.
    resumed: Vec<Token>,
    /// Sockets that are to be closed after a flush and have nothing left to send.
    flushed: Vec<Token>,
    /// This turn does not sleep, because the caller has to hear what already happened or is about to.
    pub(crate) is_urgent: bool,
    /// Listeners that failed to accept and try again at the given time.
    accept_again: Option<(Instant, Vec<Token>)>,
    workshop: Workshop,
}

#[derive(Debug)]
pub(crate) enum Driver {
    Ring(Box<Ring>),
    Poll(Box<Poll>),
}

impl Reactor {
    /// An error when the backend that was asked for is not available.
    pub fn new(options: Options) -> io::Result<Self> {
        let waker = Waker::new()?;
        let driver = match options.backend {
            Backend::IoUring => Driver::Ring(Box::new(Ring::new(options)?)),
            Backend::Epoll => Driver::Poll(Box::new(Poll::new(options, &waker)?)),
            Backend::Auto => match Ring::new(options) {
                Ok(ring) => Driver::Ring(Box::new(ring)),
                Err(_) => Driver::Poll(Box::new(Poll::new(options, &waker)?)),
            },
        };
        Ok(Self {
            slots: Slots::default(),
            driver,
            waker,
            to_arm: Vec::new(),
            to_send: Vec::new(),
            resumed: Vec::new(),
            flushed: Vec::new(),
            is_urgent: false,
            accept_again: None,
            workshop: Workshop::default(),
        })
    }

    /// `io_uring` or `epoll`.
    pub fn backend_name(&self) -> &'static str {
        match self.driver {
            Driver::Ring(_) => "io_uring",
            Driver::Poll(_) => "epoll",
        }
    }

    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// How many sockets and listeners it has.
    pub fn sockets(&self) -> usize {
        self.slots.len()
    }

    /// Accepts connections with the next turn and from then on.
    pub fn add_listener(&mut self, listener: ListeningSocket) -> Token {
        let token = self.slots.add(Kind::Listener, listener.into());
        self.arm(token.index() as u32);
        token
    }

    /// Receives with the next turn and from then on.
    pub fn add_socket(&mut self, socket: Socket) -> Token {
        let token = self.slots.add(Kind::Socket, socket.into());
        self.arm(token.index() as u32);
        token
    }

    /// As [`Self::add_socket`], with TLS: `Secured` comes when the handshake has ended, and all bytes that come and go are those
    /// of the connection inside. `unsent_bytes` counts those outside.
    ///
    /// # Errors
    /// When the acceptor's settings contradict each other.
    pub fn add_tls_socket(&mut self, socket: Socket, acceptor: &Acceptor) -> io::Result<Token> {
        let channel = Channel::accepting(acceptor).map_err(invalid)?;
        let token = self.add_socket(socket);
        self.slots.at(token.index() as u32).tls = Some(Box::new(channel));
        Ok(token)
    }

    /// What the certificate of the other end says, when it has shown one and that is valid.
    pub fn tls_peer(&mut self, token: Token) -> Option<CertificateFacts> {
        self.slots.get(token)?.tls.as_ref()?.peer()
    }

    /// The version and the suite of ciphers that both ends have agreed on.
    pub fn tls_agreement(&mut self, token: Token) -> Option<String> {
        self.slots.get(token)?.tls.as_ref()?.agreement()
    }

    /// Sends the buffer after those that were given before; it leaves with the next turn. The reactor owns it until `Sent`,
    /// which comes as soon as the kernel has it when it is large (16 KiB), so that a stream can go on from there, and else
    /// perhaps only when something else happens, because asking for it at once would cost a system call.
    /// An empty buffer is dropped, and so is one for a socket that failed or is closing.
    #[inline]
    pub fn send(&mut self, token: Token, buffer: Vec<u8>) {
        let Some(slot) = self.slots.get(token).filter(|slot| !slot.failed && !slot.close_when_sent) else { return };
        if buffer.is_empty() {
            return;
        }
        if slot.tls.is_some() {
            return self.send_enciphered(token, buffer);
        }
        slot.unsent_bytes += buffer.len();
        slot.outbox.push(buffer);
        if !slot.send_waits && !mem::replace(&mut slot.to_send, true) {
            self.to_send.push(token.index() as u32);
        }
    }

    fn send_enciphered(&mut self, token: Token, buffer: Vec<u8>) {
        let Some(slot) = self.slots.get(token) else { return };
        let Some(channel) = &mut slot.tls else { return };
        if !channel.is_ready {
            slot.unsent_bytes += buffer.len();
            channel.waiting.push(buffer);
            return;
        }
        let mut records = self.workshop.buffer();
        // Without keys left nothing may be sent any more; the peer is about to hear that the connection ends.
        channel.encipher(&buffer, &mut records);
        self.workshop.keep(buffer);
        self.push_records(token, records);
    }

    /// Puts enciphered bytes into the outbox.
    fn push_records(&mut self, token: Token, records: Vec<u8>) {
        let Some(slot) = self.slots.get(token).filter(|slot| !slot.failed) else { return };
        if records.is_empty() {
            return self.workshop.keep(records);
        }
        slot.unsent_bytes += records.len();
        slot.outbox.push(records);
        if !slot.send_waits && !mem::replace(&mut slot.to_send, true) {
            self.to_send.push(token.index() as u32);
        }
    }

    /// The bytes that were given to `send` and that the kernel does not have yet. 0 for a socket that is gone.
    pub fn unsent_bytes(&mut self, token: Token) -> usize {
        self.slots.get(token).map_or(0, |slot| slot.unsent_bytes)
    }

    /// The number of buffers that these bytes are in.
    pub fn unsent_buffers(&mut self, token: Token) -> usize {
        self.slots.get(token).map_or(0, |slot| slot.outbox.len())
    }

    /// No `Received` or `PeerClosed` comes until [`Self::resume_receive`]; the kernel's buffers fill and the peer has to wait.
    pub fn pause_receive(&mut self, token: Token) {
        let Some(slot) = self.slots.get(token) else { return };
        if mem::replace(&mut slot.wanted, false) {
            self.stop_receiving(token.index() as u32);
        }
    }

    pub fn resume_receive(&mut self, token: Token) {
        let Some(slot) = self.slots.get(token).filter(|slot| !slot.close_when_sent) else { return };
        if mem::replace(&mut slot.wanted, true) {
            return;
        }
        if slot.held.is_some() {
            self.resumed.push(token);
        } else {
            self.arm(token.index() as u32);
        }
    }

    /// Closes now. What has not been sent is dropped, nothing more is heard of the socket, its token is void.
    pub fn close_now(&mut self, token: Token) {
        if self.slots.get(token).is_none() {
            return;
        }
        self.slots.retire(token);
        let slot = self.slots.at(token.index() as u32);
        slot.drop_outbox(slot.in_kernel());
        if matches!(self.driver, Driver::Ring(_)) && (slot.armed || slot.send_waits) {
            shut_down(slot.raw_fd()); // ends the requests; the last one's completion frees the slot
        } else if !slot.send_leaves {
            self.slots.free(token.index() as u32);
        }
    }

    /// Closes when all that was given to `send` is with the kernel, or when that fails; then `Closed` comes. Nothing is
    /// received any more. Meanwhile the token is valid for [`Self::unsent_bytes`] and [`Self::close_now`].
    pub fn close_after_flush(&mut self, token: Token) {
        if self.slots.get(token).is_some_and(|slot| slot.tls.is_some() && !slot.close_when_sent) {
            self.say_goodbye(token);
        }
        let Some(slot) = self.slots.get(token) else { return };
        if mem::replace(&mut slot.close_when_sent, true) {
            return;
        }
        let is_flushed = slot.outbox.is_empty();
        self.pause_receive(token);
        if is_flushed {
            self.flushed.push(token);
        }
    }

    /// Sends what is to be sent, waits until something happens or for `timeout` (`None`: without limit; zero: not at all),
    /// and tells the handler about all that happened. It may return early with nothing to tell.
    ///
    /// An error means that the kernel refuses to work with us, and is not about one socket.
    pub fn turn(&mut self, mut timeout: Option<Duration>, handler: &mut impl Handler) -> io::Result<()> {
        if !self.resumed.is_empty() || !self.flushed.is_empty() {
            self.catch_up(handler);
            self.is_urgent = true;
        }
        if self.accept_again.is_some() {
            timeout = self.accept_again(timeout);
        }
        match self.driver {
            Driver::Ring(_) => self.ring_turn(timeout, handler),
            Driver::Poll(_) => self.poll_turn(timeout, handler),
        }
    }

    /// Hands out what came during a pause, and closes what was flushed when the caller said that it should be closed then.
    #[cold]
    fn catch_up(&mut self, handler: &mut impl Handler) {
        for token in mem::take(&mut self.resumed) {
            let Some(slot) = self.slots.get(token).filter(|slot| slot.wanted) else { continue };
            let Some(bytes) = slot.held.take() else { continue };
            self.deliver(token, &bytes, handler);
            self.arm_if_wanted(token);
        }
        for token in mem::take(&mut self.flushed) {
            self.finish(token, handler);
        }
    }

    fn say_goodbye(&mut self, token: Token) {
        let mut records = self.workshop.buffer();
        if let Some(channel) = self.slots.get(token).and_then(|slot| slot.tls.as_mut())
            && channel.is_ready
        {
            channel.say_goodbye(&mut records);
        }
        self.push_records(token, records);
    }

    /// Hands out what a socket has received.
    #[inline]
    pub(crate) fn deliver(&mut self, token: Token, bytes: &[u8], handler: &mut impl Handler) {
        if self.slots.get(token).is_some_and(|slot| slot.tls.is_some()) {
            return self.deliver_deciphered(token, bytes, handler);
        }
        handler.event(self, Event::Received { token, bytes });
    }

    fn deliver_deciphered(&mut self, token: Token, bytes: &[u8], handler: &mut impl Handler) {
        let Some(slot) = self.slots.get(token) else { return };
        let Some(channel) = &mut slot.tls else { return };
        let mut plain = mem::take(&mut self.workshop.plain);
        let mut answer = self.workshop.buffer();
        let progress = channel.receive(bytes, &mut self.workshop, &mut plain, &mut answer);
        if let Some(error) = progress.error {
            if slot.outbox.is_empty() {
                // The socket is about to be closed, and its outbox dropped.
                send_at_once(slot.raw_fd(), &answer);
            }
            self.workshop.keep(answer);
            plain.clear();
            self.workshop.plain = plain;
            return self.fail(token, invalid(error), handler);
        }
        self.push_records(token, answer);
        if progress.became_ready {
            self.send_waiting(token);
            handler.event(self, Event::Secured { token });
        }
        if !plain.is_empty() && self.slots.get(token).is_some() {
            handler.event(self, Event::Received { token, bytes: &plain });
        }
        plain.clear();
        plain.shrink_to(PLAIN_BYTES_KEPT);
        self.workshop.plain = plain;
        if progress.peer_closed && self.slots.get(token).is_some_and(|slot| !mem::replace(&mut slot.peer_closed, true))
        {
            self.stop_receiving(token.index() as u32);
            handler.event(self, Event::PeerClosed { token });
        }
    }

    /// Enciphers what was to be sent before the handshake ended.
    fn send_waiting(&mut self, token: Token) {
        let Some(slot) = self.slots.get(token) else { return };
        let Some(channel) = &mut slot.tls else { return };
        for buffer in mem::take(&mut channel.waiting) {
            if let Some(slot) = self.slots.get(token) {
                slot.unsent_bytes = slot.unsent_bytes.saturating_sub(buffer.len());
            }
            self.send_enciphered(token, buffer);
        }
    }

    /// Closes a socket whose caller waits for that.
    fn finish(&mut self, token: Token, handler: &mut impl Handler) {
        if self.slots.get(token).is_some() {
            self.close_now(token);
            self.is_urgent = true;
            handler.event(self, Event::Closed { token });
        }
    }

    /// `bytes` more of a socket's outbox are with the kernel.
    pub(crate) fn sent(&mut self, token: Token, mut bytes: usize, handler: &mut impl Handler) {
        while bytes > 0 {
            let Some(slot) = self.slots.get(token) else { return };
            let (counted, buffer) = slot.outbox.sent(bytes);
            slot.unsent_bytes -= counted;
            bytes -= counted;
            let Some(buffer) = buffer else { return };
            handler.event(self, Event::Sent { token, buffer });
        }
        let Some(slot) = self.slots.get(token) else { return };
        if slot.close_when_sent && slot.outbox.is_empty() {
            self.finish(token, handler);
        }
    }

    /// The socket does not work any more.
    #[cold]
    pub(crate) fn fail(&mut self, token: Token, error: io::Error, handler: &mut impl Handler) {
        let Some(slot) = self.slots.get(token).filter(|slot| !slot.failed) else { return };
        self.is_urgent = true;
        slot.failed = true;
        slot.drop_outbox(slot.in_kernel());
        if slot.close_when_sent {
            return self.finish(token, handler);
        }
        self.arm(token.index() as u32);
        handler.event(self, Event::Failed { token, error });
    }

    /// A listener could not accept. The connection stays where it was, so trying again at once would only keep us busy.
    #[cold]
    pub(crate) fn accept_failed(&mut self, token: Token, error: io::Error, handler: &mut impl Handler) {
        let Some(slot) = self.slots.get(token) else { return };
        slot.wanted = false;
        let (_, waiting) = self.accept_again.get_or_insert_with(|| (Instant::now() + ACCEPT_PAUSE, Vec::new()));
        waiting.push(token);
        self.arm(token.index() as u32);
        handler.event(self, Event::Failed { token, error });
    }

    #[cold]
    fn accept_again(&mut self, timeout: Option<Duration>) -> Option<Duration> {
        let Some((at, waiting)) = self.accept_again.take() else { return timeout };
        let left = at.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            self.accept_again = Some((at, waiting));
            return Some(timeout.map_or(left, |timeout| timeout.min(left)));
        }
        waiting.into_iter().for_each(|listener| self.resume_receive(listener));
        timeout
    }

    pub(crate) fn arm(&mut self, index: u32) {
        if !mem::replace(&mut self.slots.at(index).to_arm, true) {
            self.to_arm.push(index);
        }
    }

    pub(crate) fn arm_if_wanted(&mut self, token: Token) {
        if self.slots.get(token).is_some_and(|slot| !slot.armed && slot.may_receive()) {
            self.arm(token.index() as u32);
        }
    }

    fn stop_receiving(&mut self, index: u32) {
        match &mut self.driver {
            Driver::Ring(ring) => ring.cancel_receive(self.slots.at(index), index),
            Driver::Poll(_) => self.arm(index),
        }
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The buffer for deciphered bytes is not kept larger than this.
const PLAIN_BYTES_KEPT: usize = 64 * 1024;

/// Whoever sends this much at a time may be waiting to send more.
pub(crate) const URGENT_BYTES: usize = 16 * 1024;

/// How long a listener waits after it failed to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
