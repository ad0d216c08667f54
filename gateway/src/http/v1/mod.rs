//! The HTTP API: talking with bots without a WebSocket.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/bots?limit&cursor` | 200, a page of bots |
//! | `GET /v1/bots/{id}` | 200, the bot |
//! | `POST /v1/messages?waitMs&clientId` | 202, what became of it; with `waitMs` 200 and the reply |
//! | `POST /v1/tokens` | 201, a client token |
//! | `GET /v1/usage?from&to&step` | 200, a page of what the account used |
//! | `GET /v1/openapi.json` | 200, all of this for programs |
//!
//! Order of the checks: `Host` (421), `Origin` (403), path (404), method (405), query and
//! `Idempotency-Key` (400), credential (401), then ids, cursors, the query of `/v1/usage`, the body and the rules of the route. What is refused
//! behind the credential counts in the meter `http_requests`. Every refusal is a row of the error table as
//! `application/problem+json` and echoes nothing of the request. Sessions and tenants decide about permissions, as they do for sockets. HEAD is GET
//! without its body. A connection is kept alive only after a request that joined a tenant, and counts as one of the tenant's sockets.
//!
//! To add a route, write a file with its handler, its `#[utoipa::path]` and its `routes()`, and merge that in [`routes`]. Path, method,
//! `Allow`, the OpenAPI document and the label of its metrics come from the attribute.

mod bots;
mod handler;
mod messages;
mod methods;
pub(crate) mod openapi;
mod tokens;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::extract::MatchedPath;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use http::header::{CACHE_CONTROL, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request};
use hyper::body::Incoming;
use protocol::ErrorCode;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_service::Service;
use utoipa_axum::router::OpenApiRouter;

use self::handler::ApiRoutes;
use self::methods::{AllowedMethods, without_stray_allow};
use super::context::PublicContext;
use super::layers::account::account;
use super::layers::charge::charge_answer;
use super::layers::host::api_host;
use super::layers::pages::api_pages;
use super::problem::ProblemResponse;

/// Every route of the API.
fn routes() -> ApiRoutes {
    OpenApiRouter::new()
        .merge(bots::routes())
        .merge(messages::routes())
        .merge(openapi::routes())
        .merge(tokens::routes())
        .merge(usage::routes())
}

/// The router of all requests of which [`has`] is true.
pub(super) fn router(context: Arc<PublicContext>) -> Router {
    let (router, document) = routes().split_for_parts();
    let methods = AllowedMethods::of(&document);
    let nosniff = HeaderValue::from_static("nosniff");
    let no_store = HeaderValue::from_static("no-store");
    router
        .fallback(|| async { ProblemResponse::from(ErrorCode::NotFound) })
        .method_not_allowed_fallback(move |method: Method, path: MatchedPath| {
            methods.answer(&method, &path)
        })
        .layer((
            // Outermost first.
            from_fn_with_state(Arc::clone(&context), account),
            SetResponseHeaderLayer::overriding(X_CONTENT_TYPE_OPTIONS, nosniff),
            SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, no_store),
            SetResponseHeaderLayer::overriding(VARY, HeaderValue::from_static("Origin")),
            from_fn_with_state(Arc::clone(&context), api_host),
            from_fn_with_state(Arc::clone(&context), api_pages),
            from_fn(charge_answer),
        ))
        .with_state(context)
}

/// Answers a request with the [`router`].
pub(super) async fn answer(router: &Router, request: Request<Incoming>) -> Response {
    let answer = router.clone().call(request).await;
    without_stray_allow(answer.unwrap_or_else(|never| match never {}))
}

/// Whether the API answers for a path.
pub(super) fn has(path: &str) -> bool {
    path.starts_with("/v1/")
}

/// The path of each route as the metrics name it.
pub(crate) fn paths() -> Vec<String> {
    let document = routes().into_openapi();
    document.paths.paths.into_keys().collect()
}

/// The routes as OpenAPI describes them.
#[cfg(feature = "generate")]
pub(super) fn document() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn paths_are_routes_or_nothing() {
        let label = async |path: MatchedPath| path.as_str().to_owned();
        let mut router = Router::<()>::new().fallback(async || "other");
        for path in paths() {
            router = router.route(&path, get(label));
        }
        for (path, name) in [
            ("/v1/bots", "/v1/bots"),
            ("/v1/bots/bot_a", "/v1/bots/{id}"),
            ("/v1/bots/a%3Ab", "/v1/bots/{id}"),
            ("/v1/messages", "/v1/messages"),
            ("/v1/tokens", "/v1/tokens"),
            ("/v1/usage", "/v1/usage"),
            ("/v1/openapi.json", "/v1/openapi.json"),
            ("/v1/", "other"),
            ("/v1/bots/", "other"),
            ("/v1/bots/a/b", "other"),
            ("/v2/bots", "other"),
        ] {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            let response = router.call(request).await.unwrap();
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            assert_eq!(body, name, "{path}");
        }
    }

    #[test]
    fn every_route_is_described_and_every_schema_is_there() {
        let document: Value = serde_json::from_str(&openapi::document("")).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let paths = document["paths"].as_object().unwrap();
        let mut routes = routes().into_openapi().paths.paths;
        for (path, operations) in paths {
            let route = routes.remove(path);
            let route = route.unwrap_or_else(|| panic!("{path} is no route"));
            let methods: Vec<&String> = operations.as_object().unwrap().keys().collect();
            assert_eq!(methods.len(), 1, "{path}");
            let method = methods[0].as_str();
            assert_eq!(route.get.is_some(), method == "get", "{path}");
            assert_eq!(route.post.is_some(), method == "post", "{path}");
            let operation = &operations[method];
            let has_body = operation["requestBody"]["required"] == true;
            assert_eq!(has_body, method == "post", "{path}");
        }
        let undescribed: Vec<String> = routes.into_keys().collect();
        assert_eq!(undescribed, ["/v1/openapi.json"]);
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for named in text.split("#/components/schemas/").skip(1) {
            let name = named.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
    }
}
