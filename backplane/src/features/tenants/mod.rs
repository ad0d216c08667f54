//! The list of tenants in Redis.

mod keys;
mod scripts;

use std::collections::BTreeMap;

use protocol::{TenantId, UsageHour};
use redis::Value;
use router_core::Millis;
use router_core::store::tenants::{ListedTenant, TenantPart};

use crate::redis::error::CommandFailure;
use crate::redis::session::RedisSession;
use crate::redis::shared::RedisShared;
use crate::script::{LuaScript, ScriptCall};

/// The scripts.
pub(super) fn scripts() -> Vec<&'static LuaScript> {
    scripts::all()
}

/// Writes a tenant into the list that used something on a day, or that an operator changes.
pub(super) async fn note(
    store: &RedisShared,
    session: &RedisSession,
    tenant: &TenantId,
    day: Option<UsageHour>,
) -> Result<(), CommandFailure> {
    let day = day.map(UsageHour::day_text).unwrap_or_default();
    let call = call(store, &scripts::NOTE, tenant, &day);
    session.run(&call).await.map(drop)
}

/// Takes a tenant out of the list, unless the ledger has usage of it.
pub(crate) async fn forget(
    store: &RedisShared,
    tenant: &TenantId,
    now_ms: Millis,
) -> Result<(), CommandFailure> {
    let session = store.session()?;
    let kept = UsageHour::of(now_ms).minus(store.usage_keep_hours());
    let call = call(store, &scripts::FORGET, tenant, &kept.day_text());
    session.run(&call).await.map(drop)
}

fn call(
    store: &RedisShared,
    script: &'static LuaScript,
    tenant: &TenantId,
    day: &str,
) -> ScriptCall {
    ScriptCall {
        script,
        keys: vec![keys::part(store.names(), TenantPart::of(tenant))],
        args: [tenant.as_str(), day]
            .map(|text| text.as_bytes().to_vec())
            .into(),
    }
}

/// The tenants of a part, in order. Fields that are no tenants are passed over.
pub(crate) async fn list(
    store: &RedisShared,
    part: TenantPart,
) -> Result<Vec<ListedTenant>, CommandFailure> {
    let session = store.session()?;
    let key = keys::part(store.names(), part);
    let call = ScriptCall {
        script: &scripts::LIST,
        keys: vec![key.clone()],
        args: Vec::new(),
    };
    let value = session.run(&call).await?;
    listed(value).ok_or_else(|| store.misread_key(&key))
}

fn listed(value: Value) -> Option<Vec<ListedTenant>> {
    let fields: BTreeMap<String, String> = redis::from_redis_value(value).ok()?;
    let listed = fields.into_iter().filter_map(|(tenant, day)| {
        Some(ListedTenant {
            tenant: TenantId::parse(&tenant).ok()?,
            last_used: UsageHour::parse(&format!("{day}00")),
        })
    });
    Some(listed.collect())
}
