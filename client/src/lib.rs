//! An async client of the gateway, for client programs and for bots.
//!
//! It keeps one connection. It dials again with full jitter when the connection is lost, moves when the
//! gateway sends `migrate`, registers its bots again, and finds the answer to each request by `id`. It
//! stores no messages and shares nothing between connections.
//!
//! ```text
//!  Client ──LinkCommand──▶ link task ══WebSocket══▶ gateway
//!    ▲  which link is up? ◀── supervisor (opens, re-registers, retires links)
//!  EventStream ◀──ClientEvent── link task
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `options.rs`, `error.rs`, `certificate.rs`, `events.rs` | what goes in, what goes wrong, what comes |
//! | `requests.rs` | the handle: every request, and its retries |
//! | `supervisor.rs`, `backoff.rs`, `held_bots.rs` | when to connect, move, give up; the bots to register again |
//! | `dial.rs`, `proxy.rs` | one connection until `auth_ok`, and by which way |
//! | `outlet.rs`, `link.rs`, `unreadable.rs` | one connection from then on: what is sent, what is read, what cannot be read |

mod backoff;
mod certificate;
mod dial;
mod error;
mod events;
mod held_bots;
mod link;
mod moved;
mod options;
mod outlet;
mod proxy;
mod requests;
mod supervisor;
mod unreadable;

pub use certificate::CertificateError;
pub use error::ClientError;
pub use events::{ClientEvent, EventStream, members_of};
pub use options::ConnectOptions;
pub use proxy::ProxyRules;
pub use requests::Client;
pub use unreadable::UnreadableMessage;
