//! The time for which sockets are open.

use protocol::UsageHour;

use super::TenantMeter;
use super::socket_counts::SocketCounts;
use crate::env::{Env, Millis};

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

    /// Counts the time until now.
    pub(super) fn count_time(&mut self, env: &Env<'_>) {
        if env.unix_ms >= self.hour.end_ms() {
            self.begin_hour(env);
        }
        self.add_time_until(env, env.now_ms);
    }

    /// Counts the time until the present hour began, before the open record is completed.
    pub(super) fn count_hour(&mut self, env: &Env<'_>) {
        let hour_ms = env.unix_ms - UsageHour::of(env.unix_ms).start_ms();
        self.add_time_until(env, env.now_ms.saturating_sub(hour_ms));
    }

    /// Adds the time until then to the open record, whatever hour that is of.
    fn add_time_until(&mut self, env: &Env<'_>, until_ms: Millis) {
        let ms = until_ms.saturating_sub(self.timed_ms);
        self.timed_ms = self.timed_ms.max(until_ms);
        if self.sockets.is_zero() || ms == 0 {
            return;
        }
        self.changed = true;
        let time = self.sockets.time(ms);
        self.open_record(env).counts.add(&time);
    }
}
