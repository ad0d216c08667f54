//! Lines of the log as JSON. Each has a field `node`, so that a collector need not add where it is from.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::registry::LookupSpan;

/// The lines of `tracing-subscriber`, and the node in each.
pub(crate) struct NodeLines {
    lines: Format<Json>,
    /// Encoded as JSON.
    node: String,
}

impl NodeLines {
    pub(crate) fn new(node: &str) -> Self {
        Self {
            lines: format().json().flatten_event(true),
            node: Value::from(node).to_string(),
        }
    }
}

impl<S, N> FormatEvent<S, N> for NodeLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.lines
            .format_event(context, Writer::new(&mut line), event)?;
        let fields = line.strip_prefix('{').ok_or(fmt::Error)?;
        write!(writer, "{{\"node\":{},{fields}", self.node)
    }
}

/// A line of level `ERROR`, without its end, for what fails beside the log or before there is one.
pub fn error_line(node: &str, message: &str, fields: &[(&str, String)]) -> String {
    let mut timestamp = String::new();
    // Without a time the line is still worth its message.
    let _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));
    let own = [
        ("timestamp", timestamp.as_str()),
        ("level", "ERROR"),
        ("node", node),
        ("message", message),
    ];
    let more = fields.iter().map(|(name, text)| (*name, text.as_str()));
    let line = own.into_iter().chain(more);
    let line: Map<String, Value> = line
        .map(|(name, text)| (name.into(), text.into()))
        .collect();
    Value::Object(line).to_string()
}
