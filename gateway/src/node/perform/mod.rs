//! Where effects become I/O, and where they are counted.
//!
//! | file | does |
//! | --- | --- |
//! | `input.rs` | hands sessions and shards their inputs; does the rest when no lock is held |
//! | `session.rs` | what a session wants, under its own lock |
//! | `tenant.rs` | what the tenants of a shard want, inside the shard's critical section |
//! | `push.rs` | encodes what a connection is told, and pushes it |
//! | `close.rs`, `facts.rs` | closes sockets; counts what is reported |
//!
//! [`dispatch`](router_core::dispatch) calls the performers in order. Nothing here waits: a push goes into
//! a bounded queue or is refused. What must happen after the locks are released (writing sockets, telling
//! sessions) is gathered in [`DeferredWork`](super::work::Work).

mod close;
mod facts;
mod input;
mod push;
mod session;
mod tenant;
