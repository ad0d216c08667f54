//! The gate of a listener: how many sockets may be open, and how many of them without a credential.
//!
//! | too many | then |
//! | --- | --- |
//! | unauthenticated sockets of one source | 429 with `Retry-After` |
//! | unauthenticated sockets of the listener | the oldest one of the source with the most is closed, the new one gets its place |
//! | sockets of the listener | the same, while one is unauthenticated; else 503 with `Retry-After` |
//!
//! A socket is unauthenticated from accept until its `auth_ok`, or until a request on it has
//! authenticated. From then on nothing here closes it. A trusted proxy has no limit of its own: when the
//! head of a request is read, its socket counts for the address that the proxy names.

mod limits;
mod sockets;
#[cfg(test)]
mod tests;
mod unauthenticated;

pub(crate) use limits::GateLimits;
pub(crate) use sockets::{EnteredSocket, Gate, OpenGuard};
