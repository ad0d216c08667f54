//! How many sockets are open.

/// How many sockets of a tenant are open on a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SocketCounts {
    /// Those that hold a bot.
    pub bots: u32,
    /// The others.
    pub clients: u32,
}

impl SocketCounts {
    pub(super) fn is_zero(self) -> bool {
        self == Self::default()
    }
}
