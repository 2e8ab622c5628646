//! The sockets of a reactor and what is going on with each.

use crate::{outbox::Outbox, tls::Channel};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// Names a socket of one reactor. After the socket is closed its token names nothing, also when another takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    index: u32,
    generation: u32,
}

impl Token {
    /// The socket's place: small, and free again after the socket is closed; a good index for a table of sessions.
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// The token as one number and back, to be carried through a message.
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Free,
    Listener,
    Socket,
    /// Closed for the caller; the kernel still holds a request, so the descriptor and the buffer in its hands stay.
    Closing,
}

/// A place for a socket: 104 bytes.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub fd: Option<OwnedFd>,
    pub generation: u32,
    pub kind: Kind,
    /// The caller wants to receive.
    pub wanted: bool,
    /// io_uring: a receive or accept request is in the kernel.
    pub armed: bool,
    /// io_uring: the request that is in the kernel has been asked to end.
    pub cancelling: bool,
    /// In the list of those to be armed.
    pub to_arm: bool,
    /// In the list of those to be sent for.
    pub to_send: bool,
    /// io_uring: a send request is in the kernel, with the first buffer. epoll: the socket is full, its writability watched.
    pub send_waits: bool,
    /// io_uring: a send request that does not wait leaves with this turn's system call.
    pub send_leaves: bool,
    /// io_uring: the socket was full, so the next send request waits until it is not.
    pub send_slowly: bool,
    /// io_uring: the result of the request that leaves, if it did not succeed.
    pub send_result: Option<i32>,
    /// epoll: the events that the kernel tells of; 0 while it does not know the socket.
    pub registered: u8,
    pub peer_closed: bool,
    pub failed: bool,
    pub close_when_sent: bool,
    pub unsent_bytes: usize,
    pub outbox: Outbox,
    /// What came while the caller did not want to receive.
    #[expect(clippy::box_collection, reason = "nearly always absent, and then it takes 8 bytes rather than 24")]
    pub held: Option<Box<Vec<u8>>>,
    pub tls: Option<Box<Channel>>,
}

impl Slot {
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.fd.as_ref().map_or(-1, OwnedFd::as_raw_fd)
    }

    /// Whether it should be receiving (or accepting).
    pub(crate) fn may_receive(&self) -> bool {
        self.wanted && !self.peer_closed && !self.failed && matches!(self.kind, Kind::Socket | Kind::Listener)
    }

    /// Whether the kernel reads from the first buffer.
    pub(crate) fn in_kernel(&self) -> bool {
        self.send_leaves || self.send_waits
    }

    /// Drops what is still to be sent, but for a buffer that the kernel reads from.
    pub(crate) fn drop_outbox(&mut self, in_kernel: bool) {
        self.outbox.clear(in_kernel);
        self.unsent_bytes = 0;
    }
}

#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Slots {
    pub(crate) fn add(&mut self, kind: Kind, fd: OwnedFd) -> Token {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("a process has fewer than 2^32 descriptors")
        });
        let slot = &mut self.slots[index as usize];
        let generation = slot.generation;
        *slot = Slot { fd: Some(fd), generation, kind, wanted: true, ..Slot::default() };
        Token { index, generation }
    }

    /// Ends the life of the token.
    pub(crate) fn retire(&mut self, token: Token) {
        let slot = &mut self.slots[token.index()];
        slot.generation = slot.generation.wrapping_add(1);
        slot.kind = Kind::Closing;
        slot.wanted = false;
    }

    /// Closes the descriptor of a retired slot and offers the place to others.
    pub(crate) fn free(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        debug_assert_eq!(slot.kind, Kind::Closing);
        *slot = Slot { generation: slot.generation, ..Slot::default() };
        self.free.push(index);
    }

    /// The slot, if the token still names it.
    #[inline]
    pub(crate) fn get(&mut self, token: Token) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(token.index())?;
        (slot.generation == token.generation && matches!(slot.kind, Kind::Socket | Kind::Listener)).then_some(slot)
    }

    #[inline]
    pub(crate) fn at(&mut self, index: u32) -> &mut Slot {
        &mut self.slots[index as usize]
    }

    #[inline]
    pub(crate) fn token(&self, index: u32) -> Token {
        Token { index, generation: self.slots[index as usize].generation }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::{Slot, Token};

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Slot>() <= 104, "{} bytes", size_of::<Slot>());
    }

    #[test]
    fn a_token_survives_a_message() {
        let token = Token { index: 7, generation: u32::MAX };
        assert_eq!(Token::from_bits(token.to_bits()), token);
    }
}
