//! `GET /admin/v1/tenants/{id}/why`: why a bot of the tenant is offline, as far as this node knows.
//!
//! ```json
//! {"tenant": "alice", "known": true, "loaded": true, "node": {"boot": "01J…", "others": [{"boot": "01J…", …}]},
//!  "policy": {"generation": 0, "suspended": false},
//!  "bots": [{"bot": "bot_main", "state": "offline", "since": "2026-11-28T09:12:05.250Z", "node": null, "here": false,
//!            "connection": null, "last_here": {"connection": "conn_…", "client": "…", …}}], "bots_left_out": 0,
//!  "limits": [{"limit": "sockets_per_tenant", "used": 3, "most": 100, "reached": false}, …],
//!  "events": [{"at": "…", "first": "…", "count": 1, "what": "disconnected", "reason": "replaced", …}],
//!  "counts": {"connected": 1, "refused": {"rate_limited": 12}}}
//! ```
//!
//! `bot`: only this bot, and the events that may have to do with it.
//!
//! | file | holds |
//! | --- | --- |
//! | `bots.rs` | where each bot is, and its last connection of this node |
//! | `events.rs` | the events, and how often each reason came |

mod bots;
mod events;

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::any;
use http::StatusCode;
use protocol::{BotId, TenantId};
use router_core::membership::PeerState;
use router_core::shard::LimitUse;
use serde_json::{Value, json};

use self::bots::BotsAnswer;
use self::events::{counts, events};
use super::context::AdminContext;
use super::refusal::PlainRefusal;
use super::tenant_path::TenantPath;
use crate::http::answer::{json as json_text, not_found};
use crate::node::{Node, TenantView};

pub(super) fn routes() -> Router<Arc<AdminContext>> {
    Router::new().route("/admin/v1/tenants/{id}/why", any(not_found).get(why))
}

async fn why(
    State(admin): State<Arc<AdminContext>>,
    TenantPath(tenant): TenantPath,
    RawQuery(query): RawQuery,
) -> Result<Response, PlainRefusal> {
    let bot = bot_of(query.as_deref().unwrap_or_default())?;
    let answer = answer(&admin.node, &tenant, bot.as_ref()).await;
    Ok(json_text(StatusCode::OK, answer.to_string()))
}

/// The bot that a query names. Errors: the member that is wrong.
fn bot_of(query: &str) -> Result<Option<BotId>, PlainRefusal> {
    let mut bot = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let parsed = BotId::parse(&value);
        bot = match (&*name, parsed) {
            ("bot", Ok(id)) => Some(id),
            ("bot", Err(_)) => return Err(PlainRefusal::bad_request("bot: not a valid bot id")),
            _ => return Err(PlainRefusal::bad_request("only bot may be given")),
        };
    }
    Ok(bot)
}

async fn answer(node: &Node, tenant: &TenantId, bot: Option<&BotId>) -> Value {
    // Without an answer of the store, what this node remembers still is one.
    let view = node.tenant_view(tenant).await.ok();
    let listed = view.as_ref().map(|view| view.bots.as_slice());
    let remembered = node.history.read(tenant, |history| {
        let bots = BotsAnswer::of(node, bot, listed, history.bots());
        (bots, events(history, bot), counts(history.counts()))
    });
    let is_remembered = remembered.is_some();
    let (bots, events, counts) = remembered.unwrap_or_else(|| {
        let bots = BotsAnswer::of(node, bot, listed, std::iter::empty());
        (bots, json!([]), json!({}))
    });
    let is_known = view.as_ref().map(|view| view.is_known || is_remembered);
    json!({
        "tenant": tenant,
        "known": is_known.unwrap_or(is_remembered),
        "loaded": view.as_ref().is_some_and(|view| view.is_loaded),
        "directory_read": view.is_some(),
        "node": describe_node(node),
        "policy": view.as_ref().map(describe_policy),
        "bots": bots.page,
        "bots_left_out": bots.left_out,
        "limits": view.iter().flat_map(|view| &view.limits).map(describe_limit).collect::<Vec<_>>(),
        "events": events,
        "counts": counts,
    })
}

/// This node, and the others that may be asked too.
fn describe_node(node: &Node) -> Value {
    let view = node.view();
    let others = view.peers.iter().map(|(boot, peer)| {
        let hello = peer.hello.as_ref();
        let state = match peer.state {
            PeerState::Live => "live",
            PeerState::Suspect => "suspect",
        };
        json!({
            "boot": boot,
            "name": hello.map(|hello| hello.name.as_str()),
            "address": hello.map(|hello| hello.address.as_str()),
            "state": state,
        })
    });
    let others: Vec<Value> = others.collect();
    json!({ "boot": view.own, "others": others })
}

fn describe_policy(view: &TenantView) -> Value {
    json!({ "generation": view.generation, "suspended": view.is_suspended })
}

fn describe_limit(limit: &LimitUse) -> Value {
    json!({
        "limit": limit.name,
        "used": limit.used,
        "most": limit.most,
        "reached": limit.is_reached,
    })
}
