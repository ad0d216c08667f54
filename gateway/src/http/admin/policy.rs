//! Orders about a tenant: `POST /admin/v1/tenants/{id}/revoke`, `…/suspend`, `…/resume`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use axum::{Extension, Router};
use http::StatusCode;
use protocol::TenantId;
use router_core::store::{
    PolicyQuery, PolicyReply, StoreFailure, StoreReply, StoreRequest, TenantPolicy,
};
use serde_json::json;

use super::context::AdminContext;
use super::refusal::PlainRefusal;
use super::tenant_path::TenantPath;
use crate::http::answer::{json, not_found};
use crate::http::peer::PeerSocket;

pub(super) fn routes() -> Router<Arc<AdminContext>> {
    Router::new()
        .route(
            "/admin/v1/tenants/{id}/revoke",
            order("revoke", || PolicyQuery::Revoke),
        )
        .route(
            "/admin/v1/tenants/{id}/suspend",
            order("suspend", || PolicyQuery::Suspend(true)),
        )
        .route(
            "/admin/v1/tenants/{id}/resume",
            order("resume", || PolicyQuery::Suspend(false)),
        )
}

/// The handler of one order, which asks the store for `query`.
fn order(name: &'static str, query: fn() -> PolicyQuery) -> MethodRouter<Arc<AdminContext>> {
    any(not_found).post(
        async move |State(admin): State<Arc<AdminContext>>,
                    TenantPath(tenant): TenantPath,
                    Extension(peer): Extension<PeerSocket>| {
            let order = PolicyOrder {
                name,
                query: query(),
                peer: peer.address,
            };
            answer(&admin, tenant, order).await
        },
    )
}

async fn answer(
    admin: &AdminContext,
    tenant: TenantId,
    order: PolicyOrder,
) -> Result<Response, PlainRefusal> {
    let _turn = admin.orders.lock().await;
    let policy = order.apply(admin, &tenant).await?;
    let (file_generation, file_suspended) = admin.node.settings().policy_of(&tenant);
    let answer = json!({
        "tenant": tenant,
        "generation": policy.generation.max(file_generation),
        "suspended": policy.suspended || file_suspended,
        "persisted": admin.node.backplane.unsaved_policies().is_none(),
    });
    Ok(json(StatusCode::OK, answer.to_string()))
}

/// A change of the policy of a tenant that an operator orders.
pub(super) struct PolicyOrder {
    /// Its name in the log.
    pub name: &'static str,
    pub query: PolicyQuery,
    /// Who asks.
    pub peer: SocketAddr,
}

impl PolicyOrder {
    /// Changes the policy in the store, then for the open connections: in that order no client reconnects under
    /// the old policy. The caller holds [`AdminContext::orders`].
    pub(super) async fn apply(
        self,
        admin: &AdminContext,
        tenant: &TenantId,
    ) -> Result<TenantPolicy, PlainRefusal> {
        let request = StoreRequest {
            tenant: tenant.clone(),
            now_ms: admin.node.unix_ms(),
            query: self.query.into(),
        };
        let reply = admin.node.backplane.execute(request).await;
        let reply = reply.and_then(StoreReply::into_policy);
        let PolicyReply::Changed(policy) = reply.map_err(|failure| {
            let text = match failure {
                StoreFailure::Lost | StoreFailure::Damaged => {
                    "the store did not answer: it may have taken it"
                }
                StoreFailure::Refused(_) => "the store did not take it",
            };
            PlainRefusal(StatusCode::SERVICE_UNAVAILABLE, text.into())
        })?;
        admin.node.set_policy(tenant, policy.clone());
        let unsaved = admin.node.backplane.unsaved_policies();
        log(tenant, &policy, (self.name, self.peer), unsaved.as_deref());
        Ok(policy)
    }
}

/// `unsaved`: why the policy is in memory only.
fn log(
    tenant: &TenantId,
    policy: &TenantPolicy,
    (order, peer): (&str, SocketAddr),
    unsaved: Option<&str>,
) {
    let by = "admin_token";
    let (generation, suspended) = (policy.generation, policy.suspended);
    match unsaved {
        None => {
            tracing::info!(%peer, by, order, %tenant, generation, suspended, "policy changed");
        }
        Some(error) => {
            tracing::warn!(%peer, by, order, %tenant, generation, suspended, error, "policy changed in memory only");
        }
    }
}
