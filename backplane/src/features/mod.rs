//! What each feature of the store is in Redis: its keys, its stored texts, its scripts.
//!
//! | file | has |
//! | --- | --- |
//! | `keys.rs` | the names of the feature's keys, and how long they live |
//! | `codec.rs` | what is stored, as text or bytes |
//! | `scripts.rs`, `*.lua` | the scripts |
//! | `mod.rs` | a request as calls, and the replies as the answer |
//!
//! A feature that takes a step of the tenant's directory begins its scripts with `step.lua` and calls
//! them through [`step`]. All others call their scripts directly ([`ScriptCall`](crate::script::ScriptCall)).

pub(crate) mod directory;
mod labels;
pub(crate) mod nodes;
mod policy;
mod step;
pub(crate) mod tenants;
mod text;
pub(crate) mod usage;

use router_core::store::{StoreQuery, StoreReply, StoreRequest};

use crate::redis::error::CommandFailure;
use crate::redis::shared::RedisShared;
use crate::script::LuaScript;

/// Answers a request. One tenant's requests of one queue
/// ([`StoreQueue`](router_core::store::StoreQueue)) are executed in the order of the calls (of their
/// first polls): each feature takes its turn before it waits for anything else.
pub(crate) async fn execute(
    store: &RedisShared,
    request: &StoreRequest,
) -> Result<StoreReply, CommandFailure> {
    let (tenant, now_ms) = (&request.tenant, request.now_ms);
    match &request.query {
        StoreQuery::Directory(request) => {
            let reply = directory::execute(store, tenant, now_ms, request).await;
            reply.map(StoreReply::Directory)
        }
        StoreQuery::Policy(request) => {
            let reply = policy::execute(store, tenant, now_ms, request).await;
            reply.map(StoreReply::Policy)
        }
        StoreQuery::Labels(query) => {
            let reply = labels::execute(store, tenant, query).await;
            reply.map(StoreReply::Labels)
        }
        StoreQuery::Usage(query) => {
            let reply = usage::execute(store, tenant, now_ms, query).await;
            reply.map(StoreReply::Usage)
        }
    }
}

/// Every script of every feature, to be loaded into a server.
pub(crate) fn scripts() -> Vec<&'static LuaScript> {
    let features = [
        directory::scripts(),
        policy::scripts(),
        labels::scripts(),
        nodes::scripts(),
        tenants::scripts(),
        usage::scripts(),
    ];
    features.into_iter().flatten().collect()
}
