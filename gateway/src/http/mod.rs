//! The doors: what is asked over HTTP, before and besides WebSockets.
//!
//! | file | listener | serves |
//! | --- | --- | --- |
//! | `public_endpoint.rs` | public | dispatches to the next two |
//! | `upgrade.rs` | public | `GET /ws` and an upgrade on `/` |
//! | `v1/` | public | `/v1/…`: bots, messages, tokens |
//! | `ops.rs` | admin | `/healthz`, `/readyz`, `/metrics`, also while the node starts; then dispatches to the next |
//! | `admin/` | admin | `/admin/v1/…` |

pub(crate) mod admin;
pub(crate) mod context;
mod extract;
mod layers;
#[cfg(feature = "generate")]
pub(crate) mod openapi;
pub(crate) mod ops;
mod problem;
mod public_endpoint;
mod upgrade;
pub(crate) mod v1;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

/// The method that decides about an answer: HEAD is GET, and hyper leaves out the body.
fn as_get(method: &Method) -> &Method {
    match *method {
        Method::HEAD => &Method::GET,
        _ => method,
    }
}

/// A short text for a person or a probe.
fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    body(status, "text/plain; charset=utf-8", text)
}

/// A JSON value for a program.
fn json(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    body(status, "application/json", value.to_string())
}

fn body(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
