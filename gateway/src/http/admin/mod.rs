//! The admin API, for operators.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /admin/v1/status` | version, uptime, counts, store |
//! | `POST /admin/v1/drain`, `…/undrain` | the sockets of this node move to others; it takes sockets again |
//! | `POST /admin/v1/reload?force` | the configuration is read again |
//! | `GET /admin/v1/nodes` | the other nodes, the lanes to them, the shared store |
//! | `GET /admin/v1/keys/using-old` | tenants whose open sockets an old secret verified |
//! | `GET /admin/v1/usage?from&to&step&tenant&meter` | what tenants used |
//! | `GET /admin/v1/tenants?limit&after` | tenants that used something or that operators changed |
//! | `GET`, `PUT`, `DELETE /admin/v1/tenants/{id}` | a tenant: its plan, limits, allowances, labels |
//! | `GET`, `PUT /admin/v1/tenants/{id}/labels` | the labels of a tenant |
//! | `GET /admin/v1/tenants/{id}/why?bot` | where its bots are, and what happened to it on this node lately |
//! | `POST /admin/v1/tenants/{id}/revoke` | every credential so far is void; its sockets close with 4401 |
//! | `POST /admin/v1/tenants/{id}/suspend`, `…/resume` | its sockets close with 4403; it may come back |
//!
//! All need the admin token. If none is configured, they are answered with 404. HEAD is GET without its
//! body. A method that a path does not have is answered like a path that does not exist.
//!
//! To add a route, write a file with its handler and its `routes()`, and merge that in [`router`].

mod asking;
mod body;
pub(crate) mod context;
mod drain;
mod keys;
mod labels;
mod nodes;
mod page_query;
mod policy;
mod refusal;
mod reload;
mod status;
mod tenant;
mod tenant_path;
mod tenants;
mod usage;
mod why;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

use self::context::AdminContext;
use super::answer::not_found;
use super::layers::host::admin_host;
use super::layers::pages::no_pages;
use super::layers::token::admin_token;
use super::ops_context::OpsContext;

/// The router of all requests of which [`has`] is true, once the node serves.
pub(super) fn router(admin: Arc<AdminContext>, ops: Arc<OpsContext>) -> Router {
    Router::new()
        .merge(drain::routes())
        .merge(keys::routes())
        .merge(labels::routes())
        .merge(nodes::routes())
        .merge(policy::routes())
        .merge(reload::routes())
        .merge(status::routes())
        .merge(tenant::routes())
        .merge(tenants::routes())
        .merge(usage::routes())
        .merge(why::routes())
        .fallback(not_found)
        .layer((
            // Outermost first.
            from_fn(no_pages),
            from_fn_with_state(ops, admin_host),
            from_fn_with_state(Arc::clone(&admin), admin_token),
        ))
        .with_state(admin)
}

/// Whether the admin API answers for a path.
pub(super) fn has(path: &str) -> bool {
    path.starts_with("/admin/v1/")
}
