//! `GET /admin/v1/nodes`: what this node sees of the cluster.
//!
//! ```json
//! {"self": "01J…", "beat": 17, "shared": true, "degraded": false, "generation": "17…",
//!  "nodes": [{"boot": "01J…", "name": "pod-1", "address": "…", "state": "live", "beat": 17, "unchanged_ms": 0,
//!             "wire": [1, 2], "speaks": 2, "unreachable": null, "secrets": "1f…,a0…", …}],
//!  "lanes": [{"to": "01J…", "generation": 1, "unacked": 0, "unacked_bytes": 0, "waiting_bytes": 0, "resends": 0, "oldest_ms": null}],
//!  "dead": 0, "directory": {"tenants": 3, "bots": 4, "connections": 7, "compare_ms": 5000}, "redis": {…}}
//! ```

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use backplane::StoreState;
use http::StatusCode;
use protocol::BootId;
use protocol::envelope::WIRE;
use protocol::lane::TermsMismatch;
use router_core::NodeView;
use router_core::lane::LaneStatus;
use router_core::membership::{DegradedCause, PeerNode, PeerState};
use serde_json::{Value, json};

use super::context::AdminContext;
use crate::http::answer::{json as json_text, not_found};
use crate::node::{Node, key_list};

pub(super) fn routes() -> Router<Arc<AdminContext>> {
    Router::new().route("/admin/v1/nodes", any(not_found).get(nodes))
}

async fn nodes(State(admin): State<Arc<AdminContext>>) -> Response {
    let nodes = describe(&admin.node);
    json_text(StatusCode::OK, nodes.to_string())
}

fn describe(node: &Node) -> Value {
    let view = node.view();
    let entries = node.entries();
    let nodes = view
        .peers
        .iter()
        .map(|(boot, peer)| describe_peer(&view, *boot, peer));
    let lanes = node.lane_status();
    let lanes = lanes.iter().map(|(to, status)| describe_lane(*to, status));
    json!({
        "self": view.own,
        "beat": view.beat,
        "wire": WIRE,
        "secrets": key_list(&view.keys),
        "shared": view.shared,
        "degraded": view.degraded,
        "isolation": node.isolation().name(),
        "degraded_cause": view.degraded_cause.map(DegradedCause::reason),
        // As text: it is 64 random bits, more than a JSON number holds everywhere.
        "generation": view.generation.map(|generation| generation.to_string()),
        "nodes": nodes.collect::<Vec<_>>(),
        "lanes": lanes.collect::<Vec<_>>(),
        "dead": view.dead.len(),
        "directory": {
            "tenants": node.tenants(),
            "bots": entries.bots,
            "connections": entries.connections,
            "compare_ms": node.compare_ms(),
        },
        "redis": describe_store(&node.backplane.state()),
    })
}

fn describe_store(state: &StoreState) -> Value {
    json!({
        "kind": state.kind,
        "connected": state.connected,
        "reconnects": state.reconnects,
        "skipped_records": state.skipped_records,
        "full_waits": state.full_waits,
        "full": state.is_full,
        "last_error": state.last_error,
        "version": state.version,
        "persistent": state.persistent,
        "evicts": state.evicts,
    })
}

fn describe_peer(view: &NodeView, boot: BootId, peer: &PeerNode) -> Value {
    let state = match peer.state {
        PeerState::Live => "live",
        PeerState::Suspect => "suspect",
    };
    let hello = peer.hello.as_ref();
    let gap = view.secret_gap(peer);
    json!({
        "boot": boot,
        "state": state,
        "beat": peer.beat,
        "unchanged_ms": peer.unchanged_ms,
        "name": hello.map(|hello| hello.name.as_str()),
        "address": hello.map(|hello| hello.address.as_str()),
        "version": hello.map(|hello| hello.version.as_str()),
        "wire": hello.map(|hello| hello.wire),
        "speaks": peer.terms.ok().map(|terms| terms.wire),
        "unreachable": peer.terms.err().map(TermsMismatch::reason),
        "secrets": hello.map(|hello| key_list(&hello.keys)),
        "refuses_our_credentials": gap.ours_unknown_there,
        "credentials_refused_here": gap.theirs_unknown_here,
    })
}

fn describe_lane(to: BootId, lane: &LaneStatus) -> Value {
    json!({
        "to": to,
        "generation": lane.generation,
        "unacked": lane.unacked,
        "unacked_bytes": lane.unacked_bytes,
        "waiting_bytes": lane.waiting_bytes,
        "resends": lane.resends,
        "oldest_ms": lane.oldest_ms,
    })
}
