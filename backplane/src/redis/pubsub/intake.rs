//! Reads what arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::counters::RedisCounters;
use super::inbound::InboundMessage;
use crate::bounds::{NumberBounds, ServerClock};
use crate::features::directory::codec;
use crate::keys::{ChannelName, KeyNames};

/// What begins a probe in an inbox; no packet begins so.
const PROBE: &[u8] = b"probe ";
/// Probes under way that are remembered.
const PROBES: usize = 16;

/// Reads messages, for all connections of a node.
pub(crate) struct MessageIntake {
    pub(in crate::redis) names: KeyNames,
    pub(in crate::redis) sender: mpsc::Sender<InboundMessage>,
    pub(crate) counters: RedisCounters,
    pub(crate) clock: ServerClock,
    probes: Mutex<BTreeMap<u64, BTreeSet<usize>>>,
}

impl MessageIntake {
    pub(in crate::redis) fn new(names: KeyNames, sender: mpsc::Sender<InboundMessage>) -> Self {
        Self {
            names,
            sender,
            counters: RedisCounters::default(),
            clock: ServerClock::default(),
            probes: Mutex::default(),
        }
    }

    /// Sends a probe out over `connections`, and gives its text.
    pub(in crate::redis) fn probe(&self, number: u64, connections: usize) -> Vec<u8> {
        let mut probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        probes.insert(number, (0..connections).collect());
        if probes.len() > PROBES {
            probes.pop_first();
        }
        [PROBE, number.to_string().as_bytes()].concat()
    }

    /// What a message on connection `index` is. `None`: nothing, or not all of it yet.
    pub(in crate::redis) fn read(
        &self,
        index: usize,
        channel: &[u8],
        payload: Bytes,
    ) -> Option<InboundMessage> {
        let channel = self.names.channel(std::str::from_utf8(channel).ok()?)?;
        match channel {
            ChannelName::Events(tenant) => {
                let bounds = NumberBounds::at(self.clock.now_ms());
                let read = codec::event(&payload, bounds);
                let skipped = read.as_ref().map_or(1, |read| read.skipped);
                self.counters.skipped.fetch_add(skipped, Relaxed);
                read.map(|read| InboundMessage::Event {
                    tenant,
                    event: read.event,
                    repaired: read.repaired,
                })
            }
            ChannelName::Inbox(_) | ChannelName::Probe(_) => match payload.strip_prefix(PROBE) {
                Some(number) => self.returned(index, number),
                None => Some(InboundMessage::Packet(payload)),
            },
        }
    }

    fn returned(&self, index: usize, number: &[u8]) -> Option<InboundMessage> {
        let number = std::str::from_utf8(number).ok()?.parse().ok()?;
        let mut probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = probes.get_mut(&number)?;
        missing.remove(&index);
        if !missing.is_empty() {
            return None;
        }
        probes.remove(&number);
        Some(InboundMessage::Probe { number })
    }
}
