//! The directory of a tenant in Redis.

mod access;
mod calls;
pub(crate) mod codec;
pub(crate) mod keys;
mod pages;
mod replies;
mod scripts;

use protocol::TenantId;
use router_core::Millis;
use router_core::store::{DirectoryQuery, DirectoryReply, DirectoryRequest, StoreFeature};

use self::access::DirectoryAccess;
use self::calls::PageCursor;
use super::step::StepAsker;
use crate::redis::error::CommandFailure;
use crate::redis::session::RedisSession;
use crate::redis::shared::RedisShared;
use crate::script::LuaScript;

/// The scripts.
pub(super) fn scripts() -> Vec<&'static LuaScript> {
    scripts::all()
}

/// Answers a request. `Load` subscribes before it reads.
pub(super) async fn execute(
    store: &RedisShared,
    tenant: &TenantId,
    now_ms: Millis,
    request: &DirectoryRequest,
) -> Result<DirectoryReply, CommandFailure> {
    let loads = matches!(request.query, DirectoryQuery::Load { .. });
    let queue = StoreFeature::Directory.queue();
    let place = store.turns.stand(queue, tenant, loads);
    if loads {
        // Before it waits: an `unload` that comes meanwhile is later than this.
        store.wanted().tenants.insert(tenant.clone());
    }
    let _turn = place.turn().await;
    let session = store.session()?;
    if loads {
        subscribe(store, &session, tenant).await?;
    }
    let access = DirectoryAccess {
        store,
        session: &session,
        asker: StepAsker {
            tenant,
            now_ms,
            known_ver: request.known_ver,
            caps: request.caps,
        },
        query: &request.query,
    };
    match &request.query {
        DirectoryQuery::Load { .. } => access.load().await,
        DirectoryQuery::Reap { .. } => access.reap().await,
        DirectoryQuery::Version
        | DirectoryQuery::Enter { .. }
        | DirectoryQuery::Claim(_)
        | DirectoryQuery::Assert(_)
        | DirectoryQuery::Release(_)
        | DirectoryQuery::Forget { .. } => {
            let value = access.step(&PageCursor::first()).await?;
            let reply = replies::reply(&request.query, value);
            reply.ok_or_else(|| access.misread())?
        }
    }
}

/// Subscribes a tenant's events, unless the tenant was unloaded while the load waited.
async fn subscribe(
    store: &RedisShared,
    session: &RedisSession,
    tenant: &TenantId,
) -> Result<(), CommandFailure> {
    let events = vec![store.names().events(tenant)];
    let subscribed = session.subscribe(events.clone()).await;
    subscribed.map_err(|()| CommandFailure::UNAVAILABLE)?;
    if !store.wanted().tenants.contains(tenant) {
        session.unsubscribe(events);
    }
    Ok(())
}
