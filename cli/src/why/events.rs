//! The events of an answer, a line each.

use serde_json::Value;

use super::fields::text;

/// The lines, the newest event first: when, how often, what, and to whom.
pub(super) fn lines(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().into_iter().flatten();
    events.map(line).collect()
}

fn line(event: &Value) -> String {
    let count = match event["count"].as_u64() {
        Some(0 | 1) | None => String::new(),
        Some(count) => format!("{count}x"),
    };
    let reason = event["reason"].as_str().unwrap_or_default();
    let what = format!("{} {reason}", text(&event["what"]));
    let line = format!(
        "{}  {count:>6}  {:34}  {}",
        text(&event["at"]),
        what.trim_end(),
        details(event)
    );
    line.trim_end().to_owned()
}

/// What else an event says, as `name=value`.
fn details(event: &Value) -> String {
    let mut details = Vec::new();
    for name in ["bot", "client", "connection", "source", "code", "node"] {
        let value = &event[name];
        match (value.as_str(), value.as_u64()) {
            (Some(text), _) => details.push(format!("{name}={text}")),
            (None, Some(number)) => details.push(format!("{name}={number}")),
            (None, None) => {}
        }
    }
    let by = &event["by"];
    details.extend(by.as_str().map(|by| format!("by={by}")));
    details.extend(connection_at("by", by));
    details.extend(connection_at("from", &event["from"]));
    if let Some(lasted_ms) = event["lasted_ms"].as_u64() {
        details.push(format!("lasted={}s", lasted_ms / 1000));
    }
    if event["verified"] == false {
        details.push("tenant=claimed".to_owned());
    }
    details.join(" ")
}

/// `by=conn_…@node`.
fn connection_at(name: &str, holder: &Value) -> Option<String> {
    let connection = holder["connection"].as_str()?;
    Some(format!("{name}={connection}@{}", text(&holder["node"])))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let taken = json!({
            "at": "T1", "count": 1, "what": "taken_over", "reason": null, "source": "10.0.0.1", "connection": "c1",
            "client": null, "bot": "main", "by": {"node": "B", "connection": "c2"},
        });
        let closed = json!({
            "at": "T2", "count": 1, "what": "disconnected", "reason": "replaced", "connection": "c1", "by": "gateway",
            "code": 4409, "lasted_ms": 61_500,
        });
        let failed = json!({
            "at": "T3", "count": 12, "what": "credential_failed", "reason": "invalid", "source": "10.0.0.1",
            "verified": false,
        });
        let answer = json!({"events": [taken, closed, failed]});
        let expected = [
            "T1          taken_over                          bot=main connection=c1 source=10.0.0.1 by=c2@B",
            "T2          disconnected replaced               connection=c1 code=4409 by=gateway lasted=61s",
            "T3     12x  credential_failed invalid           source=10.0.0.1 tenant=claimed",
        ];
        assert_eq!(lines(&answer), expected);
    }
}
