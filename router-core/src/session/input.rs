//! What happens to a connection.

use protocol::connect::{Acks, Migrate};
use protocol::presence::ListBots;
use protocol::request::IncomingRequest;
use protocol::request::RejectedRequest;

use crate::auth::{AuthError, Credential};
use crate::capabilities::Capabilities;
use crate::env::Millis;
use crate::permit::Grant;
use crate::request::SessionNotice;

/// What happens to a connection.
#[derive(Debug)]
pub enum SessionInput {
    /// The socket is open; the upgrade may have brought a credential.
    Opened(OpenedConnection),
    /// A message of the peer.
    Received(ReceivedMessage),
    /// A request that is no frame: of a call.
    Call(CallRequest),
    /// A control frame: a sign of life.
    Alive,
    /// Bytes came from the peer, or were acknowledged by it, at this time: a sign of life too, however
    /// long a frame takes.
    Moved {
        /// When, on the clock of [`Env::now_ms`](crate::Env::now_ms).
        at_ms: Millis,
    },
    /// The process stood still for a while: what came meanwhile is not read yet.
    Resumed,
    /// The answer to [`SessionEffect::Verify`](crate::effect::SessionEffect::Verify).
    Verified(Result<Grant, AuthError>),
    /// Word from the tenant.
    Notice(SessionNotice),
    /// The client should connect to another node; until it does, all goes on.
    Moving(Migrate),
    /// The node goes: tell the client, take no new messages.
    Draining(Migrate),
    /// [`Session::next_wakeup`](super::Session::next_wakeup) is due.
    Wake,
    /// The socket is gone.
    Gone,
}

/// A message of the peer, as its dialect understands it.
#[derive(Debug)]
pub struct ReceivedMessage {
    /// How long the message is, bytes: a long one weighs more than one frame.
    pub bytes: usize,
    /// What is asked, or why that is not understood.
    pub frame: Result<IncomingRequest, Box<RejectedRequest>>,
}

/// What a call can ask.
#[derive(Debug)]
pub enum CallRequest {
    /// Carry a message; answered with an acknowledgement or a refusal.
    Send(protocol::message::Send),
    /// One page of bots; answered with that page.
    List(ListBots),
    /// One bot; answered with a page of one.
    Find(String),
}

/// What a connection says of itself when it opens.
#[derive(Debug, Default)]
pub struct OpenedConnection {
    /// The credential, if it brought one.
    pub credential: Option<Credential>,
    /// `?clientId=`.
    pub client: Option<String>,
    /// `?acks=`.
    pub acks: Acks,
    /// What the connection receives, and how it pays.
    pub capabilities: Capabilities,
}
