//! The event of every receiver against a golden text.

use protocol::http::{UsageRow, UsageStep};
use protocol::{TenantId, UsageHour, UsageMeter};

use super::row_key::RowSpace;
use super::rules::ReceiverRules;
use super::shapes::{ExportRow, body};
use crate::export_args::ReceiverKind;

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
    assert_eq!(body(&rules, rows), golden.replace('\n', ""));
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
        "eu:alice:connection_seconds_bot:20261128,alice,connection_seconds_bot,seconds,2026-11-28T00:00:00Z,2026-11-29T00:00:00Z,61.007,0,true",
    );
    check(
        ReceiverKind::Ndjson,
        EVENTS,
        &rows,
        r#"{"id":"eu:alice:connection_seconds_bot:20261128","tenant":"alice","meter":"connection_seconds_bot",
"from":"2026-11-28T00:00:00Z","to":"2026-11-29T00:00:00Z","value":61.007,"closed":true}"#,
    );
}
