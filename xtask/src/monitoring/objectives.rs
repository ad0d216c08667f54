//! The service level objectives: what counts as an event, and what as a failed one.

use std::fmt::Write as _;

use protocol::ErrorCode;

/// One objective.
pub(super) struct ServiceObjective {
    /// Its name: the label `slo`.
    pub name: &'static str,
    /// The alert on its error budget.
    pub alert: &'static str,
    /// The share of events that may fail.
    pub budget: f64,
    /// What is promised, for people.
    pub promise: &'static str,
    /// The failed ones, as a rate by `job` over a window.
    errors: fn(&str) -> String,
    /// All events, as a rate by `job` over a window.
    events: fn(&str) -> String,
}

/// Every objective.
pub(super) const OBJECTIVES: &[ServiceObjective] = &[
    ServiceObjective {
        name: "availability",
        alert: "T2bAvailabilityBurn",
        budget: 0.0005,
        promise: "99.95 % of messages are answered with something other than an error of the platform",
        errors: platform_errors,
        events: answered_messages,
    },
    ServiceObjective {
        name: "latency-local",
        alert: "T2bLocalLatencyBurn",
        budget: 0.01,
        promise: "99 % of messages on one node are settled within 50 ms",
        errors: |window| slow_messages("local", "0.05", window),
        events: |window| measured_messages("local", window),
    },
    ServiceObjective {
        name: "latency-remote",
        alert: "T2bRemoteLatencyBurn",
        budget: 0.01,
        promise: "99 % of messages between nodes are settled within 150 ms",
        errors: |window| slow_messages("remote", "0.15", window),
        events: |window| measured_messages("remote", window),
    },
    ServiceObjective {
        name: "connects",
        alert: "T2bConnectBurn",
        budget: 0.001,
        promise: "99.9 % of connects are neither refused nor closed because the platform has no room or an error",
        errors: |window| {
            format!(
                "{} + {}",
                rate("t2b_handshakes_total{result=\"503\"}", window),
                rate("t2b_closes_total{code=~\"1011|1013\"}", window),
            )
        },
        events: |window| rate("t2b_handshakes_total{result=~\"upgraded|503\"}", window),
    },
];

impl ServiceObjective {
    /// The expression of its failed events. `window`: as PromQL writes it, such as `5m`.
    pub(super) fn errors(&self, window: &str) -> String {
        (self.errors)(window)
    }

    /// The expression of all its events.
    pub(super) fn events(&self, window: &str) -> String {
        (self.events)(window)
    }
}

/// The objectives as a table for people.
pub(crate) fn objectives_markdown() -> String {
    let mut text = "| `slo` | promise, over 30 days | alert |\n| --- | --- | --- |\n".to_owned();
    for ServiceObjective {
        name,
        promise,
        alert,
        ..
    } in OBJECTIVES
    {
        // A string takes all that is written to it.
        let _ = writeln!(
            text,
            "| `{name}` | {promise} | [{alert}](runbooks/{alert}.md) |"
        );
    }
    let reasons: Vec<String> = platform_reasons()
        .map(|reason| format!("`{reason}`"))
        .collect();
    let _ = writeln!(text, "\nErrors of the platform: {}.", reasons.join(", "));
    text
}

fn rate(selector: &str, window: &str) -> String {
    format!("sum by (job) (rate({selector}[{window}]))")
}

fn platform_errors(window: &str) -> String {
    let reasons: Vec<&str> = platform_reasons().collect();
    let reasons = reasons.join("|");
    rate(
        &format!("t2b_refusals_total{{reason=~\"{reasons}\"}}"),
        window,
    )
}

fn answered_messages(window: &str) -> String {
    let names = [
        "t2b_messages_delivered_total",
        "t2b_messages_duplicate_total",
        "t2b_refusals_total",
    ];
    names.map(|name| rate(name, window)).join(" + ")
}

fn measured_messages(path: &str, window: &str) -> String {
    rate(
        &format!("t2b_message_seconds_count{{path=\"{path}\"}}"),
        window,
    )
}

fn slow_messages(path: &str, bound: &str, window: &str) -> String {
    let quick = format!("t2b_message_seconds_bucket{{path=\"{path}\", le=\"{bound}\"}}");
    format!(
        "{} - {}",
        measured_messages(path, window),
        rate(&quick, window)
    )
}

fn platform_reasons() -> impl Iterator<Item = &'static str> {
    let codes = ErrorCode::ALL
        .iter()
        .filter(|code| is_of_the_platform(**code));
    codes.map(|code| code.reason())
}

/// Whether the operator is to blame for a refusal: not the client, its limits, or its recipient.
fn is_of_the_platform(code: ErrorCode) -> bool {
    match code {
        ErrorCode::Internal
        | ErrorCode::Unreachable
        | ErrorCode::DeliveryUnknown
        | ErrorCode::Draining
        | ErrorCode::StoreUnavailable => true,
        ErrorCode::BadFrame
        | ErrorCode::BadRequest
        | ErrorCode::UnknownType
        | ErrorCode::MissingField
        | ErrorCode::InvalidId
        | ErrorCode::Unauthorized
        | ErrorCode::ForbiddenScope
        | ErrorCode::OriginNotAllowed
        | ErrorCode::BotNotFound
        | ErrorCode::NotYourIdentity
        | ErrorCode::TenantSuspended
        | ErrorCode::NotFound
        | ErrorCode::MethodNotAllowed
        | ErrorCode::RequestTimeout
        | ErrorCode::AlreadyRegistered
        | ErrorCode::TakeoverFlapping
        | ErrorCode::LeaseLost
        | ErrorCode::IdempotencyConflict
        | ErrorCode::TooLarge
        | ErrorCode::UnsupportedMediaType
        | ErrorCode::Misdirected
        | ErrorCode::RateLimited
        | ErrorCode::QuotaExceeded
        | ErrorCode::NotSupported
        | ErrorCode::BotOffline
        | ErrorCode::RecipientOffline
        | ErrorCode::RecipientBusy => false,
    }
}
