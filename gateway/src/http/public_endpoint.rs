//! The public door's dispatch: a path is a WebSocket's, the API's or nobody's.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::header::UPGRADE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use super::context::{Door, head_of};
use super::{text, v1};
use router_core::auth::Source;

use crate::gate::Open;
use crate::listener::{RETRY_AFTER_S, Service};
use crate::ws::handshake::{Refusal, host_is_ours, host_of};

impl Service for Door {
    async fn call(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        open: Open,
    ) -> Response<Full<Bytes>> {
        let path = self.paths.within(request.uri().path()).unwrap_or_default();
        // Only paths of ours are logged: others have been seen to carry credentials.
        tracing::debug!(%peer, path = if matches!(path, "/" | "/ws" | "/ws/") { path } else { v1::route_name(path) }, "request");
        let source = self.sources.source_of(peer.ip(), request.headers());
        let crowded = open.comes_from(source).is_err();
        if !crowded && v1::is_ours(path) {
            return v1::serve(self, request, (source, open)).await;
        }
        let answer = match (path, request.headers().contains_key(UPGRADE)) {
            _ if crowded => Err(Refusal::retry_after(
                StatusCode::TOO_MANY_REQUESTS,
                RETRY_AFTER_S,
            )),
            ("/ws" | "/ws/", _) | ("/", true) => self.upgrade(request, (source, open)),
            // A check of a balancer whose configuration names no path.
            ("/", false) if request.method() == Method::OPTIONS => {
                return text(StatusCode::NO_CONTENT, "");
            }
            _ if !self.is_ours(&request) => Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST)),
            _ => Err(Refusal::new(StatusCode::NOT_FOUND)),
        };
        match answer {
            Ok(response) => response,
            Err(refusal) => {
                let status = refusal.status.as_str();
                self.node.metrics.handshake(status);
                self.node.access_log.refused("public", source, status);
                let hint = match refusal.status {
                    StatusCode::NOT_FOUND | StatusCode::UPGRADE_REQUIRED => {
                        format!("connect a WebSocket to {}\n", self.paths.socket())
                    }
                    _ => String::new(),
                };
                let (parts, ()) = refusal.response().into_parts();
                let mut response = text(refusal.status, hint);
                response.headers_mut().extend(parts.headers);
                response
            }
        }
    }

    fn is_crowd(&self, peer: IpAddr) -> bool {
        self.sources.trusts(peer)
    }

    fn turned_away(&self, peer: IpAddr, result: &str) {
        self.node.metrics.handshake(result);
        let source = Source::of(peer);
        self.node.access_log.refused("public", source, result);
    }

    fn displaced(&self, source: Source) {
        self.node.metrics.displaced.increment(1);
        self.node.access_log.refused("public", source, "displaced");
    }
}

impl Door {
    fn is_ours(&self, request: &Request<Incoming>) -> bool {
        let parts = head_of(request);
        host_of(&parts).is_some_and(|host| host_is_ours(&host, self.hosts.as_deref()))
    }
}
