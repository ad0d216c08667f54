//! Traces: a sampled frame is a span on every node that it passes, and the context rides in its
//! envelope. It says which node (its boot id), whose tenant and what kind of frame; nothing of what
//! is said in it. Attributes have the names of OpenTelemetry's semantic conventions for messaging, and names
//! below `t2b.` where those have none.
//!
//! Only with an exporter (`OTEL_EXPORTER_OTLP_ENDPOINT`); without one nothing is sampled. What a
//! client sends about traces is ignored: the gateway decides which frames are sampled.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use protocol::{BootId, Envelope};
use router_core::request::RouteRequest;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of all spans that are exported.
pub(crate) const TARGET: &str = "t2b::trace";
/// Which messages these are, among those of other systems.
const SYSTEM: &str = "t2b";
/// The header of W3C Trace Context, and so its name in a carrier.
const TRACEPARENT: &str = "traceparent";

/// Decides which frames are traced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameTracer {
    /// The part of the frames, from 0 to 1.
    sample: f64,
}

impl FrameTracer {
    /// One that traces this part of the frames.
    pub(crate) fn new(sample: f64) -> Self {
        Self { sample }
    }

    /// Perhaps begins the trace of what a connection of this node sends: other nodes hear of it.
    pub(crate) fn begin(self, node: BootId, route: &mut RouteRequest) -> Option<Span> {
        if self.sample <= 0.0 || fastrand::f64() >= self.sample {
            return None;
        }
        let span = tracing::info_span!(
            target: TARGET, "send", otel.kind = "producer",
            messaging.system = SYSTEM,
            messaging.operation.name = "send",
            messaging.operation.type = "send",
            messaging.message.body.size = route.body_bytes(),
            t2b.node = %node, t2b.tenant = %route.tenant(), t2b.frame = route.kind().wire_name(),
        );
        let mut carrier = HashMap::new();
        TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
        route.trace(carrier.remove(TRACEPARENT)?.into());
        Some(span)
    }

    /// Goes on with the trace of what another node sent, if it began one.
    pub(crate) fn go_on(self, node: BootId, envelope: &Envelope) -> Option<Span> {
        let context = envelope.trace.as_deref()?;
        if self.sample <= 0.0 {
            return None;
        }
        let carrier = HashMap::from([(TRACEPARENT.to_owned(), context.to_owned())]);
        let parent = TraceContextPropagator::new().extract(&carrier);
        if !parent.span().span_context().is_valid() {
            return None;
        }
        let span = tracing::info_span!(
            target: TARGET, "deliver", otel.kind = "consumer",
            messaging.system = SYSTEM,
            messaging.operation.name = "deliver",
            messaging.operation.type = "process",
            messaging.message.body.size = envelope.message.body.len(),
            t2b.node = %node, t2b.tenant = %envelope.tenant,
            t2b.frame = envelope.message.kind.wire_name(),
        );
        span.set_parent(parent).ok()?;
        Some(span)
    }
}
