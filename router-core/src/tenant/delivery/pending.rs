//! Messages whose outcomes are not all in, and what follows from the gravest of them.

use std::collections::VecDeque;

use protocol::lane::Verdict;
use protocol::{BootId, ErrorCode, Name};

use super::addressing::Targets;
use super::dedupe::MessagePrint;
use crate::request::AckContext;

/// A message whose outcomes are not all in.
#[derive(Debug)]
pub(super) struct PendingDelivery {
    pub number: u64,
    pub origin: MessageOrigin,
    /// Present if the sender gave the id.
    pub print: Option<MessagePrint>,
    /// Which part of how many it is.
    pub part: Option<(u64, u64)>,
    /// Connections of this node whose outcomes are not in yet, the next one last.
    pub waiting: Targets,
    /// How many other nodes have not decided.
    pub nodes: usize,
    pub delivered: bool,
    pub duplicate: bool,
    /// What is answered if nobody takes it.
    pub error: ErrorCode,
}

/// Where a message came from, and so who is told what became of it.
#[derive(Debug)]
pub(super) enum MessageOrigin {
    /// A connection of this node.
    Here(SentMessage),
    /// Another node, which is told a verdict.
    There,
}

/// What the answer to a connection takes, and what a bot's message takes that must go again.
#[derive(Debug)]
pub(super) struct SentMessage {
    pub asked: AckContext,
    /// Present if it went to a bot of another node.
    pub remote: Option<RemoteBot>,
}

/// Where a message to a bot of another node went.
#[derive(Debug)]
pub(super) struct RemoteBot {
    pub node: BootId,
    /// The bot.
    pub to: Name,
    /// How often it was told to go elsewhere.
    pub moves: u64,
}

impl PendingDelivery {
    /// Notes an error, if it is graver than the one before.
    pub fn fails(&mut self, code: ErrorCode) {
        if gravity(code) > gravity(self.error) {
            self.error = code;
        }
    }

    /// Notes that a queue has it; says whether that is the first one.
    pub fn note_delivered(&mut self) -> bool {
        !std::mem::replace(&mut self.delivered, true)
    }

    /// What the node that sent it is told; nothing = delivered.
    pub fn verdict(&self) -> Option<Verdict> {
        match (self.delivered, self.error) {
            (true, _) => None,
            (false, ErrorCode::BotOffline | ErrorCode::RecipientOffline) => Some(Verdict::Offline),
            (false, code) => Some(Verdict::Refused(code)),
        }
    }
}

/// The gravest outcome is the answer. Unknown before all: whatever else is said means that no queue
/// ever has the message. Then what says most against sending again at once.
fn gravity(code: ErrorCode) -> u8 {
    if code == ErrorCode::DeliveryUnknown {
        4
    } else if code == ErrorCode::RecipientBusy {
        3
    } else if code == ErrorCode::Unreachable {
        2
    } else {
        u8::from(code != ErrorCode::BotOffline && code != ErrorCode::RecipientOffline)
    }
}

/// Messages being settled. In boxes: a tenant keeps room for none while it has none.
#[derive(Debug, Default)]
pub(super) struct PendingDeliveries {
    /// One for this node alone: it settles before the next one begins, so that most tenants need no
    /// list.
    here: Option<Box<PendingDelivery>>,
    /// The others, by rising number; absent while there never was one.
    #[expect(
        clippy::box_collection,
        reason = "most have none, and all pay for its place"
    )]
    others: Option<Box<VecDeque<Box<PendingDelivery>>>>,
}

/// Where a delivery is.
#[derive(Debug, Clone, Copy)]
pub(super) enum DeliverySlot {
    Here,
    Among(usize),
}

impl PendingDeliveries {
    pub fn begin(&mut self, delivery: PendingDelivery) {
        let delivery = Box::new(delivery);
        match &self.here {
            None if delivery.nodes == 0 => self.here = Some(delivery),
            None | Some(_) => self.others.get_or_insert_default().push_back(delivery),
        }
    }

    /// Whether the last one awaits an outcome of this node.
    pub fn wait_here(&self) -> bool {
        let others = self.others.as_ref();
        let last = self.here.as_ref().or(others.and_then(|it| it.back()));
        last.is_some_and(|delivery| !delivery.waiting.is_empty())
    }

    pub fn len(&self) -> usize {
        let others = self.others.as_ref().map_or(0, |it| it.len());
        others + usize::from(self.here.is_some())
    }

    pub fn find(&mut self, number: u64) -> Option<(DeliverySlot, &mut PendingDelivery)> {
        let here = self.here.as_ref();
        let slot = if here.is_some_and(|it| it.number == number) {
            DeliverySlot::Here
        } else {
            let others = self.others.as_ref()?;
            let found = others.binary_search_by_key(&number, |it| it.number);
            DeliverySlot::Among(found.ok()?)
        };
        Some((slot, self.get_mut(slot)?))
    }

    pub fn get_mut(&mut self, slot: DeliverySlot) -> Option<&mut PendingDelivery> {
        match slot {
            DeliverySlot::Here => self.here.as_deref_mut(),
            DeliverySlot::Among(at) => self.others.as_mut()?.get_mut(at).map(|it| &mut **it),
        }
    }

    pub fn take(&mut self, slot: DeliverySlot) -> Option<Box<PendingDelivery>> {
        match slot {
            DeliverySlot::Here => self.here.take(),
            DeliverySlot::Among(at) => self.others.as_mut()?.remove(at),
        }
    }
}
