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
            row.meter.unit().name(),
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

#[cfg(test)]
mod tests {
    use protocol::TenantId;
    use protocol::UsageMeter;

    use super::*;
    use crate::usage::export::row_key::RowSpace;

    const EVENTS: &str = "https://receiver.example/events";
    const STREAM: &str = "https://receiver.example/v2/billing/meter_event_stream";

    fn row(meter: UsageMeter, amount: u64, step: UsageStep, customer: &str) -> ExportRow {
        let tenant = TenantId::parse("alice").unwrap();
        let from = UsageHour::parse("2026112810").unwrap();
        let from = if step == UsageStep::Day {
            from.day()
        } else {
            from
        };
        let row = UsageRow::new(("eu", &tenant), (step, from), (meter, amount, 0), true);
        ExportRow {
            key: RowSpace::of(&row, step).unwrap().parse(&row.id).unwrap(),
            row,
            customer: customer.to_owned(),
            step,
            as_of: "2026-11-28T11:15:02.250Z".to_owned(),
        }
    }

    fn messages(customer: &str) -> ExportRow {
        row(
            UsageMeter::MessagesAccepted,
            1234,
            UsageStep::Hour,
            customer,
        )
    }

    fn seconds(customer: &str) -> ExportRow {
        row(
            UsageMeter::ConnectionSecondsBot,
            61_007,
            UsageStep::Day,
            customer,
        )
    }

    #[track_caller]
    fn check(kind: ReceiverKind, url: &str, rows: &[ExportRow], golden: &str) {
        let rules = ReceiverRules::of(kind, Some(url));
        assert_eq!(body(&rules, rows), golden.replace("\n    ", ""));
    }

    #[test]
    fn events_of_stripe() {
        let rows = [messages("cus_1")];
        check(
            ReceiverKind::Stripe,
            EVENTS,
            &rows,
            r#"{"event_name":"t2b_messages_accepted","identifier":"eu:alice:messages_accepted:2026112810",
    "timestamp":"2026-11-28T10:30:00Z","payload":{"stripe_customer_id":"cus_1","value":"1234"}}"#,
        );
        let rows = [seconds("cus_1")];
        check(
            ReceiverKind::Stripe,
            STREAM,
            &rows,
            r#"{"events":[{"event_name":"t2b_connection_seconds_bot","identifier":"eu:alice:connection_seconds_bot:20261128",
    "timestamp":"2026-11-28T12:00:00Z","payload":{"stripe_customer_id":"cus_1","value":"61.007"}}]}"#,
        );
    }

    #[test]
    fn events_of_lago() {
        let rows = [messages("sub_1"), seconds("sub_1")];
        check(
            ReceiverKind::Lago,
            EVENTS,
            &rows,
            r#"{"events":[{"transaction_id":"eu:alice:messages_accepted:2026112810","external_subscription_id":"sub_1",
    "code":"t2b_messages_accepted","timestamp":1795861800,"properties":{"value":1234}},
    {"transaction_id":"eu:alice:connection_seconds_bot:20261128","external_subscription_id":"sub_1",
    "code":"t2b_connection_seconds_bot","timestamp":1795867200,"properties":{"value":61.007}}]}"#,
        );
    }

    #[test]
    fn events_of_orb() {
        let rows = [seconds("alice")];
        check(
            ReceiverKind::Orb,
            EVENTS,
            &rows,
            r#"{"events":[{"event_name":"t2b_connection_seconds_bot","idempotency_key":"eu:alice:connection_seconds_bot:20261128",
    "external_customer_id":"alice","timestamp":"2026-11-28T12:00:00Z","properties":{"value":61.007}}]}"#,
        );
    }

    #[test]
    fn events_of_metronome() {
        let rows = [messages("alice")];
        check(
            ReceiverKind::Metronome,
            EVENTS,
            &rows,
            r#"[{"transaction_id":"eu:alice:messages_accepted:2026112810","customer_id":"alice",
    "event_type":"t2b_messages_accepted","timestamp":"2026-11-28T10:30:00Z","properties":{"value":1234}}]"#,
        );
    }

    #[test]
    fn cloud_events() {
        let rows = [messages("alice")];
        check(
            ReceiverKind::Cloudevents,
            EVENTS,
            &rows,
            r#"[{"specversion":"1.0","id":"eu:alice:messages_accepted:2026112810","source":"t2b/eu","type":"t2b.usage.v1",
    "subject":"alice","time":"2026-11-28T10:30:00Z","datacontenttype":"application/json",
    "data":{"metric":"messages_accepted","value":1234,"window_start":"2026-11-28T10:00:00Z",
    "window_end":"2026-11-28T11:00:00Z","as_of":"2026-11-28T11:15:02.250Z"}}]"#,
        );
    }

    #[test]
    fn rows_as_the_api_has_them() {
        let rows = [seconds("alice")];
        check(
            ReceiverKind::Csv,
            EVENTS,
            &rows,
            "eu:alice:connection_seconds_bot:20261128,alice,connection_seconds_bot,seconds,2026-11-28T00:00:00Z,\n    2026-11-29T00:00:00Z,61.007,0,true",
        );
        check(
            ReceiverKind::Ndjson,
            EVENTS,
            &rows,
            r#"{"id":"eu:alice:connection_seconds_bot:20261128","tenant":"alice","meter":"connection_seconds_bot",
    "from":"2026-11-28T00:00:00Z","to":"2026-11-29T00:00:00Z","value":61.007,"closed":true}"#,
        );
    }
}
