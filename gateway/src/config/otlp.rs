//! What the `OTEL_…` variables say about the collector of traces. Headers, resource attributes and the
//! queue are read by the exporter itself.
//!
//! Source: the OpenTelemetry specification, "OpenTelemetry Protocol Exporter".

use std::collections::BTreeMap;
use std::time::Duration;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const SERVICE: &str = "OTEL_SERVICE_NAME";
/// The variable for traces wins over the one for every signal.
const PROTOCOLS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
const TIMEOUTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
];
/// As the specification has it.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// Where traces go, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpExport {
    /// The collector, as `OTEL_EXPORTER_OTLP_ENDPOINT` says; none: no traces.
    pub endpoint: Option<String>,
    /// The name under which traces go there, as `OTEL_SERVICE_NAME` says.
    pub service: Option<String>,
    /// The variable that asks for a protocol, and its value; none: OTLP over HTTP.
    pub protocol: Option<(&'static str, String)>,
    /// How long an export may take, its repetitions included.
    pub timeout: Duration,
}

impl OtlpExport {
    /// Reads the variables; an empty one is an unset one.
    pub(super) fn of(environment: &BTreeMap<String, String>) -> Self {
        let said = |name: &str| environment.get(name).filter(|text| !text.is_empty());
        let mut protocols = PROTOCOLS.iter();
        let mut timeouts = TIMEOUTS.iter();
        // The specification: a value that cannot be read is an unset one.
        let timeout = timeouts.find_map(|name| said(name)?.parse().ok());
        Self {
            endpoint: said(ENDPOINT).cloned(),
            service: said(SERVICE).cloned(),
            protocol: protocols.find_map(|name| Some((*name, said(name)?.clone()))),
            timeout: timeout.map_or(TIMEOUT_DEFAULT, Duration::from_millis),
        }
    }
}
