//! One connection of a tenant on this node.

use std::collections::BTreeSet;

use protocol::connect::Acks;
use protocol::envelope::Envelope;
use protocol::message::SendKind;
use protocol::{BotId, ClientId, ConnectionId, Name};

use crate::capabilities::{Capabilities, MessageReach};
use crate::permit::Grant;
use crate::tenant::delivery::reply_waiter::ReplyWaiter;
use crate::tenant::presence::watch::BotWatch;

/// A connection of the tenant. What every message of its needs is in front, as in the tenant.
#[derive(Debug)]
#[repr(C, align(64))]
pub(in crate::tenant) struct Connection {
    pub client: ClientId,
    pub capabilities: Capabilities,
    pub acks: Acks,
    /// Whether it named its client id itself: then it is a device even while it holds bots.
    pub named: bool,
    /// Whether one of its messages was acknowledged.
    pub sent: bool,
    /// Whether the store was told of it, and so must be told when it is gone.
    pub told: bool,
    pub grant: Grant,
    pub bots: BTreeSet<BotId>,
    /// The reply that a call waits for, once it has sent its message.
    pub reply: Option<Box<ReplyWaiter>>,
    pub id: ConnectionId,
    pub watch: BotWatch,
}

impl Connection {
    /// Begins to wait for the reply to what it sends, if it is there to wait.
    pub fn await_reply(&mut self, sent: &Envelope) {
        if self.capabilities.awaits_reply()
            && let Some(message_id) = sent.message.message_id
        {
            let to = sent.message.to.clone();
            self.reply = Some(Box::new(ReplyWaiter::new(message_id, to)));
        }
    }

    /// Whether it receives a message that is addressed to it or its client id. For everybody else a
    /// call is not there: what it does not want may not pass as delivered.
    pub fn receives(&self, envelope: &Envelope) -> bool {
        match self.capabilities.messages {
            MessageReach::All => true,
            MessageReach::None => false,
            MessageReach::OneReply => {
                let is_message = envelope.message.kind == SendKind::Message;
                let reply = self.reply.as_ref().filter(|_| is_message);
                reply.is_some_and(|reply| reply.misses(envelope, &self.id))
            }
        }
    }

    /// Whether it may speak in a name: its own client id, or a bot it holds.
    pub fn speaks_as(&self, from: &Name) -> bool {
        self.client.as_str() == from.as_str() || self.bots.contains(from.as_str())
    }
}
