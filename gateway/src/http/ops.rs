//! The admin listener from the first moment of a start: probes and metrics, and the admin API once
//! the node serves.
//!
//! | path | while the node starts | then |
//! | --- | --- | --- |
//! | `/healthz` | 200 | 200 |
//! | `/readyz` | 503 with what it waits for | 200, or 503 `degraded`, `draining` |
//! | `/metrics` | zeros, and what the process takes | the metrics of the node |
//! | `/admin/v1/…` | 503 | see `admin.rs` |
//!
//! Probes are answered to GET, HEAD and OPTIONS, whatever the `Host`: balancers ask by HTTP/1.0
//! without one. `OPTIONS /`, which haproxy sends if its configuration names nothing, is `/readyz`. Any other path needs a `Host` of ours (421). An `Origin` gets 403 everywhere: no web
//! page may talk to this port.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use http::header::{CONNECTION, ORIGIN};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use protocol::BootId;
use router_core::Nodes;
use router_core::auth::Source;

use super::admin::Admin;
use super::context::head_of;
use super::{as_get, body, text};
use crate::config::HostPattern;
use crate::gate::Open;
use crate::listener::Service;
use crate::metrics::Metrics;
use crate::node::Node;
use crate::ws::handshake::{host_is_ours, host_of};

/// What the admin listener serves.
pub(crate) struct AdminDoor {
    hosts: Vec<HostPattern>,
    metrics: Arc<Metrics>,
    /// What the start waits for.
    waits_for: Mutex<String>,
    /// Set once the node serves.
    admin: OnceLock<Admin>,
}

/// A probe's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Health,
    Ready,
    Metrics,
}

impl Probe {
    fn of(method: &Method, path: &str) -> Option<Self> {
        // OPTIONS is what haproxy sends if its configuration names no method.
        if as_get(method) != Method::GET && method != Method::OPTIONS {
            return None;
        }
        match path {
            "/healthz" => Some(Probe::Health),
            "/readyz" => Some(Probe::Ready),
            "/metrics" => Some(Probe::Metrics),
            "/" | "*" if method == Method::OPTIONS => Some(Probe::Ready),
            _ => None,
        }
    }
}

impl AdminDoor {
    /// A door of a node that starts. `hosts`: names by which it may be called.
    pub(crate) fn new(hosts: Vec<HostPattern>, metrics: Arc<Metrics>) -> Self {
        Self {
            hosts,
            metrics,
            waits_for: Mutex::new("waiting for the store".to_owned()),
            admin: OnceLock::new(),
        }
    }

    /// Says what the start waits for, without any credential.
    pub(crate) fn waits_for(&self, what: String) {
        let waits_for = self.waits_for.lock();
        *waits_for.unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// The node serves from now on.
    pub(crate) fn serves(&self, admin: Admin) {
        // It starts once.
        let _ = self.admin.set(admin);
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        open: &Open,
    ) -> Response<Full<Bytes>> {
        if request.headers().contains_key(ORIGIN) {
            return text(StatusCode::FORBIDDEN, "");
        }
        let path = request.uri().path();
        if let Some(probe) = Probe::of(request.method(), path) {
            return self.probe(probe);
        }
        if !self.is_called(&request) {
            return text(StatusCode::MISDIRECTED_REQUEST, "");
        }
        match (path.strip_prefix("/admin/v1/"), self.admin.get()) {
            (None, _) => text(StatusCode::NOT_FOUND, "not found\n"),
            (Some(_), None) => self.starting(),
            (Some(path), Some(admin)) => admin.answer(&request, path, (peer, open)).await,
        }
    }

    fn probe(&self, probe: Probe) -> Response<Full<Bytes>> {
        let admin = self.admin.get();
        match probe {
            // Nothing else is asked: a store that is away must not kill all nodes.
            Probe::Health => text(StatusCode::OK, "ok\n"),
            Probe::Ready => match admin {
                None => self.starting(),
                Some(admin) => readyz(&admin.node, admin.ready_when_degraded),
            },
            Probe::Metrics => {
                let metrics = match admin {
                    None => self.metrics.render(&Nodes::starting(BootId::from_bits(0))),
                    Some(admin) => admin.node.render_metrics(),
                };
                let kind = "text/plain; version=0.0.4; charset=utf-8";
                body(StatusCode::OK, kind, metrics)
            }
        }
    }

    fn starting(&self) -> Response<Full<Bytes>> {
        let waits_for = self.waits_for.lock();
        let waits_for = waits_for.unwrap_or_else(PoisonError::into_inner);
        text(StatusCode::SERVICE_UNAVAILABLE, format!("{waits_for}\n"))
    }

    fn is_called(&self, request: &Request<Incoming>) -> bool {
        let host = host_of(&head_of(request));
        host.is_some_and(|host| host_is_ours(&host, Some(&self.hosts)))
    }
}

/// Whether it may take traffic.
fn readyz(node: &Node, ready_when_degraded: bool) -> Response<Full<Bytes>> {
    match (node.is_draining(), node.is_ready(ready_when_degraded)) {
        (false, true) => text(StatusCode::OK, "ready\n"),
        (false, false) => text(StatusCode::SERVICE_UNAVAILABLE, "degraded\n"),
        (true, _) => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

impl Service for AdminDoor {
    async fn call(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        open: Open,
    ) -> Response<Full<Bytes>> {
        let mut response = self.answer(request, peer, &open).await;
        // One question a connection.
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }

    fn is_crowd(&self, _: IpAddr) -> bool {
        false
    }

    fn turned_away(&self, peer: IpAddr, result: &str) {
        if let Some(admin) = self.admin.get() {
            let source = Source::of(peer);
            admin.node.access_log.refused("admin", source, result);
        }
    }

    fn displaced(&self, source: Source) {
        if let Some(admin) = self.admin.get() {
            let log = &admin.node.access_log;
            log.refused("admin", source, "displaced");
        }
    }
}
