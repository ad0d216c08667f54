//! How many sockets are open.

use protocol::{UsageCounts, UsageMeter};

use crate::env::Millis;

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

    /// What they use in this time.
    pub fn time(self, ms: Millis) -> UsageCounts {
        let mut counts = UsageCounts::default();
        counts[UsageMeter::ConnectionSecondsBot] = u64::from(self.bots) * ms;
        counts[UsageMeter::ConnectionSecondsClient] = u64::from(self.clients) * ms;
        counts
    }
}
