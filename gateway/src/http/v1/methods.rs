//! Which methods each path of the API has: `Allow`, OPTIONS, and the refusal of all others.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::MatchedPath;
use axum::response::{IntoResponse, Response};
use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};
use protocol::ErrorCode;
use utoipa::openapi::{OpenApi, PathItem};

use crate::http::problem::ProblemResponse;

/// Takes `Allow` off an answer that is not about methods.
///
/// axum adds it to every answer for a method that a path does not have, also if a layer refuses the request.
pub(super) fn without_stray_allow(mut response: Response) -> Response {
    let status = response.status();
    if status != StatusCode::METHOD_NOT_ALLOWED && status != StatusCode::NO_CONTENT {
        response.headers_mut().remove(ALLOW);
    }
    response
}

/// The value of `Allow` for each path.
#[derive(Debug, Clone)]
pub(super) struct AllowedMethods(Arc<BTreeMap<String, HeaderValue>>);

impl AllowedMethods {
    /// Those of the document's operations, HEAD with each GET, and OPTIONS.
    pub(super) fn of(document: &OpenApi) -> Self {
        let paths = document.paths.paths.iter();
        let paths = paths.map(|(path, item)| (path.clone(), allow(item)));
        Self(Arc::new(paths.collect()))
    }

    /// Answers a method for which a path has no handler: OPTIONS with 204, any other with 405.
    pub(super) fn answer(
        &self,
        method: &Method,
        path: &MatchedPath,
    ) -> impl Future<Output = Response> + Send + use<> {
        let mut response = match *method {
            Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
            _ => ProblemResponse::from(ErrorCode::MethodNotAllowed).into_response(),
        };
        if let Some(allow) = self.0.get(path.as_str()) {
            response.headers_mut().insert(ALLOW, allow.clone());
        }
        std::future::ready(response)
    }
}

fn allow(item: &PathItem) -> HeaderValue {
    let methods = [
        (&item.get, "GET, HEAD"),
        (&item.post, "POST"),
        (&item.put, "PUT"),
        (&item.patch, "PATCH"),
        (&item.delete, "DELETE"),
    ];
    let methods = methods
        .into_iter()
        .filter_map(|(operation, name)| operation.is_some().then_some(name));
    let methods: Vec<&str> = methods.chain(["OPTIONS"]).collect();
    HeaderValue::try_from(methods.join(", ")).expect("methods are tokens")
}
