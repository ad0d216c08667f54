//! A collector of traces: OTLP over HTTP, in protobuf, that keeps what it gets.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The media type of OTLP in protobuf.
const PROTOBUF: &str = "application/x-protobuf";

/// Spans, each with the name of the service that it is of.
type SpanList = Arc<Mutex<Vec<(String, Span)>>>;

pub struct TraceCollector {
    /// Where it listens, as `OTEL_EXPORTER_OTLP_ENDPOINT` wants it.
    pub endpoint: String,
    spans: SpanList,
    serves: JoinHandle<()>,
}

impl TraceCollector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let spans = SpanList::default();
        let service = Router::new().route("/v1/traces", post(export));
        let service = service.with_state(Arc::clone(&spans));
        let serves = tokio::spawn(async move {
            let served = axum::serve(listener, service).await;
            served.expect("the collector serves");
        });
        Self {
            endpoint,
            spans,
            serves,
        }
    }

    /// All that came so far.
    pub fn spans(&self) -> Vec<(String, Span)> {
        self.spans
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for TraceCollector {
    fn drop(&mut self) {
        self.serves.abort();
    }
}

async fn export(
    State(kept): State<SpanList>,
    head: HeaderMap,
    body: Bytes,
) -> ([(HeaderName, &'static str); 1], Vec<u8>) {
    assert_eq!(head[CONTENT_TYPE], PROTOBUF);
    let request = ExportTraceServiceRequest::decode(body).expect("an export of traces");
    let resources = request.resource_spans.into_iter();
    let spans = resources.flat_map(|resource| {
        let attributes = resource.resource.unwrap_or_default().attributes;
        let service = text_of(&attributes, "service.name").to_owned();
        let scopes = resource.scope_spans.into_iter();
        let spans = scopes.flat_map(|scope| scope.spans);
        spans.map(move |span| (service.clone(), span))
    });
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.extend(spans);
    let response = ExportTraceServiceResponse::default().encode_to_vec();
    ([(CONTENT_TYPE, PROTOBUF)], response)
}

/// An attribute; empty if there is none of that name.
pub fn text_of<'a>(attributes: &'a [KeyValue], name: &str) -> &'a str {
    let mut attributes = attributes.iter();
    let found = attributes.find(|attribute| attribute.key == name);
    let value = found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref());
    match value {
        Some(Value::StringValue(text)) => text,
        _ => "",
    }
}
