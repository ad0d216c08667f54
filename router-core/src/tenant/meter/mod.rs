//! Counts what the tenant uses on this node, and books it.
//!
//! ```text
//!  an outcome ─▶ counts ─▶ open record ─▶ flush, or a new hour ─▶ waiting records ─▶ Ask(Book)
//!                              │                                     │   ▲ no answer: the same again
//!                              └────────────── report ───────────────┘   └ Booked: the next one
//!                                     (journal, metrics)
//! ```
//!
//! This is the only place that counts usage. A message and its outcome are counted in one step, so that the
//! sums of [`UsageCounts::conserve`] hold for every record, whatever is lost.
//!
//! | file | has |
//! | --- | --- |
//! | `mod.rs` | the counts, and what of them is not booked |
//! | `backlog.rs` | records that wait, and amounts that were booked early |
//! | `messages.rs`, `sockets.rs` | what a message counts as; the time for which sockets are open |
//! | `booked.rs` | the last record that the store answered for |
//! | `flushing.rs` | records on their way to the store |
//! | `report.rs` | what the journal and the metrics are told |

mod backlog;
mod booked;
mod flushing;
pub(super) mod messages;
mod report;
mod socket_counts;
mod sockets;

use protocol::{TenantId, UsageCounts, UsageHour};

use crate::env::{Env, Millis};
use crate::store::UsageRecord;

use backlog::{MeterBacklog, MeterRecord};
pub use booked::BookedRecord;
pub use report::{UnbookedUsage, UsageReport};
pub use socket_counts::SocketCounts;

/// What a tenant used on this node since its last record was booked.
///
/// Every tenant pays for it, so it is small, and a tenant that is silent between two flushes has nothing
/// besides it but its last booked record.
#[derive(Debug)]
#[repr(C)]
pub(super) struct TenantMeter {
    /// What is being counted; absent while nothing is.
    open: Option<Box<MeterRecord>>,
    /// The hour of `open`. It never goes back, even if the clock does.
    hour: UsageHour,
    /// Messages that are not decided yet.
    undecided: u32,
    /// Whether there is something to report.
    changed: bool,
    /// Whether the shard knows that.
    listed: bool,
    /// Whether the first waiting record is with the store.
    is_asking: bool,
    sockets: SocketCounts,
    /// How many the last report said.
    reported_sockets: SocketCounts,
    /// Absent while nothing waits.
    backlog: Option<Box<MeterBacklog>>,
    /// Up to when the time of `sockets` is counted, on the clock of [`Env::now_ms`].
    timed_ms: Millis,
    /// The `seq` of the next record. It is never used twice by a boot and tenant, see [`TenantMeter::new`].
    next_seq: u64,
    /// The last record that the store has, by its answer; absent: none.
    booked: Option<Box<BookedRecord>>,
    flush_ms: Millis,
    /// The last day for which the store has put the tenant into its index.
    indexed: Option<UsageHour>,
}

impl TenantMeter {
    /// Nothing is counted yet.
    ///
    /// A tenant that was forgotten and comes back to the same boot must not use a `seq` twice: its records
    /// would pass for booked. So `seq` begins with the time since the process started, in milliseconds. It
    /// rises by one a record, of which there is less than one a millisecond, so it stays behind that time.
    pub fn new(env: &Env<'_>, id: &TenantId) -> Self {
        let spread_ms = env.settings.usage_flush_ms as f64 * env.jitter_of(id);
        Self {
            open: None,
            hour: UsageHour::of(env.unix_ms),
            undecided: 0,
            changed: false,
            listed: false,
            is_asking: false,
            sockets: SocketCounts::default(),
            reported_sockets: SocketCounts::default(),
            backlog: None,
            timed_ms: env.now_ms,
            next_seq: env.now_ms + 1,
            booked: None,
            flush_ms: env.now_ms + spread_ms as Millis,
            indexed: None,
        }
    }

    /// The amounts of this hour, to add to.
    #[inline]
    pub fn counts(&mut self, env: &Env<'_>) -> &mut UsageCounts {
        if env.unix_ms >= self.hour.end_ms() {
            self.begin_hour(env);
        }
        self.changed = true;
        &mut self.open_record(env).counts
    }

    /// The last record that the store has, by its answer; absent: none.
    pub fn booked(&self) -> Option<&BookedRecord> {
        self.booked.as_deref()
    }

    /// How many messages are not decided yet.
    pub fn undecided(&self) -> u32 {
        self.undecided
    }

    #[inline]
    fn open_record(&mut self, env: &Env<'_>) -> &mut UsageRecord {
        let (hour, next_seq) = (self.hour, &mut self.next_seq);
        let open = self.open.get_or_insert_with(|| {
            let seq = *next_seq;
            *next_seq += 1;
            // The boot of now: a record that was reported under one boot is not booked under another.
            Box::new(MeterRecord {
                record: UsageRecord {
                    boot: env.nodes.own,
                    seq,
                    hour,
                    counts: UsageCounts::default(),
                },
                reported: UsageCounts::default(),
                begun_ms: env.now_ms,
            })
        });
        &mut open.record
    }

    /// What is counted belongs to the hour that is over; from now on it is another one.
    #[cold]
    fn begin_hour(&mut self, env: &Env<'_>) {
        self.count_hour(env);
        self.complete();
        self.hour = UsageHour::of(env.unix_ms);
    }

    /// Completes the open record, if it has something: nothing is added to it any more.
    fn complete(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        if open.record.counts.is_zero() {
            return;
        }
        self.changed = true;
        self.backlog.get_or_insert_default().push(open);
    }

    /// Records that are complete, the oldest first.
    fn waiting(&self) -> &[Box<MeterRecord>] {
        let backlog = self.backlog.as_ref();
        backlog.map_or(&[], |backlog| &backlog.waiting)
    }

    /// The oldest record that is not booked, complete or not.
    fn oldest(&self) -> Option<&MeterRecord> {
        let oldest = self.waiting().first().or(self.open.as_ref());
        oldest.map(|oldest| &**oldest)
    }
}

#[cfg(test)]
mod tests;
