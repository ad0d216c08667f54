//! Orders about a tenant: revoke, suspend, resume, delete.

use gateway::config::ConfigPurpose;
use serde_json::{Value, json};

use crate::admin;
use crate::common_args::TenantArgs;
use crate::failure::CommandFailure;
use crate::out::{self, say};

/// Makes all credentials of a tenant void.
pub async fn revoke(tenant: TenantArgs) -> Result<(), CommandFailure> {
    let json = tenant.output.json;
    let (user, answer) = order(tenant, "revoke").await?;
    if json {
        let (generation, persisted) = (&answer["generation"], is_persisted(&answer));
        out::json(&json!({"user": user, "generation": generation, "persisted": persisted}))?;
        return Ok(());
    }
    let generation = &answer["generation"];
    say!("revoked: all keys and tokens of {user} before generation {generation}")?;
    warn_if_not_persisted(&answer);
    out::tell_next(format_args!("t2b keys issue {user}"));
    Ok(())
}

/// Shuts a tenant out.
pub async fn suspend(tenant: TenantArgs) -> Result<(), CommandFailure> {
    let json = tenant.output.json;
    let (user, answer) = order(tenant, "suspend").await?;
    if json {
        let persisted = is_persisted(&answer);
        out::json(&json!({"user": user, "suspended": true, "persisted": persisted}))?;
        return Ok(());
    }
    say!("suspended: {user}")?;
    warn_if_not_persisted(&answer);
    Ok(())
}

/// Lets a tenant in again.
pub async fn resume(tenant: TenantArgs) -> Result<(), CommandFailure> {
    let json = tenant.output.json;
    let (user, answer) = order(tenant, "resume").await?;
    if answer["suspended"] == true {
        let text = format!("{user} is suspended by the configuration file");
        return Err(CommandFailure::failed("tenant_suspended", text));
    }
    if json {
        let persisted = is_persisted(&answer);
        out::json(&json!({"user": user, "suspended": false, "persisted": persisted}))?;
        return Ok(());
    }
    say!("resumed: {user}")?;
    warn_if_not_persisted(&answer);
    Ok(())
}

/// Revokes all credentials of a tenant and takes back what was assigned to it.
pub async fn delete(tenant: TenantArgs) -> Result<(), CommandFailure> {
    let config = tenant.config.load(ConfigPurpose::Admin)?;
    let user = tenant.user;
    admin::delete(&config, &format!("tenants/{user}")).await?;
    if tenant.output.json {
        return out::json(&json!({"user": user, "deleted": true}));
    }
    say!("deleted: {user}. Its usage stays in the ledger")
}

/// Whether the order outlives the gateway's process. An older gateway says nothing: it took the order
/// only if it had written it.
fn is_persisted(answer: &Value) -> bool {
    answer["persisted"] != false
}

pub(super) fn warn_if_not_persisted(answer: &Value) {
    if !is_persisted(answer) {
        out::tell_warning(
            "this lasts only until the gateway restarts, as the gateway cannot write its state \
             directory; see its log",
        );
    }
}

async fn order(tenant: TenantArgs, what: &str) -> Result<(String, Value), CommandFailure> {
    let config = tenant.config.load(ConfigPurpose::Admin)?;
    let path = format!("tenants/{}/{what}", tenant.user);
    let answer = admin::post(&config, &path).await?;
    Ok((tenant.user.to_string(), answer))
}
