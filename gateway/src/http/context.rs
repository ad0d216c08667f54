//! What the public door knows, and what every request that comes through it has.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use http::request::Parts;
use hyper::body::Incoming;
use router_core::auth::Credential;

use crate::config::{HostPattern, OriginPattern};
use crate::node::{Node, Sources};

/// Where the paths of the public listener begin.
#[derive(Debug, Clone, Default)]
pub(crate) struct BasePath(String);

impl BasePath {
    /// `base`: empty, or a path as the configuration checks it: `/t2b`.
    pub(crate) fn new(base: String) -> Self {
        Self(base)
    }

    /// The path within it, from its slash; `None`: it is outside.
    pub(super) fn within<'a>(&self, path: &'a str) -> Option<&'a str> {
        match path.strip_prefix(self.0.as_str())? {
            "" => Some("/"),
            path => path.starts_with('/').then_some(path),
        }
    }

    /// The path of WebSockets.
    pub(super) fn socket(&self) -> String {
        format!("{}/ws", self.0)
    }
}

/// What the public listener accepts.
pub(crate) struct Door {
    pub(crate) node: Arc<Node>,
    pub(crate) sources: Sources,
    pub(crate) allowed_origins: Vec<OriginPattern>,
    /// Absent: any, as behind a balancer on a public address.
    pub(crate) hosts: Option<Vec<HostPattern>>,
    pub(crate) query_keys: bool,
    pub(crate) control_per_second: u32,
    pub(crate) paths: BasePath,
    /// The OpenAPI document of this gateway.
    pub(crate) openapi: Bytes,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_ends_at_a_slash() {
        let base = BasePath::new("/a/b".to_owned());
        for (path, within) in [
            ("/a/b", Some("/")),
            ("/a/b/", Some("/")),
            ("/a/b/ws", Some("/ws")),
            ("/a/bws", None),
            ("/a", None),
            ("/ws", None),
            ("/a/b//ws", Some("//ws")),
        ] {
            assert_eq!(base.within(path), within, "{path}");
        }
        assert_eq!(BasePath::default().within("/ws"), Some("/ws"));
        assert_eq!(BasePath::default().within("*"), None);
    }
}
