//! The admin API: what operators ask and order.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /admin/v1/status` | version, uptime, counts, store |
//! | `GET /admin/v1/nodes` | the other nodes, the lanes to them, the shared store |
//! | `GET /admin/v1/keys/using-old` | tenants whose open sockets an old secret verified |
//! | `POST /admin/v1/tenants/{id}/revoke` | every credential so far is void; its sockets close with 4401 |
//! | `POST /admin/v1/tenants/{id}/suspend`, `…/resume` | its sockets close with 4403; it may come back |
//!
//! All need the admin token; without one configured they do not exist (404). HEAD is GET without its
//! body. What every request of the listener needs is in `probes.rs`.

mod keys;
mod nodes;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use protocol::{Secret, TenantId};
use router_core::auth::{Attempt, Source, Tally, Throttle};
use router_core::store::{PolicyQuery, PolicyReply, StoreFailure, StoreReply, StoreRequest};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::{as_get, json, text};
use crate::gate::Open;
use crate::node::Node;

/// The admin API of a node that serves.
pub(crate) struct Admin {
    pub(crate) node: Arc<Node>,
    pub(crate) token: Option<Secret<String>>,
    pub(crate) ready_when_degraded: bool,
    /// One order at a time, so that store and node see them in the same sequence.
    pub(crate) orders: tokio::sync::Mutex<()>,
    /// Wrong tokens.
    pub(crate) throttle: Mutex<Throttle>,
}

impl Admin {
    /// Answers a request. `path`: what follows `/admin/v1/`.
    pub(in crate::http) async fn answer(
        &self,
        request: &Request<Incoming>,
        path: &str,
        (peer, open): (SocketAddr, &Open),
    ) -> Response<Full<Bytes>> {
        let (method, headers) = (as_get(request.method()), request.headers());
        let Some(token) = &self.token else {
            return text(StatusCode::NOT_FOUND, "not found\n");
        };
        if !is_bearer_of(headers, token) {
            return self.refuse(peer.ip(), headers.contains_key(AUTHORIZATION));
        }
        open.authenticated();
        let parts: Vec<&str> = path.split('/').collect();
        match (method, parts.as_slice()) {
            (&Method::GET, ["status"]) => json(StatusCode::OK, &self.status()),
            (&Method::GET, ["nodes"]) => json(StatusCode::OK, &nodes::describe(&self.node)),
            (&Method::POST, ["tenants", tenant, "revoke"]) => {
                self.order(tenant, ("revoke", PolicyQuery::Revoke), peer)
                    .await
            }
            (&Method::GET, ["keys", "using-old"]) => {
                keys::using_old(&self.node, request.uri().query())
            }
            (&Method::POST, ["tenants", tenant, "suspend"]) => {
                self.order(tenant, ("suspend", PolicyQuery::Suspend(true)), peer)
                    .await
            }
            (&Method::POST, ["tenants", tenant, "resume"]) => {
                self.order(tenant, ("resume", PolicyQuery::Suspend(false)), peer)
                    .await
            }
            _ => text(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    /// 401; 429 once too many wrong tokens came from there. A good token always passes.
    fn refuse(&self, peer: IpAddr, is_wrong: bool) -> Response<Full<Bytes>> {
        let mut refused = text(
            StatusCode::UNAUTHORIZED,
            "the admin token is missing or wrong\n",
        );
        let bearer = HeaderValue::from_static("Bearer");
        refused.headers_mut().insert(WWW_AUTHENTICATE, bearer);
        if !is_wrong {
            return refused;
        }
        let source = Source::of(peer);
        let attempt = Attempt {
            source,
            claimed: None,
        };
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = throttle.fail(attempt, self.node.now_ms());
        drop(throttle);
        let Tally::Throttled {
            retry_after_ms,
            failures,
        } = tally
        else {
            self.node.access_log.admin_token(source, 1);
            return refused;
        };
        self.node.access_log.admin_token(source, failures);
        let mut refused = text(
            StatusCode::TOO_MANY_REQUESTS,
            "too many wrong admin tokens from there\n",
        );
        let seconds = HeaderValue::from(retry_after_ms.div_ceil(1000));
        refused.headers_mut().insert(RETRY_AFTER, seconds);
        refused
    }

    fn status(&self) -> serde_json::Value {
        let node = &self.node;
        let store = match node.view().shared {
            true => json!({ "kind": "redis" }),
            false => {
                let (bytes, bytes_max) = node.backplane.bytes();
                json!({ "kind": "memory", "bytes": bytes, "bytes_max": bytes_max })
            }
        };
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_ms": node.uptime_ms(),
            "connections": node.connections(),
            "tenants": node.tenants(),
            "draining": node.is_draining(),
            "store": store,
        })
    }

    /// The store first, so that nobody can come back under the old policy; then who is connected.
    async fn order(
        &self,
        tenant: &str,
        (order, query): (&str, PolicyQuery),
        peer: SocketAddr,
    ) -> Response<Full<Bytes>> {
        let Ok(tenant) = TenantId::parse(tenant) else {
            return text(StatusCode::BAD_REQUEST, "not a valid tenant id\n");
        };
        let request = StoreRequest {
            tenant: tenant.clone(),
            now_ms: self.node.unix_ms(),
            query: query.into(),
        };
        let _turn = self.orders.lock().await;
        let reply = self.node.backplane.execute(request).await;
        let policy = match reply.and_then(StoreReply::into_policy) {
            Ok(PolicyReply::Changed(policy)) => policy,
            Err(failure) => {
                let said = match failure {
                    StoreFailure::Lost => "the store did not answer: it may have taken it\n",
                    StoreFailure::Refused(_) => "the store did not take it\n",
                };
                return text(StatusCode::SERVICE_UNAVAILABLE, said);
            }
        };
        self.node.set_policy(&tenant, policy);
        let unsaved = self.node.backplane.unsaved_policies();
        let by = "admin_token";
        let (generation, suspended) = (policy.generation, policy.suspended);
        match &unsaved {
            None => {
                tracing::info!(%peer, by, order, %tenant, generation, suspended, "policy changed");
            }
            Some(error) => {
                tracing::warn!(%peer, by, order, %tenant, generation, suspended, error, "policy changed in memory only");
            }
        }
        let (file_generation, file_suspended) = self.node.settings.policy_of(&tenant);
        let answer = json!({
            "tenant": tenant,
            "generation": policy.generation.max(file_generation),
            "suspended": policy.suspended || file_suspended,
            "persisted": unsaved.is_none(),
        });
        json(StatusCode::OK, &answer)
    }
}

fn is_bearer_of(headers: &HeaderMap, token: &Secret<String>) -> bool {
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    bool::from(given.as_bytes().ct_eq(token.reveal().as_bytes()))
}
