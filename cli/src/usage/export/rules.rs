//! What each receiver takes and remembers: one table.
//!
//! | receiver | batch | window | back-dating | the user's own id as customer |
//! | --- | --- | --- | --- | --- |
//! | `csv`, `ndjson` | 1 | for good | any | yes |
//! | `cloudevents` (OpenMeter) | 100 | 24 h | any | yes |
//! | `stripe` | 1, stream 100 | 24 h | 35 days | no |
//! | `lago` | 100, all or nothing | for good | any | no |
//! | `orb` | 100 | for good | any | yes |
//! | `metronome` | 100 | 34 days | 34 days | yes |

use std::time::Duration;

use crate::export_args::ReceiverKind;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Stripe's streams of events; their path says so. <https://docs.stripe.com/api/v2/billing/meter-event-stream>
const STREAM: &str = "/meter_event_stream";

/// Most rows of a batch. Lago and Stripe's streams take no more. Orb and Metronome state no limit or a larger one; with
/// 100 rows a batch, what one lost answer leaves in doubt stays small.
const BATCH_ROWS: usize = 100;

/// The clocks of the two machines differ. All receivers refuse events that are more than five minutes ahead, so clocks
/// that differ by more cannot be used anyway.
const CLOCK_MARGIN: Duration = Duration::from_secs(5 * 60);

/// The rules of one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReceiverRules {
    pub(super) kind: ReceiverKind,
    /// Whether a body is a list of events, and not one event.
    pub(super) takes_lists: bool,
    /// Most rows of a body.
    pub(super) rows_max: usize,
    /// How long the receiver ignores an event that it has already. `None`: for good.
    pub(super) window: Option<Duration>,
    /// The greatest age of an event. `None`: any.
    pub(super) age_max: Option<Duration>,
    /// Whether the receiver knows a customer by the user's own id.
    pub(super) takes_user_ids: bool,
}

impl ReceiverRules {
    /// The rules of a kind of receiver. `url`: where its events are sent, if they are.
    pub(super) fn of(kind: ReceiverKind, url: Option<&str>) -> Self {
        let is_stream = url.is_some_and(|url| url.trim_end_matches('/').ends_with(STREAM));
        let (batch_rows, window, age_max, takes_user_ids) = match kind {
            ReceiverKind::Csv | ReceiverKind::Ndjson => (1, None, None, true),
            ReceiverKind::Cloudevents => (BATCH_ROWS, Some(24 * HOUR), None, true),
            ReceiverKind::Stripe if is_stream => {
                (BATCH_ROWS, Some(24 * HOUR), Some(35 * DAY), false)
            }
            ReceiverKind::Stripe => (1, Some(24 * HOUR), Some(35 * DAY), false),
            ReceiverKind::Lago => (BATCH_ROWS, None, None, false),
            ReceiverKind::Orb => (BATCH_ROWS, None, None, true),
            ReceiverKind::Metronome => (BATCH_ROWS, Some(34 * DAY), Some(34 * DAY), true),
        };
        Self {
            kind,
            takes_lists: batch_rows > 1,
            rows_max: batch_rows,
            window,
            age_max,
            takes_user_ids,
        }
    }

    /// Whether the receiver still ignores an event that it got at `sent_ms`, for a request that may take `within`.
    /// Times are Unix milliseconds.
    pub(super) fn is_remembered(&self, sent_ms: u64, now_ms: u64, within: Duration) -> bool {
        let Some(window) = self.window else {
            return true;
        };
        // The request has to arrive within the window, not only to leave.
        now_ms.saturating_add(millis(within)) < sent_ms.saturating_add(millis(window))
    }

    /// Whether the receiver no longer takes an event of this time. Times are Unix milliseconds.
    pub(super) fn is_too_old(&self, event_ms: u64, now_ms: u64) -> bool {
        let oldest = self.age_max.map(|age| age.saturating_sub(CLOCK_MARGIN));
        oldest.is_some_and(|oldest| now_ms.saturating_sub(event_ms) >= millis(oldest))
    }

    /// Whether events can be sent to this receiver.
    pub(super) fn takes_requests(&self) -> bool {
        !matches!(self.kind, ReceiverKind::Csv | ReceiverKind::Ndjson)
    }
}

/// The receiver's name on the command line.
pub(super) fn name(kind: ReceiverKind) -> &'static str {
    match kind {
        ReceiverKind::Csv => "csv",
        ReceiverKind::Ndjson => "ndjson",
        ReceiverKind::Cloudevents => "cloudevents",
        ReceiverKind::Stripe => "stripe",
        ReceiverKind::Lago => "lago",
        ReceiverKind::Orb => "orb",
        ReceiverKind::Metronome => "metronome",
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;

    #[test]
    fn a_window_ends_before_a_request_could_miss_it() {
        let rules = ReceiverRules::of(ReceiverKind::Stripe, None);
        let within = Duration::from_secs(30);
        let last = DAY_MS - 30_000;
        assert!(rules.is_remembered(1000, 1000 + last - 1, within));
        assert!(!rules.is_remembered(1000, 1000 + last, within));
        // A clock that was set back makes nothing old.
        assert!(rules.is_remembered(1000, 0, within));
        let lago = ReceiverRules::of(ReceiverKind::Lago, None);
        assert!(lago.is_remembered(0, u64::MAX, within));
    }

    #[test]
    fn back_dating_ends_a_margin_early() {
        let margin = 300_000;
        for (kind, days) in [(ReceiverKind::Stripe, 35), (ReceiverKind::Metronome, 34)] {
            let rules = ReceiverRules::of(kind, None);
            let limit = days * DAY_MS - margin;
            assert!(!rules.is_too_old(7, 7 + limit - 1), "{kind:?}");
            assert!(rules.is_too_old(7, 7 + limit), "{kind:?}");
        }
        let orb = ReceiverRules::of(ReceiverKind::Orb, None);
        assert!(!orb.is_too_old(0, u64::MAX));
    }

    #[test]
    fn only_streams_of_stripe_take_batches() {
        let rows = |url| ReceiverRules::of(ReceiverKind::Stripe, url).rows_max;
        assert_eq!(rows(None), 1);
        assert_eq!(rows(Some("https://api.example/v2/billing/meter_events")), 1);
        let stream = "https://stream.example/v2/billing/meter_event_stream";
        assert_eq!(rows(Some(stream)), 100);
    }
}
