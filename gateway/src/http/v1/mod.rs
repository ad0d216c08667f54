//! The HTTP API, for whoever wants to talk with a bot without a socket.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/bots?limit&cursor` | 200, a page of bots |
//! | `GET /v1/bots/{id}` | 200, the bot |
//! | `POST /v1/messages?waitMs&clientId` | 202, what became of it; with `waitMs` 200 and the reply |
//! | `POST /v1/tokens` | 201, a client token |
//! | `GET /v1/openapi.json` | 200, all of this for programs |
//!
//! Order of the checks: `Host` (421), `Origin` (403), path (404), method (405), query and
//! `Idempotency-Key` (400), credential (401), then the body and what the route asks for. Every refusal is a row of the error table as `application/problem+json`;
//! nothing of the request is echoed. Who may do what is decided by the same session and tenant that
//! sockets have. HEAD is GET without its body. A connection is kept only for those who joined a tenant, and counts as one of its sockets.

pub(super) mod bots;
pub(super) mod messages;
pub(crate) mod openapi;
pub(super) mod tokens;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use protocol::{ErrorCode, Refusal};
use router_core::auth::Source;
use serde::Serialize;

use super::context::Door;
use super::extract::{Exchange, JoinedTenant};
use super::layers::pages::Page;
use super::{as_get, problem};
use crate::gate::Open;
use crate::progress::Turns;
use crate::ws::budget::Charge;
use crate::ws::handshake::{host_is_ours, host_of};

/// Bytes of an answer in the kernel that are part of what every socket costs.
const KERNEL_BYTES_FREE: u64 = 4096;

type Answer = Result<Response<Full<Bytes>>, Refusal>;

/// A path of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route<'a> {
    Bots,
    Bot(Cow<'a, str>),
    Messages,
    Tokens,
    OpenApi,
}

impl<'a> Route<'a> {
    fn of(path: &'a str) -> Option<Self> {
        match path.strip_prefix("/v1/")? {
            "bots" => Some(Route::Bots),
            "messages" => Some(Route::Messages),
            "tokens" => Some(Route::Tokens),
            "openapi.json" => Some(Route::OpenApi),
            other => {
                let id = other.strip_prefix("bots/")?;
                let is_one = !id.is_empty() && !id.contains('/');
                is_one.then(|| Route::Bot(percent_decode_str(id).decode_utf8_lossy()))
            }
        }
    }

    /// Its row of [`ROUTES`](crate::metrics::ROUTES).
    fn name(&self) -> &'static str {
        match self {
            Route::Bots => "/v1/bots",
            Route::Bot(_) => "/v1/bots/{id}",
            Route::Messages => "/v1/messages",
            Route::Tokens => "/v1/tokens",
            Route::OpenApi => "/v1/openapi.json",
        }
    }

    fn method(&self) -> Method {
        match self {
            Route::Bots | Route::Bot(_) | Route::OpenApi => Method::GET,
            Route::Messages | Route::Tokens => Method::POST,
        }
    }

    fn allow(&self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Route::Bots | Route::Bot(_) | Route::OpenApi => "GET, HEAD, OPTIONS",
            Route::Messages | Route::Tokens => "POST, OPTIONS",
        })
    }
}

/// Whether the API answers for a path.
pub(super) fn is_ours(path: &str) -> bool {
    path.starts_with("/v1/")
}

/// A path as logs and metrics may name it: no id, nothing that a client made up.
pub(super) fn route_name(path: &str) -> &'static str {
    Route::of(path).map_or("other", |route| route.name())
}

/// Answers one request.
pub(super) async fn serve(
    door: &Door,
    request: Request<Incoming>,
    peer: (Source, Open),
) -> Response<Full<Bytes>> {
    let answering = Arc::new(door.node.answering());
    let joined = OnceLock::new();
    let (source, open) = peer.clone();
    // From now on the connection counts as its request.
    open.keep(None);
    let (head, body) = request.into_parts();
    let path = door.paths.within(head.uri.path());
    let route = path.and_then(Route::of);
    let name = route.as_ref().map_or("other", Route::name);
    let page = match is_for_us(door, &head) {
        Ok(()) => Page::of(&head, &door.allowed_origins),
        Err(refused) => Err(refused),
    };
    let is_foreign = page.is_err();
    let (answer, page) = match page {
        Err(refused) => (Err(refused), Page::None),
        Ok(page) => {
            let exchange = Exchange::new(&door.node, &head, body, peer, &joined);
            let answer = answer(exchange, &head.method, route.as_ref(), &door.openapi);
            (answer.await, page)
        }
    };
    let answer = match (answer, joined.get()) {
        (Ok(response), Some(joined)) => charged(response, joined, turns_of(&head)).await,
        (answer, _) => answer,
    };
    let mut response = answer.unwrap_or_else(problem::response);
    let status = response.status();
    let is_misrouted = status == StatusCode::METHOD_NOT_ALLOWED || route.is_none();
    if is_foreign || is_misrouted {
        let log = &door.node.access_log;
        log.refused("public", source, status.as_str());
    }
    let headers = response.headers_mut();
    if let Some(route) = &route {
        if head.method == Method::OPTIONS && status.is_success() {
            page.allow(headers, route.allow());
            headers.insert(ALLOW, route.allow());
        } else if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, route.allow());
        }
    }
    page.tell(headers);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let no_store = HeaderValue::from_static("no-store");
    headers.entry(CACHE_CONTROL).or_insert(no_store);
    // Who belongs to no tenant is counted by none: it may not hold a connection of the node. Nor may
    // one whose tenant has as many sockets as it may.
    let place = joined.get().and_then(|it| door.node.keep_for(&it.tenant));
    if door.node.is_draining() || place.is_none() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    open.keep(place);
    door.node.metrics.http_request(name, status.as_u16());
    // Dropped when the head is written.
    response.extensions_mut().insert(answering);
    response
}

/// What the connection of a request shares with it; the listener put it there.
pub(super) fn turns_of(head: &Parts) -> Option<&Turns> {
    head.extensions.get::<Arc<Turns>>().map(Arc::as_ref)
}

/// Charges the tenant with an answer until it is written, with a large one until the peer has taken it
/// from the kernel. Errors: it has no room for it.
async fn charged(
    response: Response<Full<Bytes>>,
    joined: &JoinedTenant,
    turns: Option<&Turns>,
) -> Answer {
    let (head, body) = response.into_parts();
    let whole = body.collect().await;
    let body = whole.map_or_else(|never| match never {}, Collected::to_bytes);
    let mut charge = Charge::new(joined.outbound.clone());
    if !charge.set(body.len() as u64) {
        return Err(ErrorCode::QuotaExceeded.into());
    }
    if let Some(turns) = turns
        && charge.bytes() >= KERNEL_BYTES_FREE
    {
        turns.charge_until_taken(charge);
        return Ok(Response::from_parts(head, Full::new(body)));
    }
    let body = Bytes::from_owner(ChargedBody {
        body,
        _charge: charge,
    });
    Ok(Response::from_parts(head, Full::new(body)))
}

/// An answer, and who is charged with it.
struct ChargedBody {
    body: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for ChargedBody {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// Errors: no `Host`, or one that is not ours.
fn is_for_us(door: &Door, head: &Parts) -> Result<(), Refusal> {
    let host = host_of(head).ok_or(ErrorCode::BadRequest)?;
    if host_is_ours(&host, door.hosts.as_deref()) {
        Ok(())
    } else {
        Err(ErrorCode::Misdirected.into())
    }
}

async fn answer(
    exchange: Exchange<'_>,
    method: &Method,
    route: Option<&Route<'_>>,
    document: &Bytes,
) -> Answer {
    let route = route.ok_or(ErrorCode::NotFound)?;
    if *method == Method::OPTIONS {
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    if as_get(method) != route.method() {
        return Err(ErrorCode::MethodNotAllowed.into());
    }
    match route {
        Route::Bots => bots::list(exchange).await,
        Route::Bot(id) => bots::find(exchange, id).await,
        Route::Messages => messages::send(exchange).await,
        Route::Tokens => tokens::issue(exchange).await,
        Route::OpenApi => Ok(json(StatusCode::OK, document.clone())),
    }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn json(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    super::body(status, "application/json", text)
}

fn json_of(status: StatusCode, value: &impl Serialize) -> Answer {
    let mut text = serde_json::to_vec(value).map_err(|_| ErrorCode::Internal)?;
    // Its length is charged: what it grew by beyond that is up to as much again.
    text.shrink_to_fit();
    Ok(json(status, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::ROUTES;

    #[test]
    fn paths_are_routes_or_nothing() {
        for (path, name) in [
            ("/v1/bots", "/v1/bots"),
            ("/v1/bots/bot_a", "/v1/bots/{id}"),
            ("/v1/bots/a%3Ab", "/v1/bots/{id}"),
            ("/v1/messages", "/v1/messages"),
            ("/v1/tokens", "/v1/tokens"),
            ("/v1/openapi.json", "/v1/openapi.json"),
            ("/v1/", "other"),
            ("/v1/bots/", "other"),
            ("/v1/bots/a/b", "other"),
            ("/v2/bots", "other"),
        ] {
            assert_eq!(route_name(path), name, "{path}");
            assert!(ROUTES.contains(&name));
        }
        assert_eq!(Route::of("/v1/bots/a%3Ab"), Some(Route::Bot("a:b".into())));
    }
}
