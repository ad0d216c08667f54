//! What the name that a message is addressed to means in its tenant.

use protocol::envelope::Envelope;
use protocol::{BootId, ErrorCode, Kind};
use smallvec::{Array, SmallVec};

use crate::ids::ConnKey;
use crate::tenant::bots::Bots;
use crate::tenant::members::Members;

/// Connections of this node that a message goes to.
pub(super) type Targets = SmallVec<[ConnKey; 2]>;

/// Other nodes that a message goes to.
pub(super) type TargetNodes = SmallVec<[BootId; 1]>;

/// Who has a name, before anybody asks whether the sender may know it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MessageRecipients {
    pub kind: Kind,
    pub targets: Targets,
    pub nodes: TargetNodes,
}

impl MessageRecipients {
    /// What `to` means, for a message from `sender` (absent: it comes from another node): a
    /// connection, else a known bot, else a known client id. No targets = known, but nobody is there
    /// who receives it. Absent = never seen, or forgotten.
    pub fn of(
        envelope: &Envelope,
        sender: Option<ConnKey>,
        members: &Members,
        bots: &Bots,
    ) -> Option<Self> {
        let to = &envelope.message.to;
        if to.is_connection() {
            return Self::of_connection(envelope, members);
        }
        if let Some(bot) = bots.get(to.as_str()) {
            return Some(Self {
                kind: Kind::Bot,
                targets: only(bot.here()),
                nodes: only(bot.there().map(|holder| holder.boot)),
            });
        }
        let client = members.client(to.as_str())?;
        let is_device = |key: &ConnKey| {
            let conn = members.connection(*key).filter(|_| Some(*key) != sender);
            conn.is_some_and(|conn| (conn.named || conn.bots.is_empty()) && conn.receives(envelope))
        };
        let mut targets = Targets::from_slice(&client.here);
        targets.retain(|key| is_device(key));
        let mut nodes: TargetNodes = client.there.iter().map(|(_, boot)| *boot).collect();
        nodes.sort_unstable();
        nodes.dedup();
        Some(Self {
            kind: Kind::Client,
            targets,
            nodes,
        })
    }

    fn of_connection(envelope: &Envelope, members: &Members) -> Option<Self> {
        let to = envelope.message.to.as_str();
        let (here, there) = (members.key_of_text(to), members.node_of(to));
        if here.is_none() && there.is_none() {
            return None;
        }
        let receives = |key: &ConnKey| {
            let conn = members.connection(*key);
            conn.is_some_and(|conn| conn.receives(envelope))
        };
        Some(Self {
            kind: Kind::Connection,
            targets: only(here.filter(receives)),
            nodes: only(there),
        })
    }
}

/// What a known name without anybody behind it is answered.
pub(super) fn offline_code(kind: Kind) -> ErrorCode {
    match kind {
        Kind::Bot => ErrorCode::BotOffline,
        Kind::Client | Kind::Connection => ErrorCode::RecipientOffline,
    }
}

/// A list of what there is.
fn only<A: Array>(item: Option<A::Item>) -> SmallVec<A> {
    let mut list = SmallVec::new();
    if let Some(item) = item {
        list.push(item);
    }
    list
}
