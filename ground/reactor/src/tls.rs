//! TLS between the kernel and the handler: bytes in, bytes out, no I/O of its own.
//!
//! What a socket with a [`Channel`] receives is deciphered before the handler sees it, and what it is given to send is enciphered
//! before it waits in the outbox; everything else about the socket is as without TLS. An idle channel holds no buffer: only the
//! beginning of a record that has not come whole stays between two turns.

mod acceptor;
mod certificate;
mod ciphers;
mod keys;
mod sessions;
#[cfg(test)]
mod tests;

pub use acceptor::{Acceptor, ClientCertificates, Summary, TlsOptions};
pub use certificate::CertificateFacts;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus};
use std::fmt;

/// The state of TLS on one connection.
pub(crate) struct Channel {
    connection: UnbufferedServerConnection,
    /// The beginning of a record, or of a message of the handshake, that is not there as a whole.
    incomplete: Vec<u8>,
    /// What was given to be sent before there were keys to encipher it.
    pub(crate) waiting: Vec<Vec<u8>>,
    pub(crate) is_ready: bool,
    peer_closed: bool,
}

/// What the peer's bytes came to.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The handshake has just ended: both sides have keys.
    pub(crate) became_ready: bool,
    /// The peer has said that it will send nothing more.
    pub(crate) peer_closed: bool,
    pub(crate) error: Option<rustls::Error>,
}

/// Buffers that all channels of a reactor share, because each needs them only during a call.
#[derive(Debug, Default)]
pub(crate) struct Workshop {
    records: Vec<u8>,
    pub(crate) plain: Vec<u8>,
    spare: Vec<Vec<u8>>,
}

impl Workshop {
    /// An empty buffer to encipher into.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Keeps a buffer for later, unless there are enough or it is unusually large.
    pub(crate) fn keep(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE_MAX && buffer.capacity() <= KEPT_BYTES_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}

impl Channel {
    pub(crate) fn accepting(acceptor: &Acceptor) -> Result<Self, rustls::Error> {
        let connection = UnbufferedServerConnection::new(acceptor.config())?;
        Ok(Self { connection, incomplete: Vec::new(), waiting: Vec::new(), is_ready: false, peer_closed: false })
    }

    /// Takes what came from the peer: appends what it says to `plain`, and what it must be answered to `answer`. After an error
    /// the answer tells the peer, and the channel is of no use any more.
    pub(crate) fn receive(
        &mut self,
        bytes: &[u8],
        workshop: &mut Workshop,
        plain: &mut Vec<u8>,
        answer: &mut Vec<u8>,
    ) -> Progress {
        let mut progress = Progress::default();
        if self.peer_closed {
            return progress;
        }
        let mut records = std::mem::take(&mut workshop.records);
        records.clear();
        records.append(&mut std::mem::take(&mut self.incomplete));
        records.extend_from_slice(bytes);
        let mut done = 0;
        loop {
            let UnbufferedStatus { discard, state } = self.connection.process_tls_records(&mut records[done..]);
            let mut goes_on = true;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        plain.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, answer),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => {
                    progress.peer_closed = true;
                    self.peer_closed = true;
                }
                Ok(ConnectionState::WriteTraffic(_)) => {
                    progress.became_ready = !std::mem::replace(&mut self.is_ready, true);
                    goes_on = false;
                }
                // Data before the end of the handshake is never offered, so nothing else goes on from here.
                Ok(_) => goes_on = false,
                Err(error) => {
                    progress.error = Some(error);
                    goes_on = false;
                }
            }
            done += discard;
            if !goes_on {
                break;
            }
        }
        if let Some(error) = &progress.error {
            // Who does not speak TLS would take an alert for a broken reply.
            let is_foreign = !self.is_ready && matches!(error, rustls::Error::InvalidMessage(_));
            if !is_foreign {
                self.last_words(&mut records[done..], answer);
            }
        } else if done < records.len() && !self.peer_closed {
            self.incomplete = records[done..].to_vec();
        }
        if records.capacity() <= KEPT_BYTES_MAX {
            workshop.records = records;
        }
        progress
    }

    /// Appends `plain` to `records`, enciphered; false when there are no keys (left).
    pub(crate) fn encipher(&mut self, plain: &[u8], records: &mut Vec<u8>) -> bool {
        let whole = plain.len() + (plain.len() / RECORD_BYTES_MAX + 1) * RECORD_OVERHEAD_MAX;
        self.write(records, whole, |traffic, place| traffic.encrypt(plain, place))
    }

    /// Appends the message that nothing more will be sent.
    pub(crate) fn say_goodbye(&mut self, records: &mut Vec<u8>) {
        self.write(records, RECORD_OVERHEAD_MAX, |traffic, place| traffic.queue_close_notify(place));
    }

    fn write(
        &mut self,
        records: &mut Vec<u8>,
        mut bytes: usize,
        mut put: impl FnMut(
            &mut rustls::unbuffered::WriteTraffic<'_, ServerConnectionData>,
            &mut [u8],
        ) -> Result<usize, EncryptError>,
    ) -> bool {
        loop {
            // The connection remembers places in what is incomplete, so it must see that, though there is nothing new in it.
            let UnbufferedStatus { discard, state } = self.connection.process_tls_records(&mut self.incomplete);
            let outcome = match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => loop {
                    let start = records.len();
                    records.resize(start + bytes, 0);
                    let outcome = put(&mut traffic, &mut records[start..]);
                    records.truncate(start + *outcome.as_ref().unwrap_or(&0));
                    match outcome {
                        Ok(_) => break Some(true),
                        Err(EncryptError::InsufficientSize(missing)) => bytes = missing.required_size,
                        Err(EncryptError::EncryptExhausted) => break Some(false),
                    }
                },
                Ok(ConnectionState::EncodeTlsData(data)) => {
                    encode(data, records);
                    None
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    None
                }
                Ok(ConnectionState::PeerClosed) => None,
                Ok(_) | Err(_) => Some(false),
            };
            self.incomplete.drain(..discard);
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
    }

    /// What the peer is told about an error. The connection is of no use after that, and not asked anything again.
    fn last_words(&mut self, rest: &mut [u8], answer: &mut Vec<u8>) {
        self.is_ready = false;
        if let Ok(ConnectionState::EncodeTlsData(data)) = self.connection.process_tls_records(rest).state {
            encode(data, answer);
        }
    }

    /// Who the peer is by its certificate, if it has shown one and it is valid.
    pub(crate) fn peer(&self) -> Option<CertificateFacts> {
        let chain = self.connection.peer_certificates()?;
        CertificateFacts::read(chain.first()?)
    }

    /// The agreed version and suite, as `TLSv1.3 TLS13_AES_256_GCM_SHA384`.
    pub(crate) fn agreement(&self) -> Option<String> {
        let version = self.connection.protocol_version()?;
        let suite = self.connection.negotiated_cipher_suite()?;
        Some(format!("{} {:?}", ciphers::version_name(version), suite.suite()))
    }
}

fn encode(mut data: EncodeTlsData<'_, ServerConnectionData>, into: &mut Vec<u8>) {
    let start = into.len();
    if let Err(EncodeError::InsufficientSize(missing)) = data.encode(&mut []) {
        into.resize(start + missing.required_size, 0);
        let written = data.encode(&mut into[start..]).unwrap_or(0);
        into.truncate(start + written);
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("is_ready", &self.is_ready).finish_non_exhaustive()
    }
}

/// Plain bytes that one record holds.
const RECORD_BYTES_MAX: usize = 16 * 1024;
/// Header, nonce, type and tag of a record are at most so many bytes.
const RECORD_OVERHEAD_MAX: usize = 48;
/// Buffers that wait to be used again, and the largest that does.
const SPARE_MAX: usize = 64;
const KEPT_BYTES_MAX: usize = 128 * 1024;
