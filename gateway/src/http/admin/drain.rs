//! `POST /admin/v1/drain` and `POST /admin/v1/undrain`: the sockets of this node move to others, and may come back.
//!
//! Both answer with the drain as `GET /admin/v1/status` shows it:
//!
//! ```json
//! {"phase": "moving", "asked": 420, "moved": 388, "closed": 0, "connections": 612}
//! ```
//!
//! They are refused with 409 if no other node can take the sockets, and if there is nothing to take back.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use http::StatusCode;
use serde_json::{Value, json};

use super::context::AdminContext;
use super::refusal::PlainRefusal;
use crate::http::answer::{json as answer, not_found};
use crate::http::peer::PeerSocket;
use crate::metrics::MoveOutcome;
use crate::node::Node;

pub(super) fn routes() -> Router<Arc<AdminContext>> {
    Router::new()
        .route("/admin/v1/drain", any(not_found).post(drain))
        .route("/admin/v1/undrain", any(not_found).post(undrain))
}

async fn drain(
    State(admin): State<Arc<AdminContext>>,
    Extension(peer): Extension<PeerSocket>,
) -> Result<Response, PlainRefusal> {
    let _turn = admin.orders.lock().await;
    if !admin.node.order_drain() {
        let text = "no other node can take the sockets of this one";
        return Err(PlainRefusal(StatusCode::CONFLICT, text.into()));
    }
    tracing::info!(peer = %peer.address, "drain ordered");
    Ok(answer(StatusCode::OK, facts(&admin.node).to_string()))
}

async fn undrain(
    State(admin): State<Arc<AdminContext>>,
    Extension(peer): Extension<PeerSocket>,
) -> Result<Response, PlainRefusal> {
    let _turn = admin.orders.lock().await;
    if !admin.node.take_drain_back() {
        let text = "this node does not drain, or it ends";
        return Err(PlainRefusal(StatusCode::CONFLICT, text.into()));
    }
    tracing::info!(peer = %peer.address, "drain taken back");
    Ok(answer(StatusCode::OK, facts(&admin.node).to_string()))
}

/// How far a node is with going away.
pub(super) fn facts(node: &Node) -> Value {
    let moves = node.moves();
    json!({
        "phase": node.drain_phase().name(),
        "asked": moves.of(MoveOutcome::Asked),
        "moved": moves.of(MoveOutcome::Moved),
        "closed": moves.of(MoveOutcome::Closed),
        "connections": node.connections(),
    })
}
