//! The protocol between an end and its server: how a socket opens, and what surrounds a message.

use std::io::{Read, Write};
use std::net::SocketAddr;

use anyhow::{Result, bail};
use clap::ValueEnum;

use loadtest::wire::{self, BlockingSocket};

use super::end::{BINARY, PairEnd};
use super::ledger::EndLedger;
use super::stream::{PeerProtocol, ServerStream};
use super::template::{MESSAGE_BYTES, MessageForm, MessageTemplate};
use super::{mqtt, nats};
use crate::servers::gateway::key_of;

/// What a server understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TalkKind {
    /// Frames as they are; the name is the path.
    Raw,
    /// The gateway's own, told of errors only.
    T2b,
    /// The same, with an `id` in each message.
    T2bIds,
    /// The same, and each message is acknowledged.
    T2bAcks,
    /// NATS in binary frames.
    Nats,
    /// MQTT in binary frames.
    Mqtt,
}

impl TalkKind {
    /// Its name as an argument of this program.
    pub(crate) fn argument(self) -> String {
        let value = self.to_possible_value();
        value.map_or(String::new(), |value| value.get_name().to_owned())
    }

    /// Whether each message has an ack.
    pub(crate) fn has_acks(self) -> bool {
        self == Self::T2bAcks
    }

    fn form(self, names_sender: bool) -> MessageForm {
        MessageForm {
            names_sender,
            has_id: matches!(self, Self::T2bIds | Self::T2bAcks),
        }
    }

    fn protocol(self) -> Option<PeerProtocol> {
        match self {
            Self::Raw | Self::T2b | Self::T2bIds | Self::T2bAcks => None,
            Self::Nats => Some(PeerProtocol::Nats),
            Self::Mqtt => Some(PeerProtocol::Mqtt),
        }
    }

    /// One end of a pair: connected, verified, subscribed, and if it is a bot, registered.
    pub fn open(
        self,
        address: SocketAddr,
        name: &str,
        peer: &str,
        is_bot: bool,
    ) -> Result<PairEnd> {
        let outgoing = MessageTemplate::new(name, peer, self.form(is_bot));
        let incoming = MessageTemplate::new(peer, name, self.form(!is_bot));
        let (socket, rest) = match self {
            Self::Raw => {
                let mut socket = BlockingSocket::connect(address, &format!("/{name}"), None)?;
                socket.upgraded()?;
                (socket, Vec::new())
            }
            Self::T2b | Self::T2bIds => (open_t2b(address, name, is_bot, "errors")?, Vec::new()),
            Self::T2bAcks => (open_t2b(address, name, is_bot, "all")?, Vec::new()),
            Self::Nats => {
                let mut socket = BlockingSocket::connect(address, "/", None)?;
                socket.upgraded()?;
                let rest = say(&mut socket, nats::hello(name).as_bytes(), nats::READY)?;
                (socket, rest)
            }
            Self::Mqtt => {
                let mut socket = connect_mqtt(address)?;
                let rest = say(&mut socket, &mqtt::hello(name), mqtt::READY)?;
                (socket, rest)
            }
        };
        let Some(protocol) = self.protocol() else {
            return PairEnd::new(socket, EndLedger::new(outgoing, incoming), None);
        };
        let (before, after) = match protocol {
            PeerProtocol::Nats => nats::around(peer, MESSAGE_BYTES),
            PeerProtocol::Mqtt => mqtt::around(peer, MESSAGE_BYTES),
        };
        let ledger = EndLedger::new(outgoing.between(&before, &after), incoming);
        let bytes = rest;
        PairEnd::new(socket, ledger, Some(ServerStream { protocol, bytes }))
    }
}

/// Each pair is an owner of its own, as with real ones.
fn open_t2b(address: SocketAddr, name: &str, is_bot: bool, acks: &str) -> Result<BlockingSocket> {
    let key = key_of(&format!("owner-{}", &name[1..]))?;
    let client = name.replace('b', "process-of-");
    let path = format!("/ws?acks={acks}&clientId={client}");
    let mut socket = BlockingSocket::connect(address, &path, Some(&key))?;
    socket.upgraded()?;
    socket.expect(r#""bots_list""#)?;
    if is_bot {
        let data = format!(r#"{{"botId":"{name}"}}"#);
        socket.send(&format!(r#"{{"type":"register_bot","data":{data}}}"#))?;
        socket.expect(r#""bot_registered""#)?;
    }
    Ok(socket)
}

/// mosquitto answers only who asks for its subprotocol.
fn connect_mqtt(address: SocketAddr) -> Result<BlockingSocket> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET /mqtt HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: mqtt\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let buffer = Vec::new();
    let mut socket = BlockingSocket { stream, buffer };
    socket.upgraded()?;
    Ok(socket)
}

/// Says something in one binary frame and reads up to the answer; returns what came after it.
fn say(socket: &mut BlockingSocket, what: &[u8], answer: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    wire::push(&mut out, BINARY, what);
    socket.stream.write_all(&out)?;
    let mut said = Vec::new();
    loop {
        while let Some(frame) = wire::parse(&socket.buffer) {
            said.extend_from_slice(&socket.buffer[frame.payload.clone()]);
            socket.buffer.drain(..frame.payload.end);
        }
        let found = said.windows(answer.len()).position(|it| it == answer);
        if let Some(at) = found {
            said.drain(..at + answer.len());
            return Ok(said);
        }
        let mut chunk = [0; 16 * 1024];
        match socket.stream.read(&mut chunk)? {
            0 => bail!(
                "the server hung up; it said {}",
                String::from_utf8_lossy(&said)
            ),
            count => socket.buffer.extend_from_slice(&chunk[..count]),
        }
    }
}
