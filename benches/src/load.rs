//! The load: pairs of a client A and a bot B, a window of messages each, one thread, one epoll.
//!
//! ```text
//!  A ── message n ──▶ server ──▶ B     B answers at once on its own socket
//!  A ◀── answer n ─── server ◀── B     A sends its next message; n is one round trip, two messages
//! ```
//!
//! Every delivery is checked: the right socket, the right text, each number once and in order. After
//! the measurement it stops sending and waits until nothing is under way. One thing wrong ends it.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde::{Deserialize, Serialize};

use loadtest::process;
use loadtest::wire::{self, PING, PONG, Socket, TEXT};

use crate::message::MESSAGE_BYTES;
use crate::product;
use crate::stats::percentile;

/// Longest wait for what is under way at the end.
const DRAIN_WAIT: Duration = Duration::from_secs(5);
/// More than a window of 16 takes, so that one read is enough.
const READ_BYTES: usize = 64 * 1024;
const NUMBER_DIGITS: usize = 10;
const TEXT_KEY: &[u8] = br#""text":""#;

/// Which server is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The yardstick.
    Raw,
    /// The gateway.
    Gateway,
}

/// One round.
#[derive(Debug, Args)]
pub struct Options {
    #[arg(long)]
    kind: Kind,
    #[arg(long)]
    address: SocketAddr,
    /// The server's process
    #[arg(long)]
    server: u32,
    #[arg(long)]
    pairs: usize,
    /// Messages under way in each pair
    #[arg(long)]
    window: usize,
    #[arg(long)]
    warm_up_ms: u64,
    #[arg(long)]
    measure_ms: u64,
}

/// What one round came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Round {
    /// Messages that arrived, a second.
    pub messages_per_s: f64,
    /// CPU time of the server for one of them, µs.
    pub cpu_us: f64,
    /// Round trip, median, µs.
    pub p50_us: f64,
    /// Round trip, 99th percentile, µs.
    pub p99_us: f64,
    /// Share of a core that the server had.
    pub server_cores: f64,
    /// Share of a core that this process had.
    pub load_cores: f64,
    /// Cores that everybody else had.
    pub foreign_cores: f64,
}

/// Drives one round and prints a [`Round`] as JSON.
pub fn run(options: &Options) -> Result<()> {
    let mut ends = Vec::new();
    for pair in 0..options.pairs {
        let (client, bot) = (format!("a{pair:06}"), format!("b{pair:06}"));
        ends.push(open(options, &client, &bot, false)?);
        ends.push(open(options, &bot, &client, true)?);
    }
    let mut load = Load::new(ends, options.window)?;
    let round = load.measure(options)?;
    println!("{}", serde_json::to_string(&round)?);
    Ok(())
}

/// One end of a pair: connected, verified, and if it is a bot, registered.
fn open(options: &Options, name: &str, peer: &str, is_bot: bool) -> Result<End> {
    let socket = match options.kind {
        Kind::Raw => {
            let mut socket = Socket::connect(options.address, &format!("/{name}"), None)?;
            socket.upgraded()?;
            socket
        }
        Kind::Gateway => {
            // Each pair is an owner of its own, as with real ones.
            let key = product::key_of(&format!("owner-{}", &name[1..]))?;
            let client = name.replace('b', "process-of-");
            let path = format!("/ws?acks=errors&clientId={client}");
            let mut socket = Socket::connect(options.address, &path, Some(&key))?;
            socket.upgraded()?;
            socket.expect(r#""bots_list""#)?;
            if is_bot {
                let data = format!(r#"{{"botId":"{name}"}}"#);
                socket.send(&format!(r#"{{"type":"register_bot","data":{data}}}"#))?;
                socket.expect(r#""bot_registered""#)?;
            }
            socket
        }
    };
    End::new(
        socket,
        message(name, peer, is_bot),
        message(peer, name, !is_bot),
    )
}

/// A message with a number to be filled in.
fn message(from: &str, to: &str, from_bot: bool) -> Template {
    let sender = if from_bot {
        format!(r#""from":"{from}","#)
    } else {
        String::new()
    };
    let head = format!(r#"{{"type":"message","data":{{"to":"{to}",{sender}"text":""#);
    let number_at = head.len();
    let mut text = format!("{head}{:0NUMBER_DIGITS$} from {from} to {to} ", 0);
    let padding = MESSAGE_BYTES - text.len() - r#""}}"#.len();
    text.push_str(&"x".repeat(padding));
    text.push_str(r#""}}"#);
    Template {
        bytes: text.into_bytes(),
        number_at,
    }
}

struct Template {
    bytes: Vec<u8>,
    number_at: usize,
}

impl Template {
    fn numbered(&mut self, mut number: u64) -> &[u8] {
        let digits = &mut self.bytes[self.number_at..self.number_at + NUMBER_DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        &self.bytes
    }

    /// The `text` member of one message, with its name and quotes.
    fn text(&mut self, number: u64) -> &[u8] {
        let (start, end) = (self.number_at - TEXT_KEY.len(), self.bytes.len() - 2);
        &self.numbered(number)[start..end]
    }
}

/// One socket under load.
struct End {
    stream: TcpStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    outgoing: Template,
    incoming: Template,
    /// Messages sent, and the number of the next.
    sent: u64,
    /// Messages received, and the number expected next.
    received: u64,
    /// Where `text` stood in the last message.
    text_at: usize,
}

impl End {
    fn new(socket: Socket, outgoing: Template, incoming: Template) -> Result<Self> {
        socket.stream.set_nonblocking(true)?;
        Ok(Self {
            stream: TcpStream::from_std(socket.stream),
            inbox: socket.buffer,
            outbox: Vec::new(),
            outgoing,
            incoming,
            sent: 0,
            received: 0,
            text_at: 0,
        })
    }

    fn send(&mut self) {
        wire::push(&mut self.outbox, TEXT, self.outgoing.numbered(self.sent));
        self.sent += 1;
    }

    fn flush(&mut self) -> Result<()> {
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
    fn fill(&mut self, scratch: &mut [u8]) -> Result<()> {
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
    fn take(&mut self) -> Result<u64> {
        let (mut at, before) = (0, self.received);
        while let Some(frame) = wire::parse(&self.inbox[at..]) {
            let payload = &self.inbox[at..][frame.payload.clone()];
            match frame.opcode {
                PING => wire::push(&mut self.outbox, PONG, payload),
                TEXT if payload.starts_with(br#"{"type":"bot_status""#) => {}
                TEXT => {
                    let expected = self.incoming.text(self.received);
                    if !payload[self.text_at.min(payload.len())..].starts_with(expected) {
                        let found = payload
                            .windows(expected.len())
                            .position(|part| part == expected);
                        self.text_at = found.with_context(|| {
                            format!(
                                "expected {}, got {}",
                                String::from_utf8_lossy(expected),
                                String::from_utf8_lossy(payload)
                            )
                        })?;
                    }
                    self.received += 1;
                }
                other => bail!("opcode {other}: {}", String::from_utf8_lossy(payload)),
            }
            at += frame.payload.end;
        }
        self.inbox.drain(..at);
        Ok(self.received - before)
    }
}

struct Load {
    poll: Poll,
    /// A of pair 0, B of pair 0, A of pair 1, …
    ends: Vec<End>,
    /// When A's messages were sent, by their number modulo the window.
    sent_at: Vec<Vec<Instant>>,
    window: usize,
    sending: bool,
    messages: u64,
    /// Round trips since the measurement began, µs.
    trips_us: Vec<f64>,
    scratch: Vec<u8>,
}

impl Load {
    fn new(mut ends: Vec<End>, window: usize) -> Result<Self> {
        let poll = Poll::new()?;
        for (index, end) in ends.iter_mut().enumerate() {
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut end.stream, Token(index), interest)?;
        }
        Ok(Self {
            poll,
            sent_at: vec![vec![Instant::now(); window]; ends.len() / 2],
            ends,
            window,
            sending: true,
            messages: 0,
            trips_us: Vec::new(),
            scratch: vec![0; READ_BYTES],
        })
    }

    fn measure(&mut self, options: &Options) -> Result<Round> {
        for end in self.ends.iter_mut().step_by(2) {
            (0..self.window).for_each(|_| end.send());
            end.flush()?;
        }
        self.until(Instant::now() + Duration::from_millis(options.warm_up_ms))?;
        self.trips_us.clear();
        let before = Usage::now(options.server, self.messages)?;
        self.until(Instant::now() + Duration::from_millis(options.measure_ms))?;
        let after = Usage::now(options.server, self.messages)?;
        let round = after.since(&before, &self.trips_us);
        self.drain()?;
        Ok(round)
    }

    fn until(&mut self, deadline: Instant) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            match self.poll.poll(&mut events, Some(left)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                self.serve(event.token().0)?;
            }
        }
    }

    fn serve(&mut self, index: usize) -> Result<()> {
        let end = &mut self.ends[index];
        end.fill(&mut self.scratch)?;
        let first = end.received;
        let count = end.take()?;
        self.messages += count;
        let now = Instant::now();
        for number in first..first + count {
            let is_bot = index % 2 == 1;
            if is_bot {
                end.send();
                continue;
            }
            let sent_at = &mut self.sent_at[index / 2][number as usize % self.window];
            self.trips_us
                .push((now - *sent_at).as_nanos() as f64 / 1000.0);
            if self.sending {
                *sent_at = now;
                end.send();
            }
        }
        end.flush()
    }

    /// Sends nothing new until everything under way has arrived: nothing was lost.
    fn drain(&mut self) -> Result<()> {
        self.sending = false;
        let deadline = Instant::now() + DRAIN_WAIT;
        while Instant::now() < deadline && !self.is_done() {
            self.until(Instant::now() + Duration::from_millis(1))?;
        }
        ensure!(self.is_done(), "messages were lost");
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.ends
            .chunks(2)
            .all(|pair| pair[0].sent == pair[1].received && pair[1].sent == pair[0].received)
    }
}

/// What everybody had used at one time.
struct Usage {
    at: Instant,
    messages: u64,
    server: Duration,
    own: Duration,
    machine: Duration,
}

impl Usage {
    fn now(server: u32, messages: u64) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            messages,
            server: process::cpu_of(server)?,
            own: process::cpu_of(std::process::id())?,
            machine: process::cpu_of_machine()?,
        })
    }

    fn since(&self, before: &Usage, trips_us: &[f64]) -> Round {
        let seconds = (self.at - before.at).as_secs_f64();
        let messages = (self.messages - before.messages) as f64;
        let server = (self.server - before.server).as_secs_f64();
        let own = (self.own - before.own).as_secs_f64();
        let machine = self.machine.saturating_sub(before.machine).as_secs_f64();
        Round {
            messages_per_s: messages / seconds,
            cpu_us: 1e6 * server / messages,
            p50_us: percentile(trips_us, 0.5),
            p99_us: percentile(trips_us, 0.99),
            server_cores: server / seconds,
            load_cores: own / seconds,
            foreign_cores: ((machine - server - own) / seconds).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{NAME_BYTES, TO_AT};

    #[test]
    fn a_message_has_its_size_its_recipient_and_its_number() {
        for from_bot in [false, true] {
            let mut template = message("a000001", "b000001", from_bot);
            let bytes = template.numbered(1234).to_vec();
            assert_eq!(bytes.len(), MESSAGE_BYTES);
            assert_eq!(&bytes[TO_AT..TO_AT + NAME_BYTES], b"b000001");
            let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            let text = value["data"]["text"].as_str().unwrap().to_owned();
            assert!(text.starts_with("0000001234 from a000001 to b000001 x"));
            assert_eq!(
                template.text(1234),
                format!(r#""text":"{text}""#).as_bytes()
            );
        }
    }
}
