//! The policy of a tenant in Redis. A change is a step of the tenant's directory.

pub(crate) mod codec;
pub(crate) mod keys;
mod scripts;

use protocol::TenantId;
use redis::Value;
use router_core::Millis;
use router_core::store::{DirectoryCaps, PolicyQuery, PolicyReply, PolicyRequest, StoreFeature};

use self::keys::POLICY;
use super::step::{StepAsker, StepCall};
use super::tenants;
use crate::redis::error::CommandFailure;
use crate::redis::shared::RedisShared;
use crate::script::LuaScript;

/// The scripts.
pub(super) fn scripts() -> Vec<&'static LuaScript> {
    scripts::all()
}

/// Answers a request.
pub(super) async fn execute(
    store: &RedisShared,
    tenant: &TenantId,
    now_ms: Millis,
    request: &PolicyRequest,
) -> Result<PolicyReply, CommandFailure> {
    let queue = StoreFeature::Policy.queue();
    let _turn = store.turns.stand(queue, tenant, false).turn().await;
    let session = store.session()?;
    let asker = StepAsker {
        tenant,
        now_ms,
        known_ver: request.known_ver,
        caps: DirectoryCaps::NONE,
    };
    let value = call(&request.query).run(store, &session, &asker).await?;
    if let PolicyQuery::Suspend(true) | PolicyQuery::Assign(Some(_)) = &request.query {
        // The order holds, whether it is in the list or not.
        let _ = tenants::note(store, &session, tenant, None).await;
    }
    reply(value).ok_or_else(|| store.misread(tenant))
}

fn call(query: &PolicyQuery) -> StepCall {
    let (word, assigned) = match query {
        PolicyQuery::Read => ("read", None),
        PolicyQuery::Revoke => ("revoke", None),
        PolicyQuery::Suspend(true) => ("suspend", None),
        PolicyQuery::Suspend(false) => ("resume", None),
        PolicyQuery::Assign(assigned) => ("assign", assigned.as_deref()),
    };
    let args = vec![word.to_owned(), codec::assigned_text(assigned)];
    StepCall::new(&scripts::POLICY, &[POLICY], args)
}

/// The answer. `None`: it is none.
fn reply(value: Value) -> Option<PolicyReply> {
    let (generation, suspended, assigned): (String, String, String) =
        redis::from_redis_value(value).ok()?;
    codec::policy(&generation, &suspended, &assigned).map(PolicyReply::Changed)
}
