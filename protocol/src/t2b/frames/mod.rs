//! The frames spelled out as types: what client programs write and read, what the JSON Schema and
//! the TypeScript types are made from.
//!
//! The gateway writes its own frames from these, but never reads a socket's frame into them: it
//! decodes an [`IncomingRequest`](crate::request::IncomingRequest).

mod client;
mod delivered;
mod server;

pub use client::{ClientFrame, ClientMessage, SendMessage, SendPartial, SendTyping};
pub use delivered::{BodyMembers, Delivered};
pub use server::{ErrorData, MessageAck, ServerFrame, ServerMessage, Status, TypedStatus};
