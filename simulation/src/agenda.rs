//! The event queue of the virtual clock.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::{BootId, TenantId};
use router_core::effect::Ticket;
use router_core::session::OpenedConnection;
use router_core::store::nodes::{NodeQuery, NodeReply};
use router_core::store::{DirectoryEvent, StoreRequest, StoreResult, UsageRecord};
use router_core::{ConnKey, Millis};

use crate::faults::FaultKind;
use crate::said::SaidRecord;

/// A process of one machine: who crashes and starts again is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MachineProcess {
    /// Which machine.
    pub machine: usize,
    /// How often it started before.
    pub life: u64,
}

/// Something that happens.
#[derive(Debug)]
pub enum AgendaEvent {
    /// Redis executes a question; when the answer is back, if it ever is.
    Execute(MachineProcess, StoreQuestion, Option<Millis>),
    /// Redis executes a PUBLISH to an inbox.
    Publish(BootId, Bytes),
    /// Redis subscribes a process to an inbox.
    Subscribe(MachineProcess, BootId),
    /// Something reaches a process.
    Arrive(MachineProcess, ProcessArrival),
    /// A process may be due.
    Wake(MachineProcess),
    /// A peer does something.
    Act(usize),
    /// A peer reads its socket.
    Read(MachineProcess, ConnKey),
    /// A peer's socket is gone.
    HangUp(usize, ConnKey),
    /// Something breaks.
    Break(FaultKind),
    /// Something that broke is whole again.
    Mend(FaultKind),
    /// The next fault is chosen.
    NextFault,
    /// The replica of the store takes over what the store has now.
    Replicate,
    /// Every machine is looked at.
    Look,
    /// A process writes its journal of usage.
    Gather(MachineProcess),
    /// An operator assigns terms to a tenant.
    Assign,
}

/// A question to Redis.
#[derive(Debug, Clone)]
pub enum StoreQuestion {
    /// A tenant's.
    Tenant(Ticket, StoreRequest),
    /// The node machine's.
    Node(NodeQuery),
    /// A record that a process before has left.
    Book(TenantId, UsageRecord),
}

/// What reaches a process.
#[derive(Debug)]
pub enum ProcessArrival {
    /// The store's answer to a tenant.
    Replied(Ticket, StoreResult),
    /// The store's answer to the node machine.
    NodeReplied(Box<(NodeQuery, NodeReply)>),
    /// A step of a directory, pushed.
    Told(TenantId, DirectoryEvent),
    /// A packet, pushed.
    Packet(Bytes),
    /// An own probe, pushed.
    Probe(u64),
    /// A PUBLISH of a lane ended.
    Published(LanePublish, Result<(), ()>),
    /// The subscription's connection dropped.
    LinkDown,
    /// It is back, and all is subscribed.
    LinkUp,
    /// A peer opens a socket.
    Open(ConnKey, usize, Box<OpenedConnection>, PeerManner),
    /// A peer's frame.
    Text(ConnKey, Bytes, SaidRecord),
    /// A peer closed its socket.
    Gone(ConnKey),
    /// Whether a record that a process before has left is booked.
    Booked(bool),
}

/// A PUBLISH of a lane.
#[derive(Debug, Clone, Copy)]
pub struct LanePublish {
    /// The lane's number in its process.
    pub lane: u64,
    /// Whether it has a batch; else it is a bare ack.
    pub is_data: bool,
}

/// How a peer treats its socket.
#[derive(Debug, Clone, Copy)]
pub struct PeerManner {
    /// How long after a frame is queued it is read, milliseconds.
    pub reads_after_ms: Millis,
    /// Frames that its queue takes.
    pub capacity: usize,
}

/// The queue.
#[derive(Debug, Default)]
pub struct EventAgenda {
    events: BTreeMap<(Millis, u64), AgendaEvent>,
    numbers: u64,
}

impl EventAgenda {
    /// Adds something; what is added for the same time happens in the order of adding.
    pub fn add(&mut self, at_ms: Millis, event: AgendaEvent) {
        self.numbers += 1;
        self.events.insert((at_ms, self.numbers), event);
    }

    /// Takes what is next, if it is due by then.
    pub fn next(&mut self, until_ms: Millis) -> Option<(Millis, AgendaEvent)> {
        let next = self.events.first_entry()?;
        let at_ms = next.key().0;
        (at_ms <= until_ms).then(|| (at_ms, next.remove()))
    }
}
