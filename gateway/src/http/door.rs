//! What the public door knows, and what every request that comes through it has.

use std::sync::Arc;

use http::Request;
use http::header::AUTHORIZATION;
use http::request::Parts;
use hyper::body::Incoming;
use router_core::auth::Credential;

use crate::config::{HostPattern, OriginPattern};
use crate::node::{Node, Sources};

/// What the public listener accepts.
pub(crate) struct Door {
    pub(crate) node: Arc<Node>,
    pub(crate) sources: Sources,
    pub(crate) allowed_origins: Vec<OriginPattern>,
    /// Absent: any, as behind a balancer on a public address.
    pub(crate) hosts: Option<Vec<HostPattern>>,
    pub(crate) query_keys: bool,
    pub(crate) control_per_second: u32,
}

/// The credential of `Authorization: Bearer`.
pub(super) fn bearer(parts: &Parts) -> Option<Credential> {
    let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| Credential::from_bearer(credential.trim()))
}

/// The head of a request, without its body and its upgrade.
pub(super) fn head_of(request: &Request<Incoming>) -> Parts {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.version_mut() = request.version();
    *head.headers_mut() = request.headers().clone();
    head.into_parts().0
}
