//! What will happen when: the queue of a virtual clock.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::{BootId, TenantId};
use router_core::effect::Ticket;
use router_core::session::Opened;
use router_core::store::nodes::{NodeAsk, NodeReply};
use router_core::store::{Event as DirectoryEvent, StoreRequest, StoreResult};
use router_core::{ConnKey, Millis};

use crate::checks::Said;
use crate::faults::Fault;

/// A process of one machine: who crashes and starts again is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Which machine.
    pub machine: usize,
    /// How often it started before.
    pub life: u64,
}

/// Something that happens.
#[derive(Debug)]
pub enum Event {
    /// Redis executes a question; when the answer is back, if it ever is.
    Execute(Process, Question, Option<Millis>),
    /// Redis executes a PUBLISH to an inbox.
    Publish(BootId, Bytes),
    /// Redis subscribes a process to an inbox.
    Subscribe(Process, BootId),
    /// Something reaches a process.
    Arrive(Process, Arrival),
    /// A process may be due.
    Wake(Process),
    /// A peer does something.
    Act(usize),
    /// A peer reads its socket.
    Read(Process, ConnKey),
    /// A peer's socket is gone.
    HangUp(usize, ConnKey),
    /// Something breaks.
    Break(Fault),
    /// Something that broke is whole again.
    Mend(Fault),
    /// The next fault is chosen.
    NextFault,
    /// The replica of the store takes over what the store has now.
    Replicate,
    /// Every machine is looked at.
    Look,
}

/// A question to Redis.
#[derive(Debug, Clone)]
pub enum Question {
    /// A tenant's.
    Tenant(Ticket, StoreRequest),
    /// The node machine's.
    Node(NodeAsk),
}

/// What reaches a process.
#[derive(Debug)]
pub enum Arrival {
    /// The store's answer to a tenant.
    Replied(Ticket, StoreResult),
    /// The store's answer to the node machine.
    NodeReplied(NodeAsk, NodeReply),
    /// A step of a directory, pushed.
    Told(TenantId, DirectoryEvent),
    /// A packet, pushed.
    Packet(Bytes),
    /// An own probe, pushed.
    Probe(u64),
    /// A PUBLISH of a lane ended.
    Published(Publish, Result<(), ()>),
    /// The subscription's connection dropped.
    LinkDown,
    /// It is back, and all is subscribed.
    LinkUp,
    /// A peer opens a socket.
    Open(ConnKey, usize, Box<Opened>, Manner),
    /// A peer's frame.
    Text(ConnKey, Bytes, Said),
    /// A peer closed its socket.
    Gone(ConnKey),
}

/// A PUBLISH of a lane.
#[derive(Debug, Clone, Copy)]
pub struct Publish {
    /// The lane's number in its process.
    pub lane: u64,
    /// Whether it has a batch; else it is a bare ack.
    pub is_data: bool,
}

/// How a peer treats its socket.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// How long after a frame is queued it is read, milliseconds.
    pub reads_after_ms: Millis,
    /// Frames that its queue takes.
    pub capacity: usize,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Agenda {
    events: BTreeMap<(Millis, u64), Event>,
    numbers: u64,
}

impl Agenda {
    /// Adds something; what is added for the same time happens in the order of adding.
    pub fn add(&mut self, at_ms: Millis, event: Event) {
        self.numbers += 1;
        self.events.insert((at_ms, self.numbers), event);
    }

    /// Takes what is next, if it is due by then.
    pub fn next(&mut self, until_ms: Millis) -> Option<(Millis, Event)> {
        let next = self.events.first_entry()?;
        let at_ms = next.key().0;
        (at_ms <= until_ms).then(|| (at_ms, next.remove()))
    }
}
