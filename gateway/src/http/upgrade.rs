//! A WebSocket upgrade on `/ws`, `/ws/` or `/`: old URLs have no path.
//!
//! The credential is looked for in `Authorization: Bearer`, `?token=`, then the subprotocol
//! `t2b.auth.<base64url>`; the first found is the only one tried. It is not judged here: a browser
//! cannot read an HTTP status, so the session tells it in-band.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;
use protocol::connect::Acks;
use router_core::auth::{Credential, Source};
use router_core::session::OpenedConnection;

use super::context::PublicContext;
use super::headers::bearer;
use super::peer::PeerSocket;
use crate::dialect::Dialect;
use crate::gate::OpenGuard;
use crate::node::DrainPhase;
use crate::node::Node;
use crate::ws::handshake::{UpgradePolicy, UpgradeRefusal, judge};
use crate::ws::{Connection, ConnectionEnd, FrameReader, drive, split_upgraded};

/// The subprotocol that is spoken; the one with a credential is read and never echoed.
const SUBPROTOCOL: &str = "t2b.v1";
const AUTH_SUBPROTOCOL: &str = "t2b.auth.";
/// When a client refused by a draining node may come back, seconds.
const RETRY_AFTER_S: u32 = 1;

/// Accepts a WebSocket. Errors: the refusal of its handshake.
pub(super) fn accept(
    context: &PublicContext,
    mut request: Request<Incoming>,
    peer: &PeerSocket,
) -> Result<Response, UpgradeRefusal> {
    let upgraded = hyper::upgrade::on(&mut request);
    let (parts, _no_body) = request.into_parts();
    let settings = context.settings();
    let policy = UpgradePolicy {
        subprotocols: &[SUBPROTOCOL],
        allowed_origins: &settings.allowed_origins,
        hosts: context.hosts(&settings),
    };
    let accepted = judge(&parts, &policy)?;
    if context.node.drain_phase() >= DrainPhase::Moving {
        return Err(UpgradeRefusal::retry_after(
            StatusCode::SERVICE_UNAVAILABLE,
            RETRY_AFTER_S,
        ));
    }
    let opened = opened(settings.query_keys, &parts)?;
    let node = Arc::clone(&context.node);
    let control_per_second = settings.control_per_second;
    let PeerSocket { source, open, .. } = peer.clone();
    // In a box that is freed when the conversation begins: the task lives as long as the conversation.
    let held = open.clone();
    let begin = Box::pin(async move {
        let upgraded = upgraded.await.inspect_err(|error| {
            node.metrics.handshake("failed");
            tracing::debug!(peer = %source, %error, "upgrade failed");
        });
        Some(converse(
            &node,
            upgraded.ok()?,
            (source, held),
            opened,
            control_per_second,
        ))
    });
    let place = open.clone();
    let task = tokio::spawn(async move {
        let _open = open;
        if let Some(talk) = begin.await {
            talk.await;
        }
    });
    place.handed_to(task.abort_handle());
    Ok(accepted.response().map(|()| Body::empty()))
}

/// The options of a session, from the request. Errors: 400 for an `acks` that is neither `all` nor `errors`.
fn opened(query_keys: bool, parts: &Parts) -> Result<OpenedConnection, UpgradeRefusal> {
    let query = parts.uri.query().unwrap_or_default();
    let mut opened = OpenedConnection::default();
    let mut in_query = None;
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*key, &*value) {
            ("token", token) if in_query.is_none() => {
                // With `query_keys = false` no credential in a query is good, whatever it is.
                let token = if query_keys { token } else { "" };
                in_query = Some(Credential::from_bearer(token));
            }
            ("clientId", client) => opened.client = Some(client.to_owned()),
            ("acks", "all") => opened.acks = Acks::All,
            ("acks", "errors") => opened.acks = Acks::Errors,
            ("acks", _) => return Err(UpgradeRefusal::new(StatusCode::BAD_REQUEST)),
            _ => {}
        }
    }
    opened.credential = bearer(&parts.headers)
        .or(in_query)
        .or_else(|| subprotocol_credential(&parts.headers));
    Ok(opened)
}

/// The conversation. Nothing of the handshake is kept in it, hyper's buffer least of all.
fn converse(
    node: &Arc<Node>,
    upgraded: hyper::upgrade::Upgraded,
    peer: (Source, OpenGuard),
    opened: OpenedConnection,
    control_per_second: u32,
) -> impl Future<Output = ConnectionEnd> + Send + use<> {
    let (read, write, buffered) = split_upgraded(upgraded);
    let reader = FrameReader::new(read, &buffered, node.read_limits_unauthenticated());
    node.metrics.handshake("upgraded");
    let handler = node.connect(
        Dialect::T2b,
        |limits| Connection::new(write, limits, Arc::clone(&node.metrics.sent_bytes)),
        peer,
        opened,
    );
    drive(reader, handler.socket(), handler, control_per_second)
}

fn subprotocol_credential(headers: &HeaderMap) -> Option<Credential> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL);
    let offered = values.iter().filter_map(|value| value.to_str().ok());
    let mut offered = offered.flat_map(|value| value.split(',')).map(str::trim);
    let encoded = offered.find_map(|offered| offered.strip_prefix(AUTH_SUBPROTOCOL))?;
    let decoded = URL_SAFE_NO_PAD.decode(encoded.trim_end_matches('=')).ok();
    let text = decoded
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_default();
    Some(Credential::from_bearer(&text))
}
