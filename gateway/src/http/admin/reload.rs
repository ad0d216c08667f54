//! `POST /admin/v1/reload`: the configuration is read again, and what can be applied holds at once.
//!
//! ```json
//! {"changed": ["limits", "tenants.alice"], "needs_restart": ["listen"], "unchanged": false}
//! ```
//!
//! | status | means |
//! | --- | --- |
//! | 400 | the query has anything but `force=true` or `force=false` |
//! | 409 | the new secrets would cut somebody off; with `force=true` they apply |
//! | 422 | the configuration is wrong: the text of `t2b gateway config` |

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use http::StatusCode;

use super::context::AdminContext;
use super::refusal::PlainRefusal;
use crate::http::answer::{json, not_found};
use crate::http::peer::PeerSocket;
use crate::reload::{ReloadRefusal, ReloadTrigger};

pub(super) fn routes() -> Router<Arc<AdminContext>> {
    Router::new().route("/admin/v1/reload", any(not_found).post(reload))
}

async fn reload(
    State(admin): State<Arc<AdminContext>>,
    Extension(peer): Extension<PeerSocket>,
    RawQuery(query): RawQuery,
) -> Result<Response, PlainRefusal> {
    let trigger = ReloadTrigger::Order {
        peer: peer.address,
        force: is_forced(query.as_deref().unwrap_or_default())?,
    };
    match admin.reloader.reload(trigger).await {
        Ok(report) => Ok(json(StatusCode::OK, report.to_json().to_string())),
        Err(refusal) => {
            let status = match refusal {
                ReloadRefusal::Wrong(_) | ReloadRefusal::Certificates(_) | ReloadRefusal::Slow => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
                ReloadRefusal::CutsOff(_) => StatusCode::CONFLICT,
            };
            Err(PlainRefusal(status, refusal.to_string().into()))
        }
    }
}

fn is_forced(query: &str) -> Result<bool, PlainRefusal> {
    let mut is_forced = false;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*name, value.parse()) {
            ("force", Ok(force)) => is_forced = force,
            ("force", Err(_)) => return Err(PlainRefusal::bad_request("force: not true or false")),
            _ => return Err(PlainRefusal::bad_request("only force may be given")),
        }
    }
    Ok(is_forced)
}
