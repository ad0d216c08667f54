//! Protocols that are a stream of bytes inside WebSocket frames.

use anyhow::Result;

use super::stream_item::StreamItem;
use super::{mqtt, nats};

/// Which protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerProtocol {
    /// NATS.
    Nats,
    /// MQTT 3.1.1.
    Mqtt,
}

impl PeerProtocol {
    /// The first item of a stream and the bytes it takes, if it is there to the end.
    pub fn parse(self, stream: &[u8]) -> Result<Option<(StreamItem, usize)>> {
        match self {
            Self::Nats => nats::parse(stream),
            Self::Mqtt => mqtt::parse(stream),
        }
    }

    /// What answers a [`StreamItem::Ping`].
    pub fn pong(self) -> &'static [u8] {
        match self {
            Self::Nats => nats::PONG,
            Self::Mqtt => &[],
        }
    }
}

/// What came of a stream and is not taken yet.
#[derive(Debug)]
pub struct ServerStream {
    /// How it is read.
    pub protocol: PeerProtocol,
    /// The bytes.
    pub bytes: Vec<u8>,
}
