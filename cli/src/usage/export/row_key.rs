//! A row of the ledger, by what tells it from all others.

use protocol::http::{UsageRow, UsageStep};
use protocol::{TenantId, UsageHour, UsageMeter};
use sha2::{Digest, Sha256};

/// Most characters of the idempotency field. Stripe's `identifier` has the least room.
const EVENT_ID_CHARS: usize = 100;

/// A row, within one cluster and step. In the order of meter, period and user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowKey {
    pub(super) meter: UsageMeter,
    /// The first hour of the period.
    pub(super) from: UsageHour,
    pub(super) tenant: TenantId,
}

/// What the ids of all rows of an export have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowSpace {
    pub(super) cluster: String,
    pub(super) step: UsageStep,
}

impl RowSpace {
    /// The cluster of a row, with the step of an export. `None`: the id has not the shape of one.
    pub(super) fn of(row: &UsageRow, step: UsageStep) -> Option<Self> {
        let (cluster, _) = split(&row.id)?;
        Some(Self {
            cluster: cluster.to_owned(),
            step,
        })
    }

    /// The row with an id. `None`: the id is not one of this cluster and step.
    pub(super) fn parse(&self, id: &str) -> Option<RowKey> {
        let (cluster, [tenant, meter, period]) = split(id)?;
        let from = match self.step {
            UsageStep::Hour => UsageHour::parse(period)?,
            UsageStep::Day => UsageHour::parse(&format!("{period}00"))?,
        };
        (cluster == self.cluster).then_some(())?;
        Some(RowKey {
            meter: UsageMeter::parse(meter)?,
            from,
            tenant: TenantId::parse(tenant).ok()?,
        })
    }

    /// The id of a row.
    pub(super) fn id(&self, key: &RowKey) -> String {
        let RowKey {
            meter,
            from,
            tenant,
        } = key;
        let period = match self.step {
            UsageStep::Hour => from.to_string(),
            UsageStep::Day => from.day_text(),
        };
        format!("{}:{tenant}:{meter}:{period}", self.cluster)
    }
}

/// The idempotency field of a row's event: its id, or a hash of the id if that is too long. It is the same for every
/// receiver and every attempt.
pub(super) fn event_id(row_id: &str) -> String {
    if row_id.len() <= EVENT_ID_CHARS {
        return row_id.to_owned();
    }
    let hash = Sha256::digest(row_id.as_bytes());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t2b-{hex}")
}

/// The name of the step on the command line and in the API.
pub(super) fn step_name(step: UsageStep) -> &'static str {
    match step {
        UsageStep::Hour => "hour",
        UsageStep::Day => "day",
    }
}

/// The middle of a period, Unix milliseconds: the time of its event. It is inside the period, and the period is over.
pub(super) fn middle_ms(from: UsageHour, step: UsageStep) -> u64 {
    let end = from.plus(step.hours());
    from.start_ms().midpoint(end.start_ms())
}

/// No part of an id has a colon.
fn split(id: &str) -> Option<(&str, [&str; 3])> {
    let mut parts = id.split(':');
    let all = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let [cluster, rest @ ..] = all;
    (parts.next().is_none() && !cluster.is_empty()).then_some((cluster, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(step: UsageStep) -> RowSpace {
        RowSpace {
            cluster: "t2b-eu".to_owned(),
            step,
        }
    }

    #[test]
    fn an_id_reads_back_as_it_was() {
        for (step, id) in [
            (UsageStep::Hour, "t2b-eu:al.ice:bytes_in:2026112809"),
            (UsageStep::Day, "t2b-eu:al.ice:bytes_in:20261128"),
        ] {
            let key = space(step).parse(id).unwrap();
            assert_eq!(space(step).id(&key), id);
        }
    }

    #[test]
    fn what_is_no_id_of_this_cluster_and_step_is_refused() {
        for id in [
            "t2b:alice:bytes_in:2026112809",
            "t2b-eu:alice:bytes_in:20261128",
            "t2b-eu:alice:bytes:2026112809",
            "t2b-eu:al ice:bytes_in:2026112809",
            "t2b-eu:alice:bytes_in",
            "t2b-eu:alice:bytes_in:2026112809:1",
            "",
        ] {
            assert_eq!(space(UsageStep::Hour).parse(id), None, "{id}");
        }
    }

    #[test]
    fn the_idempotency_field_has_at_most_100_characters() {
        let short = "a".repeat(100);
        assert_eq!(event_id(&short), short);
        let long = event_id(&"a".repeat(101));
        assert_eq!(long.len(), 68);
        assert_eq!(long, event_id(&"a".repeat(101)));
        assert_ne!(long, event_id(&"a".repeat(102)));
    }

    #[test]
    fn the_middle_is_inside_the_period() {
        let from = UsageHour::parse("2026112800").unwrap();
        assert_eq!(
            middle_ms(from, UsageStep::Hour) - from.start_ms(),
            1_800_000
        );
        assert_eq!(
            middle_ms(from, UsageStep::Day) - from.start_ms(),
            43_200_000
        );
    }
}
