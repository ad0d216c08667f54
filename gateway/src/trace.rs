//! Traces: a sampled frame is a span on every node that it passes, and the context rides in its
//! envelope.
//!
//! Only with an exporter (`OTEL_EXPORTER_OTLP_ENDPOINT`); without one nothing is sampled. What a
//! client says of traces is not believed: whether its frame is sampled is ours to decide.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use smol_str::SmolStr;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of all spans that are exported.
pub(crate) const TARGET: &str = "t2b::trace";
/// The header of W3C Trace Context, and so its name in a carrier.
const TRACEPARENT: &str = "traceparent";

/// Decides which frames are traced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tracer {
    /// The part of the frames, from 0 to 1.
    sample: f64,
}

impl Tracer {
    /// One that traces this part of the frames.
    pub(crate) fn new(sample: f64) -> Self {
        Self { sample }
    }

    /// Perhaps begins the trace of a frame. Returns its span and the context for other nodes.
    pub(crate) fn begin(self) -> Option<(Span, SmolStr)> {
        if self.sample <= 0.0 || fastrand::f64() >= self.sample {
            return None;
        }
        let span = tracing::info_span!(target: TARGET, "send", otel.kind = "producer");
        let mut carrier = HashMap::new();
        TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
        let context = SmolStr::new(carrier.get(TRACEPARENT)?);
        Some((span, context))
    }

    /// Goes on with the trace of a frame that another node began.
    pub(crate) fn go_on(self, context: &str) -> Option<Span> {
        if self.sample <= 0.0 {
            return None;
        }
        let carrier = HashMap::from([(TRACEPARENT.to_owned(), context.to_owned())]);
        let parent = TraceContextPropagator::new().extract(&carrier);
        if !parent.span().span_context().is_valid() {
            return None;
        }
        let span = tracing::info_span!(target: TARGET, "deliver", otel.kind = "consumer");
        span.set_parent(parent).ok()?;
        Some(span)
    }
}
