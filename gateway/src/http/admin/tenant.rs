//! A tenant: `GET`, `PUT` and `DELETE /admin/v1/tenants/{id}`.
//!
//! PUT assigns a plan and limits, in place of those before:
//!
//! ```json
//! {"plan": "pro", "limits": {"bots_per_tenant": 50}, "suspended": false, "labels": {"region": "eu-1"}}
//! ```
//!
//! Without `suspended` or `labels`, these stay as they are. Both requests answer with all that holds for the
//! tenant, see [`TenantInfo`].
//!
//! DELETE revokes all credentials, closes the connections, and takes back what was ordered. The usage stays in the
//! ledger, so that it can be billed. The bots and client ids are forgotten a day later, as those of everybody.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use http::StatusCode;
use protocol::http::{AllowanceInfo, AssignedInfo, TenantInfo, TenantOrder};
use protocol::{PlanName, TenantId, TenantLabels, UsageCounts, UsageHour};
use router_core::Settings;
use router_core::store::{
    AssignedTerms, LabelsQuery, LabelsReply, PolicyQuery, PolicyReply, StoreReply, UsageQuery,
    UsageReply,
};

use super::asking::StoreAccess;
use super::body::{decode, read_body};
use super::context::AdminContext;
use super::policy::PolicyOrder;
use super::refusal::PlainRefusal;
use super::tenant_path::TenantPath;
use crate::http::answer::{json, not_found};
use crate::http::peer::PeerSocket;

/// The largest body: all limits and all labels, with every character escaped.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// What a body must be.
const SHAPE: &str = "the body must be {\"plan\":NAME,\"limits\":{NAME:NUMBER,…},\"suspended\":true|false,\"labels\":{NAME:TEXT,…}}, \
     each member optional";

pub(super) fn routes() -> Router<Arc<AdminContext>> {
    Router::new().route(
        "/admin/v1/tenants/{id}",
        any(not_found).get(show).put(replace).delete(delete),
    )
}

async fn show(
    State(admin): State<Arc<AdminContext>>,
    TenantPath(tenant): TenantPath,
) -> Result<Response, PlainRefusal> {
    answer(&admin, tenant).await
}

async fn replace(
    State(admin): State<Arc<AdminContext>>,
    TenantPath(tenant): TenantPath,
    Extension(peer): Extension<PeerSocket>,
    body: Body,
) -> Result<Response, PlainRefusal> {
    let body = read_body(&admin, body, BODY_BYTES_MAX).await?;
    let order: TenantOrder = decode(&body, &["labels", "limits", "not a valid plan name"], SHAPE)?;
    let assigned = AssignedTerms {
        plan: order.plan,
        limits: order.limits,
    };
    let turn = admin.orders.lock().await;
    check(&admin, &tenant, &assigned).await?;
    let assign = PolicyQuery::Assign(assigned.non_empty());
    apply(&admin, &tenant, ("assign", assign), peer.address).await?;
    match order.suspended {
        Some(true) => {
            let suspend = ("suspend", PolicyQuery::Suspend(true));
            apply(&admin, &tenant, suspend, peer.address).await?;
        }
        Some(false) => {
            let resume = ("resume", PolicyQuery::Suspend(false));
            apply(&admin, &tenant, resume, peer.address).await?;
        }
        None => {}
    }
    if let Some(labels) = order.labels {
        let put = LabelsQuery::Put(labels);
        let reply = StoreAccess::Writes.ask(&admin, &tenant, put, StoreReply::into_labels);
        reply.await?;
        tracing::info!(%tenant, "labels replaced");
    }
    drop(turn);
    answer(&admin, tenant).await
}

async fn delete(
    State(admin): State<Arc<AdminContext>>,
    TenantPath(tenant): TenantPath,
    Extension(peer): Extension<PeerSocket>,
) -> Result<Response, PlainRefusal> {
    let _turn = admin.orders.lock().await;
    // First nobody can come back.
    for (name, query) in [
        ("revoke", PolicyQuery::Revoke),
        ("assign", PolicyQuery::Assign(None)),
        ("resume", PolicyQuery::Suspend(false)),
    ] {
        apply(&admin, &tenant, (name, query), peer.address).await?;
    }
    let none = LabelsQuery::Put(TenantLabels::default());
    let access = StoreAccess::Writes;
    let reply = access.ask(&admin, &tenant, none, StoreReply::into_labels);
    reply.await?;
    let now_ms = admin.node.unix_ms();
    let forgotten = admin.node.backplane.forget_tenant(&tenant, now_ms).await;
    forgotten.map_err(|failure| access.failed(failure))?;
    tracing::info!(%tenant, "tenant deleted");
    let answer = serde_json::json!({ "tenant": tenant, "deleted": true });
    Ok(json(StatusCode::OK, answer.to_string()))
}

async fn apply(
    admin: &AdminContext,
    tenant: &TenantId,
    (name, query): (&'static str, PolicyQuery),
    peer: SocketAddr,
) -> Result<(), PlainRefusal> {
    let order = PolicyOrder { name, query, peer };
    order.apply(admin, tenant).await.map(drop)
}

/// Whether this node can carry out what is assigned. Errors: the plan is not in its configuration, and is not the
/// one that is assigned already; a frame that no queue, or no lane to another node, could hold.
async fn check(
    admin: &AdminContext,
    tenant: &TenantId,
    assigned: &AssignedTerms,
) -> Result<(), PlainRefusal> {
    let settings = admin.node.whole_settings();
    if let Some(plan) = &assigned.plan
        && !settings.plans.contains_key(plan)
        && assigned_plan(admin, tenant).await?.as_ref() != Some(plan)
    {
        return Err(PlainRefusal::bad_request(no_plan(plan, &settings)));
    }
    let limits = settings.terms_of(tenant, Some(assigned)).limits;
    if limits.frame_bytes > limits.outbound_bytes {
        let text = "limits.frame_bytes: a frame of that size would not fit into outbound_bytes";
        return Err(PlainRefusal::bad_request(text));
    }
    let largest = settings.largest_frame();
    if limits.frame_bytes > largest {
        let text = format!(
            "limits.frame_bytes: must be at most {largest}, the largest of the configuration"
        );
        return Err(PlainRefusal::bad_request(text));
    }
    Ok(())
}

/// The plan that is assigned to a tenant. It may have left the configuration since.
async fn assigned_plan(
    admin: &AdminContext,
    tenant: &TenantId,
) -> Result<Option<PlanName>, PlainRefusal> {
    let access = StoreAccess::Reads;
    let policy = access.ask(admin, tenant, PolicyQuery::Read, StoreReply::into_policy);
    let PolicyReply::Changed(policy) = policy.await?;
    Ok(policy.assigned.and_then(|terms| terms.plan.clone()))
}

/// That a plan is not in the configuration.
fn no_plan(plan: &PlanName, settings: &Settings) -> String {
    let known: Vec<&str> = settings.plans.keys().map(PlanName::as_str).collect();
    match known.is_empty() {
        true => format!("plan: there is no plan {plan}: the configuration has no plans"),
        false => format!(
            "plan: there is no plan {plan}, there are: {}",
            known.join(", ")
        ),
    }
}

async fn answer(admin: &AdminContext, tenant: TenantId) -> Result<Response, PlainRefusal> {
    let info = serde_json::to_string(&info(admin, tenant).await?);
    Ok(json(
        StatusCode::OK,
        info.expect("texts and numbers serialise"),
    ))
}

/// All that holds for a tenant.
async fn info(admin: &AdminContext, tenant: TenantId) -> Result<TenantInfo, PlainRefusal> {
    let (reads, node) = (StoreAccess::Reads, &admin.node);
    let policy = reads.ask(admin, &tenant, PolicyQuery::Read, StoreReply::into_policy);
    let PolicyReply::Changed(policy) = policy.await?;
    let labels = reads.ask(admin, &tenant, LabelsQuery::Get, StoreReply::into_labels);
    let LabelsReply::Labels(labels) = labels.await?;
    let assigned = policy.assigned.as_deref();
    let settings = node.whole_settings();
    let terms = settings.terms_of(&tenant, assigned);
    let month = UsageHour::of(node.unix_ms()).month();
    let booked = match terms.allowances.is_empty() {
        true => UsageCounts::default(),
        false => booked(admin, &tenant, month).await?,
    };
    let allowances = terms
        .allowances
        .iter()
        .map(|(meter, allowance)| AllowanceInfo {
            meter,
            soft: allowance.soft.map(|soft| meter.whole(soft)),
            hard: allowance.hard.map(|hard| meter.whole(hard)),
            used: meter.whole(booked[meter]),
        });
    let (file_generation, file_suspended) = settings.policy_of(&tenant);
    Ok(TenantInfo {
        plan: settings.plan_of(&tenant, assigned).cloned(),
        assigned: assigned.map_or_else(AssignedInfo::default, |assigned| AssignedInfo {
            plan: assigned.plan.clone(),
            limits: assigned.limits.clone(),
        }),
        limits: (*terms.limits).clone(),
        allowances: allowances.collect(),
        resets_at: month.next_month().start_ms(),
        suspended: policy.suspended || file_suspended,
        generation: policy.generation.max(file_generation),
        labels,
        persisted: node.backplane.unsaved_policies().is_none(),
        tenant,
    })
}

/// What is booked of a month.
async fn booked(
    admin: &AdminContext,
    tenant: &TenantId,
    month: UsageHour,
) -> Result<UsageCounts, PlainRefusal> {
    let read = UsageQuery::Read {
        from: month,
        to: month.next_month(),
    };
    let reply = StoreAccess::Reads.ask(admin, tenant, read, StoreReply::into_usage);
    let mut booked = UsageCounts::default();
    if let UsageReply::Hours { hours, .. } = reply.await? {
        for (_, usage) in hours {
            booked.add(&usage.counts);
        }
    }
    Ok(booked)
}
