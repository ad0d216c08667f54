//! The labels of a tenant in Redis.

mod codec;
mod keys;
mod scripts;

use protocol::TenantId;
use redis::Value;
use router_core::store::{LabelsQuery, LabelsReply, StoreFeature};

use self::keys::LABELS;
use super::tenants;
use crate::redis::error::CommandFailure;
use crate::redis::shared::RedisShared;
use crate::script::{LuaScript, ScriptCall};

/// The scripts.
pub(super) fn scripts() -> Vec<&'static LuaScript> {
    scripts::all()
}

/// Answers a request.
pub(super) async fn execute(
    store: &RedisShared,
    tenant: &TenantId,
    query: &LabelsQuery,
) -> Result<LabelsReply, CommandFailure> {
    let queue = StoreFeature::Labels.queue();
    let _turn = store.turns.stand(queue, tenant, false).turn().await;
    let session = store.session()?;
    let (script, args) = match query {
        LabelsQuery::Get => (&scripts::GET, Vec::new()),
        LabelsQuery::Put(labels) if labels.is_empty() => (&scripts::REMOVE, Vec::new()),
        LabelsQuery::Put(labels) => (&scripts::PUT, vec![codec::encode(labels)]),
    };
    let call = ScriptCall {
        script,
        keys: vec![store.names().tenant_key(tenant, LABELS)],
        args,
    };
    let value = session.run(&call).await?;
    if matches!(query, LabelsQuery::Put(labels) if !labels.is_empty()) {
        // The labels are there, whether the tenant is in the list or not.
        let _ = tenants::note(store, &session, tenant, None).await;
    }
    reply(value).ok_or_else(|| store.misread(tenant))
}

/// The answer. `None`: it is none.
fn reply(value: Value) -> Option<LabelsReply> {
    let bytes: Vec<u8> = redis::from_redis_value(value).ok()?;
    codec::decode(&bytes).map(LabelsReply::Labels)
}
