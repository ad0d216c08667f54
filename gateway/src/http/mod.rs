//! HTTP: what is asked before and besides WebSockets.
//!
//! ```text
//!  public listener ─▶ PublicEndpoint ─┬─ /v1/…         ─▶ v1: layers ─▶ one handler a route
//!                                     └─ /ws, /        ─▶ upgrade
//!  admin listener  ─▶ AdminEndpoint  ─┬─ /admin/v1/…   ─▶ admin: layers ─▶ one handler a route
//!                                     └─ /healthz, …   ─▶ ops, also while the node starts
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `public_endpoint.rs`, `admin_endpoint.rs` | what each listener serves: they pick one of the parts below |
//! | `v1/` | the HTTP API: a file a group of routes; its layers are one list in `mod.rs` |
//! | `admin/` | the admin API: a file a group of routes; its layers are one list in `mod.rs` |
//! | `ops.rs` | probes and metrics |
//! | `upgrade.rs` | from a request to a WebSocket connection; no router is involved |
//! | `layers/` | what every request passes before its handler, and every answer after it |
//! | `extract.rs`, `body.rs` | query members, path members, credential and body as handlers take them |
//! | `problem.rs`, `answer.rs` | refusals as `application/problem+json`; answers in text and JSON |
//! | `headers.rs`, `authority.rs`, `origin.rs` | headers that may be given once; the rules of `Host` and `Origin` |
//! | `context.rs`, `ops_context.rs`, `call_context.rs`, `peer.rs` | what the routes of a listener, the layers of a request and a connection share |
//! | `request_settings.rs` | what a reload may change of how requests are answered |
//! | `openapi.rs` | the OpenAPI document, made of the routes; only `cargo xtask generate` needs it |
//!
//! The routers are axum's. Of tower-http two layers are used; `docs/adr/0013-http-on-axum.md` says why not more.

pub(crate) mod admin;
pub(crate) mod admin_endpoint;
mod answer;
pub(crate) mod authority;
mod body;
mod call_context;
pub(crate) mod context;
mod extract;
pub(crate) mod headers;
mod layers;
#[cfg(feature = "generate")]
pub(crate) mod openapi;
mod ops;
mod ops_context;
pub(crate) mod origin;
mod peer;
mod problem;
pub(crate) mod public_endpoint;
pub(crate) mod request_settings;
mod upgrade;
pub(crate) mod v1;

pub(crate) use answer::typed;
pub(crate) use extract::QueryMembers;
