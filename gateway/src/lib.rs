//! The gateway: listeners, the node, and the one place where effects become I/O.
//!
//! ```text
//!  Starting ─▶ ports, probes, store, Node ─▶ Gateway::run ─▶ store workers, ticker ─▶ Shutdown::begin ─▶ drain
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | `config/` | from flags, environment and file to values that are ready to use |
//! | `start/`, `gateway.rs`, `shutdown.rs` | from a configuration to a gateway that listens; what is waited for |
//! | `listener.rs`, `gate/`, `tls/`, `machine.rs` | the accept loop and who it lets in; what the machine gives |
//! | `progress/` | how long a peer may take for heads and answers |
//! | `memory.rs` | how the memory is divided |
//! | `socket_options.rs`, `sock_diag.rs` | bounds of the kernel's buffers; what it holds in them |
//! | `http/` | what the public and the admin listener serve |
//! | `ws/` | WebSocket connections: handshake, reader, queue, writer; knows no frames of ours |
//! | `dialect/` | how messages become requests, and meanings become frames |
//! | `node/` | sessions and shards, and `perform`: the one place where effects become I/O |
//! | `history/` | what happened to each tenant on this node lately |
//! | `usage/` | the journal and the rows of usage |
//! | `metrics.rs`, `access_log.rs`, `telemetry.rs`, `json_log.rs` | the one table of metrics; what is logged of each source; where logs go |

mod access_log;
mod collector;
pub mod config;
mod dialect;
mod gate;
mod gateway;
mod history;
mod http;
mod json_log;
mod listener;
pub mod machine;
pub mod memory;
pub mod metrics;
mod node;
mod progress;
mod reload;
mod shutdown;
mod sock_diag;
mod socket_options;
mod start;
pub mod telemetry;
mod tls;
mod trace;
mod usage;
pub mod ws;

pub use backplane::ConnectError;

pub use self::usage::tenant_families;

pub use self::json_log::error_line;

pub use self::gateway::{Gateway, ListenAddresses, RunError};
pub use self::reload::{ReloadEffect, ReloadRequests, effect_of};
pub use self::shutdown::GatewayShutdown;
pub use self::start::{StartError, StartingGateway};

/// The OpenAPI document of the HTTP API, for `docs/openapi.json`.
#[cfg(feature = "generate")]
pub fn openapi() -> String {
    http::openapi::generated()
}
