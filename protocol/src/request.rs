//! What a connection asks, once its dialect has decoded it.

use crate::connect::Auth;
use crate::error::ErrorCode;
use crate::ids::{FrameId, MessageId};
use crate::message::Send;
use crate::presence::{BotRef, ListBots, RegisterBot};
use crate::rule::Fault;
use crate::status::StatusRequest;

/// What a connection asks, and the id that pairs the answer with it.
#[derive(Debug, Clone, PartialEq)]
pub struct IncomingRequest {
    /// Comes back in the answer.
    pub id: Option<FrameId>,
    /// What is asked.
    pub request: ClientRequest,
}

/// What a socket asks. The closed list: a new frame type makes the compiler point at every decision.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientRequest {
    /// Gives a credential.
    Auth(Box<Auth>),
    /// Becomes a bot's home.
    RegisterBot(Box<RegisterBot>),
    /// Ceases to be a bot's home; the bot is no longer listed.
    UnregisterBot(BotRef),
    /// Sends a `message`, `message_partial` or `typing`.
    Send(Send),
    /// Asks for a bot's `bot_status`.
    Subscribe(BotRef),
    /// Asks for no more of a bot's `bot_status`.
    Unsubscribe(BotRef),
    /// Asks for a page of bots.
    ListBots(Box<ListBots>),
    /// Asks for a status.
    Status(Box<StatusRequest>),
    /// A type that a later version will serve: `received`, `task`, `task_update`.
    Later,
    /// Asks for `pong`.
    Ping,
}

/// A request that its dialect cannot decode, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct RejectedRequest {
    /// `bad_frame`, `unknown_type`, `missing_field`, `invalid_id` or `too_large`.
    pub code: ErrorCode,
    /// The frame's `id`, wherever it stands, if it could be read and is given once.
    pub id: Option<FrameId>,
    /// `data.messageId`, likewise.
    pub message_id: Option<MessageId>,
    /// The member that is to blame, if one is.
    pub fault: Option<Fault>,
}
