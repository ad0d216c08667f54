//! The API for programs: `docs/openapi.json`, with the base path of the gateway. `http/openapi.rs` writes that file.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::handler::ApiRoutes;
use crate::http::answer;
use crate::http::context::PublicContext;

/// The checked-in document; `cargo xtask tidy` keeps it current.
const GENERATED: &str = include_str!("../../../../docs/openapi.json");

pub(super) fn routes() -> ApiRoutes {
    OpenApiRouter::new().routes(routes!(document_of_this_gateway))
}

/// Answers with the document, which does not describe itself.
#[utoipa::path(get, path = "/v1/openapi.json")]
async fn document_of_this_gateway(State(context): State<Arc<PublicContext>>) -> Response {
    answer::json(StatusCode::OK, context.openapi.clone())
}

/// The document of a gateway with this base path, ending with a line break.
pub(crate) fn document(base_path: &str) -> String {
    if base_path.is_empty() {
        return GENERATED.to_owned();
    }
    let mut document: Value = serde_json::from_str(GENERATED).expect("a checked-in document");
    // The second one is a gateway as it starts by itself, without a base path.
    document["servers"][0]["url"] = json!(base_path);
    format!("{document:#}\n")
}
