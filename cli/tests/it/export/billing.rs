//! What a receiver of each kind checks, remembers and bills.
//!
//! It remembers an event for as long as its window says and not longer: after that it bills the same event again.

use std::collections::BTreeMap;

use protocol::UsageHour;
use serde_json::{Value, json};

use super::server::{MockReply, MockRequest};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// How far ahead an event may be.
const AHEAD_MS: u64 = 5 * 60_000;

/// Thousandths of the unit, by customer and name of the event.
pub type BilledTotals = BTreeMap<(String, String), u64>;

/// A receiver's name on the command line, and whether it is the stream endpoint of Stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MockKind {
    OpenMeter,
    Stripe,
    StripeStream,
    Lago,
    Orb,
    Metronome,
}

/// The events of a receiver.
pub struct BilledEvents {
    kind: MockKind,
    /// When each idempotency key was seen, Unix milliseconds, and with which event.
    seen: BTreeMap<String, (u64, Value)>,
    totals: BilledTotals,
    /// Keys that came again with another event. Nobody may do that.
    changed: Vec<String>,
}

/// What the receiver looks at.
struct ReadEvent {
    key: String,
    customer: String,
    name: String,
    thousandths: u64,
    time_ms: u64,
}

impl MockKind {
    pub const ALL: [Self; 6] = [
        Self::OpenMeter,
        Self::Stripe,
        Self::StripeStream,
        Self::Lago,
        Self::Orb,
        Self::Metronome,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::OpenMeter => "cloudevents",
            Self::Stripe | Self::StripeStream => "stripe",
            Self::Lago => "lago",
            Self::Orb => "orb",
            Self::Metronome => "metronome",
        }
    }

    pub fn path(self) -> &'static str {
        match self {
            Self::OpenMeter => "/api/v1/events",
            Self::Stripe => "/v2/billing/meter_events",
            Self::StripeStream => "/v2/billing/meter_event_stream",
            Self::Lago => "/api/v1/events/batch",
            Self::Orb | Self::Metronome => "/v1/ingest",
        }
    }

    /// Whether a user needs a customer.
    pub fn needs_customers(self) -> bool {
        matches!(self, Self::Stripe | Self::StripeStream | Self::Lago)
    }

    fn window_ms(self) -> Option<u64> {
        match self {
            Self::OpenMeter | Self::Stripe | Self::StripeStream => Some(DAY_MS),
            Self::Lago | Self::Orb => None,
            Self::Metronome => Some(34 * DAY_MS),
        }
    }

    fn age_max_ms(self) -> Option<u64> {
        match self {
            Self::Stripe | Self::StripeStream => Some(35 * DAY_MS),
            Self::Metronome => Some(34 * DAY_MS),
            Self::OpenMeter | Self::Lago | Self::Orb => None,
        }
    }

    /// The events of a body. Panics if it has not the form of this receiver.
    fn events(self, request: &MockRequest) -> Vec<Value> {
        assert_eq!(request.method, "POST");
        assert_eq!(request.target, self.path());
        let content_type = match self {
            Self::OpenMeter => "application/cloudevents-batch+json",
            Self::Stripe | Self::StripeStream | Self::Lago | Self::Orb | Self::Metronome => {
                "application/json"
            }
        };
        assert_eq!(request.header("content-type"), Some(content_type));
        let body: Value = serde_json::from_str(&request.body).unwrap();
        match self {
            Self::Stripe => vec![body],
            Self::StripeStream | Self::Lago | Self::Orb => {
                body["events"].as_array().unwrap().clone()
            }
            Self::OpenMeter | Self::Metronome => body.as_array().unwrap().clone(),
        }
    }

    fn read(self, event: &Value) -> ReadEvent {
        let names = match self {
            Self::OpenMeter => ["id", "subject", "", "time"],
            Self::Stripe | Self::StripeStream => ["identifier", "", "event_name", "timestamp"],
            Self::Lago => ["transaction_id", "external_subscription_id", "code", ""],
            Self::Orb => [
                "idempotency_key",
                "external_customer_id",
                "event_name",
                "timestamp",
            ],
            Self::Metronome => ["transaction_id", "customer_id", "event_type", "timestamp"],
        };
        let [key, customer, name, time] =
            names.map(|name| event[name].as_str().unwrap_or_default());
        let (customer, value) = match self {
            Self::OpenMeter => (customer, event["data"]["value"].to_string()),
            Self::Stripe | Self::StripeStream => {
                let payload = &event["payload"];
                let text = |name| payload[name].as_str().unwrap();
                (text("stripe_customer_id"), text("value").to_owned())
            }
            Self::Lago | Self::Orb | Self::Metronome => {
                (customer, event["properties"]["value"].to_string())
            }
        };
        let metric = event["data"]["metric"].as_str();
        assert!(!key.is_empty() && key.len() <= 100, "{event}");
        ReadEvent {
            key: key.to_owned(),
            customer: customer.to_owned(),
            name: metric.map_or(name.to_owned(), |metric| format!("t2b_{metric}")),
            thousandths: thousandths(&value),
            time_ms: match self {
                Self::Lago => event["timestamp"].as_u64().unwrap() * 1000,
                Self::OpenMeter
                | Self::Stripe
                | Self::StripeStream
                | Self::Orb
                | Self::Metronome => time_ms(time),
            },
        }
    }
}

impl BilledEvents {
    pub fn new(kind: MockKind) -> Self {
        Self {
            kind,
            seen: BTreeMap::new(),
            totals: BilledTotals::new(),
            changed: Vec::new(),
        }
    }

    /// What the customers are billed.
    pub fn totals(&self) -> BilledTotals {
        assert_eq!(self.changed, Vec::<String>::new(), "events that changed");
        self.totals.clone()
    }

    /// Takes a request, as the receiver does. `now_ms`: its clock, Unix milliseconds.
    pub fn take(&mut self, request: &MockRequest, now_ms: u64) -> MockReply {
        let events = self.kind.events(request);
        let read: Vec<_> = events.iter().map(|event| self.kind.read(event)).collect();
        if events.len() > 100 {
            return refusal(
                422,
                json!({"error_details": {"events": ["too_many_events"]}}),
            );
        }
        for event in &read {
            let oldest = self.kind.age_max_ms().map(|age| now_ms - age);
            if oldest.is_some_and(|oldest| event.time_ms < oldest) {
                return refusal(
                    400,
                    json!({"error": {"message": "the timestamp is too old"}}),
                );
            }
            if event.time_ms > now_ms + AHEAD_MS {
                return refusal(
                    400,
                    json!({"error": {"message": "the timestamp is in the future"}}),
                );
            }
        }
        if let Some(window) = self.kind.window_ms() {
            self.seen.retain(|_, (seen, _)| *seen + window > now_ms);
        }
        let is_known = |event: &ReadEvent| self.seen.contains_key(&event.key);
        let known: Vec<usize> = (0..read.len()).filter(|at| is_known(&read[*at])).collect();
        self.note_changes(&read, &events);
        match self.kind {
            MockKind::Lago if !known.is_empty() => {
                let details = known.iter().map(|index| {
                    (
                        index.to_string(),
                        json!({"transaction_id": ["value_already_exist"]}),
                    )
                });
                let details: serde_json::Map<_, _> = details.collect();
                return refusal(
                    422,
                    json!({"status": 422, "code": "validation_errors", "error_details": details}),
                );
            }
            MockKind::Stripe if !known.is_empty() => {
                let text = format!("An event already exists with identifier {}.", read[0].key);
                return refusal(400, json!({"error": {"message": text}}));
            }
            MockKind::OpenMeter
            | MockKind::Stripe
            | MockKind::StripeStream
            | MockKind::Lago
            | MockKind::Orb
            | MockKind::Metronome => {}
        }
        for (event, value) in read.iter().zip(&events) {
            if !self.seen.contains_key(&event.key) {
                self.seen.insert(event.key.clone(), (now_ms, value.clone()));
                let name = (event.customer.clone(), event.name.clone());
                *self.totals.entry(name).or_default() += event.thousandths;
            }
        }
        self.success(&events)
    }

    fn note_changes(&mut self, read: &[ReadEvent], events: &[Value]) {
        for (event, value) in read.iter().zip(events) {
            let mut value = value.clone();
            if let Some((_, before)) = self.seen.get(&event.key) {
                let mut before = before.clone();
                // What time it is in the ledger is another time in each attempt.
                for event in [&mut before, &mut value] {
                    if let Some(data) = event.get_mut("data").and_then(Value::as_object_mut) {
                        data.remove("as_of");
                    }
                }
                if before != value {
                    self.changed.push(event.key.clone());
                }
            }
        }
    }

    fn success(&self, events: &[Value]) -> MockReply {
        let (status, body) = match self.kind {
            MockKind::OpenMeter => (204, String::new()),
            MockKind::Stripe => (200, events[0].to_string()),
            MockKind::StripeStream => (200, "{}".to_owned()),
            MockKind::Lago => (200, json!({"events": events}).to_string()),
            MockKind::Orb => (200, json!({"validation_failed": []}).to_string()),
            MockKind::Metronome => (200, String::new()),
        };
        MockReply::Answer(status, String::new(), body)
    }
}

fn refusal(status: u16, body: Value) -> MockReply {
    MockReply::Answer(status, String::new(), body.to_string())
}

/// A decimal number, exactly.
fn thousandths(text: &str) -> u64 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    assert!(decimals.len() <= 3, "{text}");
    format!("{whole}{decimals:0<3}").parse().unwrap()
}

/// A time on a whole minute, like `2026-11-28T10:30:00Z`, in Unix milliseconds.
fn time_ms(text: &str) -> u64 {
    let minutes: u64 = text[14..16].parse().unwrap();
    let hour = format!("{}:00:00Z", &text[..13]);
    assert!(text.ends_with(":00Z"), "{text}");
    UsageHour::parse_time(&hour).unwrap().start_ms() + minutes * 60_000
}
