//! Rows as events of each receiver, and batches of them as bodies.

use protocol::UsageHour;
use protocol::http::{UsageRow, UsageStep};
use serde::Serialize;
use serde_json::Number;

use super::row_key::{RowKey, event_id, middle_ms};
use super::rules::ReceiverRules;
use crate::export_args::ReceiverKind;

/// The head line of a CSV file: the fields of the API's.
pub(super) const CSV_HEAD: &str = "id,tenant,meter,unit,from,to,value,late,closed";

/// A row that is exported.
#[derive(Debug, Clone)]
pub(super) struct ExportRow {
    pub(super) key: RowKey,
    pub(super) row: UsageRow,
    /// The receiver's customer.
    pub(super) customer: String,
    pub(super) step: UsageStep,
    /// What time it was in the ledger when the row was read, RFC 3339.
    pub(super) as_of: String,
}

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: &'static str,
    subject: &'a str,
    time: String,
    datacontenttype: &'static str,
    data: CloudData<'a>,
}

#[derive(Serialize)]
struct CloudData<'a> {
    metric: &'static str,
    value: &'a Number,
    window_start: &'a str,
    window_end: &'a str,
    as_of: &'a str,
}

#[derive(Serialize)]
struct StripeEvent<'a> {
    event_name: String,
    identifier: String,
    timestamp: String,
    payload: StripePayload<'a>,
}

#[derive(Serialize)]
struct StripePayload<'a> {
    stripe_customer_id: &'a str,
    value: String,
}

#[derive(Serialize)]
struct LagoEvent<'a> {
    transaction_id: String,
    external_subscription_id: &'a str,
    code: String,
    timestamp: u64,
    properties: ValueProperty<'a>,
}

#[derive(Serialize)]
struct OrbEvent<'a> {
    event_name: String,
    idempotency_key: String,
    external_customer_id: &'a str,
    timestamp: String,
    properties: ValueProperty<'a>,
}

#[derive(Serialize)]
struct MetronomeEvent<'a> {
    transaction_id: String,
    customer_id: &'a str,
    event_type: String,
    timestamp: String,
    properties: ValueProperty<'a>,
}

#[derive(Serialize)]
struct ValueProperty<'a> {
    value: &'a Number,
}

#[derive(Serialize)]
struct EventList<T> {
    events: Vec<T>,
}

impl ExportRow {
    /// The idempotency field of its event.
    pub(super) fn event_id(&self) -> String {
        event_id(&self.row.id)
    }

    /// The time of its event, Unix milliseconds.
    pub(super) fn event_ms(&self) -> u64 {
        middle_ms(self.key.from, self.step)
    }

    fn event_time(&self) -> String {
        let ms = self.event_ms();
        let hour = UsageHour::of(ms);
        let minutes = (ms - hour.start_ms()) / 60_000;
        hour.rfc3339()
            .replace(":00:00Z", &format!(":{minutes:02}:00Z"))
    }

    fn event_name(&self) -> String {
        format!("t2b_{}", self.key.meter)
    }

    fn property(&self) -> ValueProperty<'_> {
        ValueProperty {
            value: &self.row.value,
        }
    }

    fn cloud_event(&self) -> CloudEvent<'_> {
        let (cluster, _) = self.row.id.split_once(':').unwrap_or_default();
        CloudEvent {
            specversion: "1.0",
            id: self.event_id(),
            source: format!("t2b/{cluster}"),
            kind: "t2b.usage.v1",
            subject: &self.customer,
            time: self.event_time(),
            datacontenttype: "application/json",
            data: CloudData {
                metric: self.key.meter.name(),
                value: &self.row.value,
                window_start: &self.row.from,
                window_end: &self.row.to,
                as_of: &self.as_of,
            },
        }
    }

    fn stripe_event(&self) -> StripeEvent<'_> {
        StripeEvent {
            event_name: self.event_name(),
            identifier: self.event_id(),
            timestamp: self.event_time(),
            payload: StripePayload {
                stripe_customer_id: &self.customer,
                value: self.row.value.to_string(),
            },
        }
    }

    fn lago_event(&self) -> LagoEvent<'_> {
        LagoEvent {
            transaction_id: self.event_id(),
            external_subscription_id: &self.customer,
            code: self.event_name(),
            timestamp: self.event_ms() / 1000,
            properties: self.property(),
        }
    }

    fn orb_event(&self) -> OrbEvent<'_> {
        OrbEvent {
            event_name: self.event_name(),
            idempotency_key: self.event_id(),
            external_customer_id: &self.customer,
            timestamp: self.event_time(),
            properties: self.property(),
        }
    }

    fn metronome_event(&self) -> MetronomeEvent<'_> {
        MetronomeEvent {
            transaction_id: self.event_id(),
            customer_id: &self.customer,
            event_type: self.event_name(),
            timestamp: self.event_time(),
            properties: self.property(),
        }
    }

    /// The line of a CSV file. No field has a comma, a quote or a line break.
    fn csv(&self) -> String {
        let row = &self.row;
        let late = row.late.as_ref().map(ToString::to_string);
        let fields = [
            row.id.as_str(),
            &row.tenant,
            row.meter.name(),
            row.meter.unit(),
            &row.from,
            &row.to,
            &row.value.to_string(),
            late.as_deref().unwrap_or("0"),
            if row.closed { "true" } else { "false" },
        ];
        fields.join(",")
    }
}

/// A batch as the receiver takes it, on one line. A receiver that takes no lists gets one event.
pub(super) fn body(rules: &ReceiverRules, rows: &[ExportRow]) -> String {
    match rules.kind {
        ReceiverKind::Csv => lines(rows, ExportRow::csv),
        ReceiverKind::Ndjson => lines(rows, |row| text_of(&row.row)),
        ReceiverKind::Stripe if !rules.takes_lists => {
            lines(rows, |row| text_of(&row.stripe_event()))
        }
        ReceiverKind::Stripe => listed(rows, ExportRow::stripe_event),
        ReceiverKind::Lago => listed(rows, ExportRow::lago_event),
        ReceiverKind::Orb => listed(rows, ExportRow::orb_event),
        ReceiverKind::Cloudevents => plain(rows, ExportRow::cloud_event),
        ReceiverKind::Metronome => plain(rows, ExportRow::metronome_event),
    }
}

fn lines(rows: &[ExportRow], line: impl Fn(&ExportRow) -> String) -> String {
    let lines: Vec<_> = rows.iter().map(line).collect();
    lines.join("\n")
}

/// `{"events":[…]}`.
fn listed<'a, T: Serialize>(rows: &'a [ExportRow], event: impl Fn(&'a ExportRow) -> T) -> String {
    let events = rows.iter().map(event).collect();
    text_of(&EventList { events })
}

/// `[…]`.
fn plain<'a, T: Serialize>(rows: &'a [ExportRow], event: impl Fn(&'a ExportRow) -> T) -> String {
    let events: Vec<T> = rows.iter().map(event).collect();
    text_of(&events)
}

fn text_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("events are texts and numbers")
}

/// The content type of a body.
pub(super) fn content_type(kind: ReceiverKind) -> &'static str {
    match kind {
        ReceiverKind::Cloudevents => "application/cloudevents-batch+json",
        ReceiverKind::Csv => "text/csv",
        ReceiverKind::Ndjson => "application/x-ndjson",
        ReceiverKind::Stripe | ReceiverKind::Lago | ReceiverKind::Orb | ReceiverKind::Metronome => {
            "application/json"
        }
    }
}
