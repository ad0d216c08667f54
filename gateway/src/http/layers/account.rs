//! Counts and logs each request of the HTTP API, and decides whether its connection is kept.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::CONNECTION;
use http::{HeaderName, HeaderValue, StatusCode};
use protocol::plan::QuotaStatus;

use super::foreign::ForeignRefusal;
use crate::http::call_context::CallContext;
use crate::http::context::PublicContext;
use crate::http::peer::PeerSocket;
use crate::metrics::OTHER_ROUTE;
use crate::progress::ConnectionTurns;

/// The header that names a soft allowance that is reached.
pub(super) const QUOTA: HeaderName = HeaderName::from_static("t2b-quota");

/// The outermost layer of the HTTP API.
pub(in crate::http) async fn account(
    State(context): State<Arc<PublicContext>>,
    Extension(peer): Extension<PeerSocket>,
    mut request: Request,
    next: Next,
) -> Response {
    let node = &context.node;
    let answering = Arc::new(node.answering());
    // The request counts as a connection of its own once it joins, so its connection no longer does.
    peer.open.keep(None);
    let route = request.extensions().get::<MatchedPath>().cloned();
    // The route, not the path: a path holds ids, and text that a client invented.
    let path = route.as_ref().map_or(OTHER_ROUTE, MatchedPath::as_str);
    tracing::debug!(peer = %peer.address, path, "request");
    let turns = request.extensions().get::<Arc<ConnectionTurns>>().cloned();
    let call = Arc::new(CallContext::new(peer, turns));
    request.extensions_mut().insert(Arc::clone(&call));

    let since = Instant::now();
    let mut response = next.run(request).await;
    node.metrics.latency.http(path, since.elapsed());

    for quota in call.quotas() {
        response.headers_mut().append(QUOTA, quota_header(quota));
    }
    let status = response.status();
    let is_misrouted = status == StatusCode::METHOD_NOT_ALLOWED || route.is_none();
    let is_foreign = response.extensions().get::<ForeignRefusal>().is_some();
    if is_misrouted || is_foreign {
        let log = &node.access_log;
        log.refused("public", call.peer.source, status.as_str());
    }
    // A request that joined no tenant counts for none, so its connection is closed. So is one whose tenant has all the
    // sockets that it may have.
    let place = call.tenant().and_then(|tenant| node.keep_for(tenant));
    if node.is_draining() || place.is_none() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    let place = place.map(|place| Box::new(place) as Box<dyn Debug + Send>);
    call.peer.open.keep(place);
    node.metrics.http_request(path, status.as_u16());
    // hyper drops it when it has written the head; a drain waits for that.
    response.extensions_mut().insert(answering);
    response
}

/// As in `messages_accepted;used=8100;allowed=8000;hard=10000;resets=1764547200`, in seconds. Source: RFC 9651.
fn quota_header(quota: &QuotaStatus) -> HeaderValue {
    let QuotaStatus {
        meter,
        used,
        allowed,
        hard,
        resets_at,
    } = quota;
    let resets = resets_at / 1000;
    let hard = hard.map_or(String::new(), |hard| format!(";hard={hard}"));
    let text = format!("{meter};used={used};allowed={allowed}{hard};resets={resets}");
    HeaderValue::try_from(text).expect("names of meters and numbers are ASCII")
}
