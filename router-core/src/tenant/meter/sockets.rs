//! The time for which sockets are open.

use protocol::{UsageHour, UsageMeter};

use super::TenantMeter;
use crate::env::{Env, Millis};

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

impl TenantMeter {
    /// So many sockets are open from now on.
    pub fn set_sockets(&mut self, env: &Env<'_>, sockets: SocketCounts) {
        if self.sockets != sockets {
            self.count_time(env);
            self.sockets = sockets;
            self.changed = true;
        }
    }

    /// Up to when the time is counted, Unix milliseconds.
    pub(super) fn timed_unix_ms(&self, env: &Env<'_>) -> Millis {
        let since_ms = env.now_ms.saturating_sub(self.timed_ms);
        env.unix_ms.saturating_sub(since_ms)
    }

    /// Counts the time until now. What lies before the hour belongs to the hour before.
    pub(super) fn count_time(&mut self, env: &Env<'_>) {
        let elapsed_ms = env.now_ms.saturating_sub(self.timed_ms);
        self.timed_ms = env.now_ms;
        if self.sockets.is_zero() || elapsed_ms == 0 {
            return;
        }
        let mut of_hour_ms = elapsed_ms;
        if env.unix_ms >= self.hour_end_ms {
            let hour_ms = env.unix_ms - UsageHour::of(env.unix_ms).start_ms();
            of_hour_ms = elapsed_ms.min(hour_ms);
            self.add_time(env, elapsed_ms - of_hour_ms);
            self.begin_hour(env);
        }
        self.add_time(env, of_hour_ms);
    }

    /// Adds to the open record, whatever hour it is of.
    fn add_time(&mut self, env: &Env<'_>, ms: u64) {
        if ms == 0 {
            return;
        }
        let SocketCounts { bots, clients } = self.sockets;
        self.changed = true;
        let counts = &mut self.open_record(env).counts;
        counts[UsageMeter::ConnectionSecondsBot] += u64::from(bots) * ms;
        counts[UsageMeter::ConnectionSecondsClient] += u64::from(clients) * ms;
    }
}
