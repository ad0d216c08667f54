//! What a connection receives besides the answers to its requests, and how its requests are paid.
//!
//! The shell gives a connection its capabilities when it opens. Sessions and tenants ask for the one
//! that a decision depends on, and know nothing of where a connection came from.

/// What one connection receives, and how it pays. The default is [`lasting`](Self::lasting).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it stays until one side ends it. Then it has a heartbeat, it counts as a socket of its
    /// client id, its requests have a rate of its own, and its client id stays known after it. Else it
    /// is one call, which its tenant's rate pays for when it joins.
    pub lasts: bool,
    /// Whether it is greeted: when it opens, and when its tenant has let it in.
    pub greeting: bool,
    /// Whether it is told of bots that come and go.
    pub presence: bool,
    /// Which messages to it, or to its client id, it receives.
    pub messages: MessageReach,
}

/// Which messages to a connection, or to its client id, it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageReach {
    /// Every one.
    All,
    /// The reply to the message that it sends.
    OneReply,
    /// None: nobody can address it.
    None,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::lasting()
    }
}

impl Capabilities {
    /// Of a conversation: a socket.
    pub const fn lasting() -> Self {
        Self {
            lasts: true,
            greeting: true,
            presence: true,
            messages: MessageReach::All,
        }
    }

    /// Of one request: nothing besides its answer.
    pub const fn call() -> Self {
        Self {
            lasts: false,
            greeting: false,
            presence: false,
            messages: MessageReach::None,
        }
    }

    /// Of one message that waits for its reply.
    pub const fn waiting_call() -> Self {
        Self {
            messages: MessageReach::OneReply,
            ..Self::call()
        }
    }

    /// Whether the directory lists it. It lists whom somebody can address, and nobody else: each entry
    /// costs the store two steps.
    pub(crate) fn is_listed(self) -> bool {
        self.messages != MessageReach::None
    }

    /// Whether it is there for one reply.
    pub(crate) fn awaits_reply(self) -> bool {
        self.messages == MessageReach::OneReply
    }

    /// Whether its tenant's rate pays for it when it joins.
    pub(crate) fn pays_when_it_joins(self) -> bool {
        !self.lasts
    }
}
