//! A bare socket, for what no client library would send.

use crate::wait::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

/// A TCP connection that sends and receives bytes as they are.
pub struct Raw {
    pub stream: TcpStream,
}

impl Raw {
    pub fn connect(address: &str) -> Raw {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("the timeout is not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("the timeout is not zero");
        Raw { stream }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).expect("the connection is open");
        self
    }

    /// Sends what the server may no longer want to read.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Says that nothing more will be sent; replies can still be read.
    pub fn finish_sending(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).expect("the connection is open");
        self
    }

    /// Reads as many bytes as `expected` has and compares them.
    #[track_caller]
    pub fn expect(&mut self, expected: impl AsRef<[u8]>) -> &mut Self {
        let expected = expected.as_ref();
        let mut received = vec![0; expected.len()];
        let mut at = 0;
        while at < received.len() {
            match self.stream.read(&mut received[at..]) {
                Ok(0) => break,
                Ok(count) => at += count,
                Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&received[..at])),
            }
        }
        assert_eq!(String::from_utf8_lossy(&received[..at]), String::from_utf8_lossy(expected));
        self
    }

    /// Reads a line without its end.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            assert_eq!(self.stream.read(&mut byte).expect("a line comes"), 1, "closed after {line:?}");
            line.push(byte[0]);
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).expect("the line is text")
    }

    /// Reads until the server closes the connection. That it throws away unread input (a reset) counts as closed.
    #[track_caller]
    pub fn rest(&mut self) -> String {
        let mut received = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => received.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&received)),
            }
        }
        String::from_utf8_lossy(&received).into_owned()
    }
}
