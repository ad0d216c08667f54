//! A group and its flows, while they run.

use std::ops::Range;

use crate::check::Sequence;
use crate::message::Kind;
use crate::plan::{Load, Pace, Stay};

/// What belongs together: its sockets and flows, as places in their thread's lists.
#[derive(Debug)]
pub struct Group {
    /// Its number in the run.
    pub index: usize,
    /// Its tenant's number.
    pub tenant: usize,
    /// Its sockets.
    pub parties: Range<usize>,
    /// Its flows.
    pub flows: Range<usize>,
    /// How long it stays.
    pub stay: Stay,
    /// How many of its sockets are ready.
    pub ready: usize,
    /// When its visit began, if one is under way.
    pub visit_since: Option<u64>,
    /// When the storm took it, until it is back.
    pub dropped_at: Option<u64>,
}

impl Group {
    /// Whether all of its sockets are ready.
    pub fn is_up(&self) -> bool {
        self.ready == self.parties.len()
    }
}

/// Numbered messages from one socket to those of one name.
#[derive(Debug)]
pub struct Flow {
    /// Its group.
    pub group: usize,
    /// The sender.
    pub from: usize,
    /// Who gets each message.
    pub to: Range<usize>,
    /// What is sent.
    pub kind: Kind,
    /// When.
    pub pace: Pace,
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
    pub sequences: Vec<Sequence>,
}

impl Flow {
    /// Whether its messages must arrive.
    pub fn is_reliable(&self) -> bool {
        self.kind == Kind::Message && !self.is_exempt
    }

    /// Whether nothing is under way.
    pub fn is_settled(&self) -> bool {
        !self.is_reliable() || self.sequences.iter().all(|it| it.is_settled(self.next))
    }

    /// Questions that a window lets through now.
    pub fn free(&self) -> u32 {
        match self.pace {
            Pace::Window { window, .. } => {
                let free = window.saturating_sub(self.in_flight);
                self.quota.map_or(free, |quota| quota.min(free))
            }
            Pace::Scheduled(_) | Pace::Answer => 0,
        }
    }

    /// Begins anew, as its group has connected.
    pub fn begin(&mut self) {
        self.in_flight = 0;
        self.quota = match self.pace {
            Pace::Window { quota, .. } => quota,
            Pace::Scheduled(_) | Pace::Answer => None,
        };
    }

    /// Whether it has asked and been answered all that it was to ask.
    pub fn is_done(&self) -> bool {
        self.quota == Some(0) && self.in_flight == 0
    }

    /// The load whose schedule it follows.
    pub fn load(&self) -> Option<Load> {
        match self.pace {
            Pace::Scheduled(load) => Some(load),
            Pace::Window { .. } | Pace::Answer => None,
        }
    }
}
