//! The service of the public listener: the HTTP API, WebSocket upgrades, and 404 for every other path.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use http::header::UPGRADE;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use router_core::auth::Source;

use super::answer::text;
use super::authority::{host_is_ours, host_of};
use super::context::PublicContext;
use super::peer::PeerSocket;
use super::{upgrade, v1};
use crate::gate::OpenGuard;
use crate::listener::{ListenerService, RETRY_AFTER_S};
use crate::ws::handshake::UpgradeRefusal;

/// Picks what answers a request to the public listener.
pub(crate) struct PublicEndpoint {
    context: Arc<PublicContext>,
    v1: Router,
}

impl PublicEndpoint {
    /// Serves the HTTP API and WebSockets of a node.
    pub(crate) fn new(context: PublicContext) -> Self {
        let context = Arc::new(context);
        Self {
            v1: v1::router(Arc::clone(&context)),
            context,
        }
    }

    /// Answers a request of the HTTP API.
    async fn call_v1(&self, request: Request<Incoming>, peer: PeerSocket) -> Response {
        let mut request = request;
        self.context.paths.strip_from(request.uri_mut());
        request.extensions_mut().insert(peer);
        v1::answer(&self.v1, request).await
    }

    /// Answers a request outside the HTTP API. Errors: its refusal.
    fn call_other(
        &self,
        request: Request<Incoming>,
        peer: &PeerSocket,
        path: &str,
    ) -> Result<Response, UpgradeRefusal> {
        let context = &self.context;
        match (path, request.headers().contains_key(UPGRADE)) {
            ("/ws" | "/ws/", _) | ("/", true) => upgrade::accept(context, request, peer),
            // haproxy's health check, if its configuration names no path.
            ("/", false) if request.method() == Method::OPTIONS => {
                Ok(text(StatusCode::NO_CONTENT, ""))
            }
            _ => {
                let host = host_of(request.uri(), request.headers());
                let settings = context.settings();
                let hosts = context.hosts(&settings);
                let is_ours = host.is_some_and(|host| host_is_ours(&host, hosts));
                Err(UpgradeRefusal::new(match is_ours {
                    true => StatusCode::NOT_FOUND,
                    false => StatusCode::MISDIRECTED_REQUEST,
                }))
            }
        }
    }

    /// Logs, counts and answers a refusal.
    fn refuse(&self, refusal: &UpgradeRefusal, source: Source) -> Response {
        let context = &self.context;
        let status = refusal.status.as_str();
        context.node.metrics.handshake(status);
        context.node.access_log.refused("public", source, status);
        let hint = match refusal.status {
            StatusCode::NOT_FOUND | StatusCode::UPGRADE_REQUIRED => {
                format!("connect a WebSocket to {}\n", context.paths.socket())
            }
            _ => String::new(),
        };
        let (parts, ()) = refusal.response().into_parts();
        let mut response = text(refusal.status, hint);
        response.headers_mut().extend(parts.headers);
        response
    }
}

impl ListenerService for PublicEndpoint {
    async fn call(
        &self,
        request: Request<Incoming>,
        address: SocketAddr,
        open: OpenGuard,
    ) -> Response {
        let context = &self.context;
        let source = context
            .settings()
            .sources
            .source_of(address.ip(), request.headers());
        let is_crowded = open.comes_from(source).is_err();
        let peer = PeerSocket {
            address,
            source,
            open,
        };
        let path = context.paths.within(request.uri().path());
        let path = path.unwrap_or_default();
        if !is_crowded && v1::has(path) {
            return self.call_v1(request, peer).await;
        }
        // Only paths of ours are logged: others have been seen to carry credentials.
        let path = match path {
            "/" => "/",
            "/ws" => "/ws",
            "/ws/" => "/ws/",
            _ => "other",
        };
        tracing::debug!(peer = %address, path, "request");
        let answer = match is_crowded {
            true => Err(UpgradeRefusal::retry_after(
                StatusCode::TOO_MANY_REQUESTS,
                RETRY_AFTER_S,
            )),
            false => self.call_other(request, &peer, path),
        };
        answer.unwrap_or_else(|refusal| self.refuse(&refusal, source))
    }

    fn is_crowd(&self, peer: IpAddr) -> bool {
        self.context.settings().sources.trusts(peer)
    }

    fn turned_away(&self, peer: IpAddr, result: &str) {
        let node = &self.context.node;
        node.metrics.handshake(result);
        node.access_log.refused("public", Source::of(peer), result);
    }

    fn displaced(&self, source: Source) {
        let node = &self.context.node;
        node.metrics.displaced.increment(1);
        node.access_log.refused("public", source, "displaced");
    }
}
