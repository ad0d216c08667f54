//! The service of the admin listener: probes and metrics from the first moment of a start, and the admin API once
//! the node serves.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::response::Response;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Uri};
use hyper::body::Incoming;
use router_core::auth::Source;
use tower_service::Service as _;

use super::admin::context::AdminContext;
use super::ops_context::OpsContext;
use super::peer::PeerSocket;
use super::request_settings::LiveRequestSettings;
use super::{admin, ops};
use crate::gate::OpenGuard;
use crate::listener::ListenerService;
use crate::metrics::Metrics;

/// Picks the router that answers a request to the admin listener.
pub(crate) struct AdminEndpoint {
    context: Arc<OpsContext>,
    ops: Router,
    /// Set once the node serves.
    admin: OnceLock<Router>,
}

impl AdminEndpoint {
    /// The endpoint of a node that starts.
    pub(crate) fn new(settings: LiveRequestSettings, metrics: Arc<Metrics>) -> Self {
        let context = Arc::new(OpsContext::new(settings, metrics));
        Self {
            ops: ops::router(Arc::clone(&context)),
            context,
            admin: OnceLock::new(),
        }
    }

    /// Sets what the start waits for: a text without any credential.
    pub(crate) fn waits_for(&self, what: String) {
        self.context.waits_for(what);
    }

    /// The node serves from now on.
    pub(crate) fn serves(&self, admin: AdminContext) {
        let admin = Arc::new(admin);
        let router = admin::router(Arc::clone(&admin), Arc::clone(&self.context));
        // It starts once. Before probes say that it is ready: whoever sees that may ask.
        let _ = self.admin.set(router);
        self.context.serves(admin);
    }
}

impl ListenerService for AdminEndpoint {
    async fn call(
        &self,
        mut request: Request<Incoming>,
        address: SocketAddr,
        open: OpenGuard,
    ) -> Response {
        let source = Source::of(address.ip());
        request.extensions_mut().insert(PeerSocket {
            address,
            source,
            open,
        });
        // `OPTIONS *` asks what `OPTIONS /` asks.
        if request.uri().path() == "*" {
            *request.uri_mut() = Uri::from_static("/");
        }
        let router = match self.admin.get() {
            Some(admin) if admin::has(request.uri().path()) => admin,
            Some(_) | None => &self.ops,
        };
        let answer = router.clone().call(request).await;
        let mut response = answer.unwrap_or_else(|never| match never {});
        // Each connection takes one request.
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }

    fn is_crowd(&self, _: IpAddr) -> bool {
        false
    }

    fn turned_away(&self, peer: IpAddr, result: &str) {
        if let Some(admin) = self.context.serving() {
            let source = Source::of(peer);
            admin.node.access_log.refused("admin", source, result);
        }
    }

    fn displaced(&self, source: Source) {
        if let Some(admin) = self.context.serving() {
            let log = &admin.node.access_log;
            log.refused("admin", source, "displaced");
        }
    }
}
