//! State that all requests to the public listener share, and the base path of its routes.

use std::sync::Arc;

use bytes::Bytes;
use http::Uri;
use http::uri::PathAndQuery;

use super::request_settings::{LiveRequestSettings, RequestSettings};
use crate::config::HostPattern;
use crate::node::Node;

/// The settings of the public listener, and the node that it serves.
pub(crate) struct PublicContext {
    pub(crate) node: Arc<Node>,
    pub(crate) settings: LiveRequestSettings,
    /// False: any `Host` is answered, as behind a balancer on a public address.
    pub(crate) checks_host: bool,
    pub(crate) paths: BasePath,
    /// The OpenAPI document of this gateway.
    pub(crate) openapi: Bytes,
}

impl PublicContext {
    /// What holds now. It is not to be held while something is waited for.
    pub(super) fn settings(&self) -> arc_swap::Guard<Arc<RequestSettings>> {
        self.settings.load()
    }

    /// The names that a `Host` may have; absent: any.
    pub(super) fn hosts<'a>(&self, settings: &'a RequestSettings) -> Option<&'a [HostPattern]> {
        self.checks_host.then_some(&settings.hosts)
    }
}

/// The path below which the public listener has its routes.
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

    /// Takes the base path off a target whose path is within it, so that routes need not know it.
    pub(super) fn strip_from(&self, target: &mut Uri) {
        if self.0.is_empty() {
            return;
        }
        let path = target.path_and_query().map(PathAndQuery::as_str);
        let stripped = path.and_then(|path| path.strip_prefix(self.0.as_str()));
        let Some(stripped) = stripped.and_then(|path| path.parse().ok()) else {
            return;
        };
        let mut parts = std::mem::take(target).into_parts();
        parts.path_and_query = Some(stripped);
        *target = Uri::from_parts(parts).expect("only the path of a valid target has changed");
    }
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

    #[test]
    fn a_base_path_is_taken_off_and_the_rest_stays() {
        let base = BasePath::new("/a/b".to_owned());
        for (target, stripped) in [
            ("/a/b/v1/bots?limit=1", "/v1/bots?limit=1"),
            ("http://host:1/a/b/v1/bots", "http://host:1/v1/bots"),
            ("/a/b/v1/a%3Ab?", "/v1/a%3Ab?"),
        ] {
            let mut target: Uri = target.parse().unwrap();
            base.strip_from(&mut target);
            assert_eq!(target.to_string(), stripped);
        }
    }
}
