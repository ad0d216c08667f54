//! The admin door: what operators ask and order.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /admin/v1/status` | version, uptime, counts, store |
//! | `GET /admin/v1/nodes` | the other nodes, the lanes to them, the shared store |
//! | `GET /admin/v1/keys/using-old` | tenants whose open sockets an old secret verified |
//! | `POST /admin/v1/tenants/{id}/revoke` | every credential so far is void; its sockets close with 4401 |
//! | `POST /admin/v1/tenants/{id}/suspend`, `…/resume` | its sockets close with 4403; it may come back |
//!
//! All need the admin token; without one configured they do not exist (404). A `Host` that is not
//! ours is answered 421 and any `Origin` 403: no web page may talk to this port.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use protocol::{Secret, TenantId};
use router_core::store::{Ask, Reply, Request as StoreRequest};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::{json, nodes, ops, secrets, text};
use crate::listener::{Open, Service};
use crate::node::Node;
use crate::ws::handshake::host_is_ours;

/// What the admin listener serves.
pub(crate) struct Admin {
    pub(crate) node: Arc<Node>,
    pub(crate) token: Option<Secret<String>>,
    pub(crate) hosts: Vec<String>,
    pub(crate) ready_when_degraded: bool,
    /// One order at a time, so that store and node see them in the same sequence.
    pub(crate) orders: tokio::sync::Mutex<()>,
}

impl Service for Admin {
    async fn call(
        &self,
        request: Request<Incoming>,
        _: SocketAddr,
        _: Open,
    ) -> Response<Full<Bytes>> {
        let mut response = self.answer(request).await;
        // One question a connection.
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }

    fn is_crowd(&self, _: IpAddr) -> bool {
        false
    }

    fn turned_away(&self, _: &str) {}
}

impl Admin {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if let Err(status) = self.check_browser(request.headers()) {
            return text(status, "");
        }
        let (method, path) = (request.method(), request.uri().path());
        match (method, path) {
            (&Method::GET, "/healthz") => ops::healthz(),
            (&Method::GET, "/readyz") => ops::readyz(&self.node, self.ready_when_degraded),
            (&Method::GET, "/metrics") => ops::metrics(&self.node),
            (method, path) => match path.strip_prefix("/admin/v1/") {
                Some(path) => {
                    let query = request.uri().query();
                    self.admin(method, path, query, request.headers()).await
                }
                None => text(StatusCode::NOT_FOUND, "not found\n"),
            },
        }
    }

    fn check_browser(&self, headers: &HeaderMap) -> Result<(), StatusCode> {
        let host = headers
            .get(HOST)
            .and_then(|host| host.to_str().ok()?.parse().ok());
        if !host.is_some_and(|host| host_is_ours(&host, Some(&self.hosts))) {
            return Err(StatusCode::MISDIRECTED_REQUEST);
        }
        if headers.contains_key(ORIGIN) {
            Err(StatusCode::FORBIDDEN)
        } else {
            Ok(())
        }
    }

    async fn admin(
        &self,
        method: &Method,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Response<Full<Bytes>> {
        let Some(token) = &self.token else {
            return text(StatusCode::NOT_FOUND, "not found\n");
        };
        if !is_bearer_of(headers, token) {
            let mut refused = text(
                StatusCode::UNAUTHORIZED,
                "the admin token is missing or wrong\n",
            );
            refused
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return refused;
        }
        let parts: Vec<&str> = path.split('/').collect();
        match (method, parts.as_slice()) {
            (&Method::GET, ["status"]) => json(StatusCode::OK, &self.status()),
            (&Method::GET, ["nodes"]) => json(StatusCode::OK, &nodes::describe(&self.node)),
            (&Method::GET, ["keys", "using-old"]) => secrets::using_old(&self.node, query),
            (&Method::POST, ["tenants", tenant, "revoke"]) => self.order(tenant, Ask::Revoke).await,
            (&Method::POST, ["tenants", tenant, "suspend"]) => {
                self.order(tenant, Ask::Suspend(true)).await
            }
            (&Method::POST, ["tenants", tenant, "resume"]) => {
                self.order(tenant, Ask::Suspend(false)).await
            }
            _ => text(StatusCode::NOT_FOUND, "not found\n"),
        }
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
    async fn order(&self, tenant: &str, ask: Ask) -> Response<Full<Bytes>> {
        let Ok(tenant) = TenantId::parse(tenant) else {
            return text(StatusCode::BAD_REQUEST, "not a valid tenant id\n");
        };
        let request = StoreRequest {
            tenant: tenant.clone(),
            ask,
            known_ver: 0,
            now_ms: self.node.now_ms(),
        };
        let _turn = self.orders.lock().await;
        let reply = self.node.backplane.execute(request).await;
        let Reply::Policy(policy) = reply else {
            let said = match reply == Reply::Lost {
                true => "the store did not answer: it may have taken it\n",
                false => "the store did not take it\n",
            };
            return text(StatusCode::SERVICE_UNAVAILABLE, said);
        };
        self.node.set_policy(&tenant, policy);
        tracing::info!(%tenant, generation = policy.generation, suspended = policy.suspended, "policy changed");
        let (file_generation, file_suspended) = self.node.settings.policy_of(&tenant);
        let answer = json!({
            "tenant": tenant,
            "generation": policy.generation.max(file_generation),
            "suspended": policy.suspended || file_suspended,
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
