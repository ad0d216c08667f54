//! Keeps messages in order while a bot's route changes.
//!
//! A flow is what one connection has under way to one bot of another node. While it is undecided
//! there, what goes another way waits behind it: else the second message over the new route would
//! overtake the first over the old one. What was told `moved` goes first, in its old order.

use std::collections::{BTreeMap, VecDeque};

use protocol::limits::{HELD_BYTES_MAX, HELD_MAX, HELD_TENANT_BYTES_MAX};
use protocol::{BootId, Name};

use crate::check;
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::request::RouteRequest;

/// A message that goes its way later.
#[derive(Debug)]
pub(super) struct HeldMessage {
    pub route: Box<RouteRequest>,
    /// How often it was told `moved`.
    pub moves: u64,
    /// Who told it last, and where the bot is instead.
    pub moved: Option<(BootId, BootId)>,
}

/// What one connection has under way to one bot.
#[derive(Debug)]
struct MessageFlow {
    node: BootId,
    undecided: usize,
    /// Told `moved`; they go first.
    back: Vec<HeldMessage>,
    held: VecDeque<HeldMessage>,
    bytes: usize,
}

/// The flows of a tenant's connections to bots of other nodes; absent while there never was one.
#[derive(Debug, Default)]
pub(super) struct MessageFlows(Option<Box<FlowTable>>);

#[derive(Debug, Default)]
struct FlowTable {
    flows: BTreeMap<(ConnKey, Name), MessageFlow>,
    /// HeldMessage no longer, in the order in which they go.
    ready: VecDeque<HeldMessage>,
    /// Of all that is held.
    bytes: usize,
}

/// Whether a message may go now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FlowGate {
    Open,
    /// Something before it is undecided on another route.
    Hold,
}

impl MessageFlows {
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |table| table.flows.len())
    }

    /// Whether the next message of a flow may go to `node` (absent: a connection of this node).
    pub fn gate(&self, from: ConnKey, to: &Name, node: Option<BootId>) -> FlowGate {
        let Some(table) = self.0.as_ref().filter(|table| !table.flows.is_empty()) else {
            return FlowGate::Open;
        };
        match table.flows.get(&(from, to.clone())) {
            None => FlowGate::Open,
            Some(flow) if Some(flow.node) == node && !flow.is_turning() => FlowGate::Open,
            Some(_) => FlowGate::Hold,
        }
    }

    /// Notes that a message went to `node`.
    pub fn sent(&mut self, from: ConnKey, to: &Name, node: BootId) {
        let table = self.0.get_or_insert_default();
        let flow = table
            .flows
            .entry((from, to.clone()))
            .or_insert(MessageFlow {
                node,
                undecided: 0,
                back: Vec::new(),
                held: VecDeque::new(),
                bytes: 0,
            });
        flow.undecided += 1;
    }

    /// Lets a message wait. Errors: the message, if too many wait already.
    pub fn hold(&mut self, from: ConnKey, to: &Name, held: HeldMessage) -> Result<(), HeldMessage> {
        let Some(table) = &mut self.0 else {
            return Err(held);
        };
        let Some(flow) = table.flows.get_mut(&(from, to.clone())) else {
            return Err(held);
        };
        let bytes = held.route.envelope.message.body.len();
        let is_full = flow.held.len() >= HELD_MAX || flow.bytes + bytes > HELD_BYTES_MAX;
        if is_full || table.bytes + bytes > HELD_TENANT_BYTES_MAX {
            return Err(held);
        }
        flow.bytes += bytes;
        table.bytes += bytes;
        flow.held.push_back(held);
        check!(
            Invariant::Bounded,
            flow.held.len() <= HELD_MAX && flow.bytes <= HELD_BYTES_MAX,
            "{} wait",
            flow.held.len()
        );
        Ok(())
    }

    /// Notes that a message was delivered: those before it that are to go again cannot any more,
    /// or they would arrive behind it.
    pub fn delivered(&mut self, from: ConnKey, to: &Name) -> Vec<HeldMessage> {
        let table = self.0.as_mut();
        let flow = table.and_then(|table| table.flows.get_mut(&(from, to.clone())));
        flow.map(|flow| std::mem::take(&mut flow.back))
            .unwrap_or_default()
    }

    /// Notes that a message must go again.
    pub fn moved(&mut self, from: ConnKey, to: &Name, held: HeldMessage) {
        let table = self.0.as_mut();
        if let Some(flow) = table.and_then(|table| table.flows.get_mut(&(from, to.clone()))) {
            flow.back.push(held);
        }
    }

    /// Notes that a message is decided. When it was the last, what waited is ready to go.
    pub fn decided(&mut self, from: ConnKey, to: &Name) {
        let key = (from, to.clone());
        let Some(table) = &mut self.0 else {
            return;
        };
        let Some(flow) = table.flows.get_mut(&key) else {
            return;
        };
        flow.undecided = flow.undecided.saturating_sub(1);
        if flow.undecided > 0 {
            return;
        }
        if let Some(flow) = table.flows.remove(&key) {
            table.bytes -= flow.bytes;
            table.ready.extend(flow.back);
            table.ready.extend(flow.held);
        }
    }

    /// Takes the next one that may go.
    pub fn next_ready(&mut self) -> Option<HeldMessage> {
        self.0.as_mut()?.ready.pop_front()
    }
}

impl MessageFlow {
    fn is_turning(&self) -> bool {
        !self.back.is_empty() || !self.held.is_empty()
    }
}
