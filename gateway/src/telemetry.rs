//! Logs and traces of the process: one subscriber. Logs go to stderr, traces to an OTLP collector
//! if there is one.
//!
//! Nobody waits for stderr: a thread writes it, from a queue of [`LOG_LINES_MAX`] lines. What finds the
//! queue full is dropped and counted; the log and `t2b_log_lines_dropped_total` say how many.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use http::Uri;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::collector::CollectorClient;
use crate::config::{Config, LogFormat, OtlpExport};
use crate::json_log::NodeLines;
use crate::machine;
use crate::trace::TARGET;

/// Why logs or traces cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("log: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The collector's address is not one.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The collector's address has no scheme or host. The text, unless it has a login.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT: expected http://HOST:PORT or https://HOST:PORT{got}", got = got(.0))]
    Endpoint(String),
    /// The collector's certificate cannot be checked.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT: {0}")]
    Certificates(io::Error),
    /// A protocol other than the one there is.
    #[error("{0}: expected http/protobuf; got {1:?}")]
    Protocol(&'static str, String),
    /// The process has a subscriber already.
    #[error("logs are set up already")]
    Twice,
}

/// Lines of the log that wait for stderr: half a MiB of usual ones.
const LOG_LINES_MAX: usize = 2048;

/// Where the collector takes traces, below its endpoint.
const TRACES: &str = "/v1/traces";
/// The one protocol, by the name that OpenTelemetry gives it.
const PROTOCOL: &str = "http/protobuf";
/// The port that collectors have for OTLP over gRPC.
const GRPC_PORT: u16 = 4317;

/// Counts the lines that were dropped; the process has one log.
static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// Changes the filter of the log; the process has one log.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Logs what this filter lets through from now on. A process without a log goes on without one. Errors: it is no
/// filter.
pub(crate) fn set_filter(text: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().parse(text)?;
    if let Some(handle) = FILTER.get() {
        // It fails only if the log is gone, and nobody is left to read of it.
        let _ = handle.reload(filter);
    }
    Ok(())
}

/// Lines of the log that were dropped since the start, because stderr did not take them.
pub(crate) fn dropped_lines() -> u64 {
    let dropped = DROPPED.get().map_or(0, ErrorCounter::dropped_lines);
    u64::try_from(dropped).unwrap_or(u64::MAX)
}

/// What is written and exported in the background; ended with the process.
#[derive(Debug)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    /// Dropped, it waits for stderr to take what is left, a second at most.
    _log: WorkerGuard,
}

impl Telemetry {
    /// Exports what is left. It waits for the collector, a few seconds at most.
    pub async fn end(self) {
        let Some(provider) = self.traces else { return };
        let ended = tokio::task::spawn_blocking(move || provider.shutdown()).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces were not exported");
        }
    }
}

/// Sends what is logged from now on to stderr, and what is traced to the collector. To be called
/// inside the runtime.
pub fn init(config: &Config) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::builder().parse(&config.log)?;
    let endpoint = config.otlp.endpoint.as_deref();
    let endpoint = endpoint.map(endpoint_of).transpose()?;
    let provider = endpoint.as_ref();
    let provider = provider.map(|endpoint| exporter(endpoint, &config.otlp));
    let provider = provider.transpose()?;
    let (stderr, log) = stderr();
    let (filter, handle) = reload::Layer::new(filter);
    let layer = logs(config, stderr).with_filter(filter);
    let registry = tracing_subscriber::registry().with(layer);
    let traces = provider.as_ref().map(|provider| {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("t2b"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        layer.with_filter(filter_fn(|metadata| metadata.target() == TARGET))
    });
    let done = registry.with(traces).try_init();
    done.map_err(|_| TelemetryError::Twice)?;
    FILTER.get_or_init(|| handle);
    if endpoint.is_some_and(|endpoint| endpoint.port_u16() == Some(GRPC_PORT)) {
        tracing::warn!(
            "OTEL_EXPORTER_OTLP_ENDPOINT: collectors expect gRPC on port 4317; \
             t2b sends OTLP over HTTP, which collectors expect on port 4318"
        );
    }
    Ok(Telemetry {
        traces: provider,
        _log: log,
    })
}

/// The exporter takes text without a scheme, and then reaches nobody.
fn endpoint_of(text: &str) -> Result<Uri, TelemetryError> {
    let uri: Option<Uri> = text.parse().ok();
    uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
        .ok_or_else(|| TelemetryError::Endpoint(text.to_owned()))
}

fn got(endpoint: &str) -> String {
    match endpoint.contains('@') {
        true => String::new(),
        false => format!("; got {endpoint:?}"),
    }
}

fn stderr() -> (NonBlocking, WorkerGuard) {
    let (stderr, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LOG_LINES_MAX)
        .lossy(true)
        .thread_name("log")
        .finish(io::stderr());
    DROPPED.get_or_init(|| stderr.error_counter());
    (stderr, guard)
}

fn logs<S>(config: &Config, stderr: NonBlocking) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(stderr);
    match config.log_format {
        LogFormat::Text => layer.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => {
            let node = machine::node_name(config.listen);
            layer.json().event_format(NodeLines::new(&node)).boxed()
        }
    }
}

fn exporter(endpoint: &Uri, otlp: &OtlpExport) -> Result<SdkTracerProvider, TelemetryError> {
    if let Some((variable, protocol)) = &otlp.protocol
        && protocol != PROTOCOL
    {
        return Err(TelemetryError::Protocol(variable, protocol.clone()));
    }
    let is_tls = endpoint.scheme_str() == Some("https");
    let client = CollectorClient::new(is_tls, otlp.timeout);
    let client = client.map_err(TelemetryError::Certificates)?;
    // An endpoint that is set here is taken as it is.
    let endpoint = endpoint.to_string();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}{TRACES}", endpoint.trim_end_matches('/')))
        .with_timeout(otlp.timeout)
        .build()?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder_empty()
        .with_service_name("t2b")
        .with_attribute(version)
        // Behind ours, so that the environment has the last word.
        .with_detector(Box::new(EnvResourceDetector::new()));
    let resource = match &otlp.service {
        Some(service) => resource.with_service_name(service.clone()),
        None => resource,
    };
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource.build())
        .build())
}
