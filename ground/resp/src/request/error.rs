//! The ways in which a request can break the protocol, and the texts that clients know them by.

use std::fmt;

/// A request that cannot be understood; the connection is told so and closed.
///
/// The text of `Display` is what follows `-ERR ` in the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The number of arguments is not a number or above 2^31 - 1.
    InvalidMultibulkLength,
    /// A length of an argument is not a number, negative, or above the limit.
    InvalidBulkLength,
    /// An argument does not begin with `$` but with this byte.
    ExpectedBulk(u8),
    /// No line end within 64 KiB behind `*`.
    MultibulkCountTooLong,
    /// No line end within 64 KiB behind `$`.
    BulkCountTooLong,
    /// No line end within 64 KiB of an inline command.
    InlineTooLong,
    /// More than 10 arguments before authentication.
    UnauthenticatedMultibulkLength,
    /// An argument above 16 KiB before authentication.
    UnauthenticatedBulkLength,
    /// An inline command whose quotes do not match.
    UnbalancedQuotes,
    /// Arrays within arrays beyond `typed::DEPTH_MAX`.
    NestedTooDeep,
    /// A typed argument longer than `typed::BYTES_MAX`.
    NestedTooLarge,
    /// A request of 4 GiB or more, which spans cannot describe.
    RequestTooLarge,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            ProtocolError::ExpectedBulk(byte) => {
                return write!(out, "Protocol error: expected '$', got '{}'", char::from(*byte));
            }
            ProtocolError::InvalidMultibulkLength => "invalid multibulk length",
            ProtocolError::InvalidBulkLength => "invalid bulk length",
            ProtocolError::MultibulkCountTooLong => "too big mbulk count string",
            ProtocolError::BulkCountTooLong => "too big bulk count string",
            ProtocolError::InlineTooLong => "too big inline request",
            ProtocolError::UnauthenticatedMultibulkLength => "unauthenticated multibulk length",
            ProtocolError::UnauthenticatedBulkLength => "unauthenticated bulk length",
            ProtocolError::UnbalancedQuotes => "unbalanced quotes in request",
            ProtocolError::NestedTooDeep => "too deeply nested argument",
            ProtocolError::NestedTooLarge => "too big nested argument",
            ProtocolError::RequestTooLarge => "request too large",
        };
        write!(out, "Protocol error: {what}")
    }
}

impl std::error::Error for ProtocolError {}
