//! One socket under load: bytes to write, and bytes of frames that are not complete.

use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;

use loadtest::wire::{self, BlockingSocket, PING, PONG, TEXT};

use super::ledger::EndLedger;
use super::stream::ServerStream;
use super::stream_item::StreamItem;

/// Opcode of a binary frame.
pub const BINARY: u8 = 2;

/// One end of a pair.
pub struct PairEnd {
    /// The connection.
    pub stream: TcpStream,
    /// What was sent and received.
    pub ledger: EndLedger,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// For protocols that are a stream inside frames.
    inner: Option<ServerStream>,
}

impl PairEnd {
    /// One whose socket has said all that must be said before messages.
    pub fn new(
        socket: BlockingSocket,
        ledger: EndLedger,
        inner: Option<ServerStream>,
    ) -> Result<Self> {
        socket.stream.set_nonblocking(true)?;
        Ok(Self {
            stream: TcpStream::from_std(socket.stream),
            ledger,
            inbox: socket.buffer,
            outbox: Vec::new(),
            inner,
        })
    }

    fn opcode(&self) -> u8 {
        self.inner.as_ref().map_or(TEXT, |_| BINARY)
    }

    /// Puts the next message into the outbox.
    pub fn send(&mut self) {
        let opcode = self.opcode();
        let message = self.ledger.outgoing.numbered(self.ledger.sent);
        wire::push(&mut self.outbox, opcode, message);
        self.ledger.sent += 1;
    }

    /// Puts a greeting into the outbox.
    pub fn greet(&mut self) {
        let opcode = self.opcode();
        wire::push(&mut self.outbox, opcode, self.ledger.outgoing.greeting());
    }

    /// Writes the outbox as far as the socket takes it; the socket reports when it takes more.
    pub fn flush(&mut self) -> Result<()> {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(count) => drop(self.outbox.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("write"),
            }
        }
        Ok(())
    }

    /// Reads what has arrived; the socket reports the rest, if there is more.
    pub fn fill(&mut self, scratch: &mut [u8]) -> Result<()> {
        loop {
            match self.stream.read(scratch) {
                Ok(0) => bail!("the server hung up"),
                Ok(count) => {
                    self.inbox.extend_from_slice(&scratch[..count]);
                    if count < scratch.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("read"),
            }
        }
    }

    /// Takes every whole frame; says how many messages came.
    pub fn take(&mut self) -> Result<u64> {
        let (mut at, before) = (0, self.ledger.received);
        while let Some(frame) = wire::parse(&self.inbox[at..]) {
            let payload = &self.inbox[at..][frame.payload.clone()];
            match (frame.opcode, &mut self.inner) {
                (PING, _) => wire::push(&mut self.outbox, PONG, payload),
                (TEXT, None) => self.ledger.frame(payload)?,
                (BINARY, Some(inner)) => inner.bytes.extend_from_slice(payload),
                (other, _) => bail!("opcode {other}: {}", String::from_utf8_lossy(payload)),
            }
            at += frame.payload.end;
        }
        self.inbox.drain(..at);
        if let Some(inner) = &mut self.inner {
            take_items(inner, &mut self.ledger, &mut self.outbox)?;
        }
        Ok(self.ledger.received - before)
    }
}

fn take_items(
    inner: &mut ServerStream,
    ledger: &mut EndLedger,
    outbox: &mut Vec<u8>,
) -> Result<()> {
    let mut at = 0;
    while let Some((item, bytes)) = inner.protocol.parse(&inner.bytes[at..])? {
        match item {
            StreamItem::Message(payload) => ledger.message(&inner.bytes[at..][payload])?,
            StreamItem::Ping => wire::push(outbox, BINARY, inner.protocol.pong()),
            StreamItem::Other => {}
        }
        at += bytes;
    }
    inner.bytes.drain(..at);
    Ok(())
}
