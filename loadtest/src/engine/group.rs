//! The state of a group and of its flows.

use std::ops::Range;

use crate::check::DeliverySequence;
use crate::message::MessageKind;
use crate::plan::{FlowPace, GroupStay, LoadKind};

/// What belongs together: its sockets and flows, as places in their thread's lists.
#[derive(Debug)]
pub(crate) struct SocketGroup {
    /// Its number in the run.
    pub index: usize,
    /// Its tenant's number.
    pub tenant: usize,
    /// Its sockets.
    pub users: Range<usize>,
    /// Its flows.
    pub flows: Range<usize>,
    /// How long it stays.
    pub stay: GroupStay,
    /// How many of its sockets are ready.
    pub ready: usize,
    /// When its visit began, if one is under way.
    pub visit_since: Option<u64>,
    /// When the storm took it, until it is back.
    pub dropped_at: Option<u64>,
}

impl SocketGroup {
    /// Whether all of its sockets are ready.
    pub(crate) fn is_up(&self) -> bool {
        self.ready == self.users.len()
    }
}

/// Numbered messages from one socket to those of one name.
#[derive(Debug)]
pub struct MessageFlow {
    /// Its group.
    pub group: usize,
    /// The sender.
    pub from: usize,
    /// Who gets each message.
    pub to: Range<usize>,
    /// What is sent.
    pub kind: MessageKind,
    /// When.
    pub pace: FlowPace,
    /// The flow that answers this one, or that this one answers.
    pub other: Option<usize>,
    /// Of every so many frames the last goes to `other`.
    pub stream: Option<u64>,
    /// Whether nobody reads it.
    pub is_exempt: bool,
    /// Bytes that fill a frame up to its size.
    pub padding: usize,
    /// The number of the next message.
    pub next: u64,
    /// Questions that are not answered.
    pub in_flight: u32,
    /// Questions that may still be asked; none = no end.
    pub quota: Option<u32>,
    /// What came, for each of `to`.
    pub sequences: Vec<DeliverySequence>,
}

impl MessageFlow {
    /// Whether its messages must arrive.
    pub(crate) fn is_reliable(&self) -> bool {
        self.kind == MessageKind::Message && !self.is_exempt
    }

    /// Whether nothing is under way.
    pub(crate) fn is_settled(&self) -> bool {
        !self.is_reliable() || self.sequences.iter().all(|it| it.is_settled(self.next))
    }

    /// Questions that a window lets through now.
    pub fn free(&self) -> u32 {
        match self.pace {
            FlowPace::Window { window, .. } => {
                let free = window.saturating_sub(self.in_flight);
                self.quota.map_or(free, |quota| quota.min(free))
            }
            FlowPace::Scheduled(_) | FlowPace::Answer => 0,
        }
    }

    /// Begins anew, as its group has connected.
    pub fn begin(&mut self) {
        self.in_flight = 0;
        self.quota = match self.pace {
            FlowPace::Window { quota, .. } => quota,
            FlowPace::Scheduled(_) | FlowPace::Answer => None,
        };
    }

    /// Whether it has asked and been answered all that it was to ask.
    pub fn is_done(&self) -> bool {
        self.quota == Some(0) && self.in_flight == 0
    }

    /// The load whose schedule it follows.
    pub fn load(&self) -> Option<LoadKind> {
        match self.pace {
            FlowPace::Scheduled(load) => Some(load),
            FlowPace::Window { .. } | FlowPace::Answer => None,
        }
    }
}
