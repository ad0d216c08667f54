//! What nodes ask of the store about each other, and the reference meaning of the answers.
//!
//! Two kinds of record: `nodes`, one beat per living node beside a `generation` that is as old as
//! the data; and `node:<boot_id>`, what a node says of itself. The store does not judge which of the
//! others is dead: [`membership`](crate::membership) does.
//!
//! Each query is one atomic step. Source: cluster.md §§1, 3.

mod hello;
mod model;
mod reply;
mod request;

pub use hello::{HELLO_KEPT_MS, NodeHello};
pub use model::NodesModel;
pub use reply::NodeReply;
pub use request::NodeQuery;
