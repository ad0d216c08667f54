//! What the gateway writes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::delivered::Delivered;
use crate::connect::{AuthError, AuthOk, Connected, Migrate, Pong};
use crate::error::ErrorCode;
use crate::ids::{FrameId, MessageId};
use crate::message::AckStatus;
use crate::plan::QuotaStatus;
use crate::presence::{BotRegistered, BotStatus, BotUnregistered, BotsList, Subscription};
use crate::status::{ConnectionsList, FullStatus};
use crate::usage::UsageMeter;

/// A frame from the gateway, spelled out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ServerFrame {
    /// `type` and `data`.
    #[serde(flatten)]
    pub message: ServerMessage,
    /// The `id` of the request that this answers: texts, as [`ClientFrame`] has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string | number")]
    #[schemars(with = "Option<FrameId>")]
    pub id: Option<String>,
    /// Unix milliseconds of the gateway.
    #[ts(type = "number")]
    pub timestamp: u64,
}

/// `type` and `data` of a frame from the gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The socket's state, a page of bots, or a subscription.
    Status(Status),
    /// The credential is good.
    AuthOk(AuthOk),
    /// The credential is refused.
    AuthError(AuthError),
    /// This socket is the bot's home.
    BotRegistered(BotRegistered),
    /// This socket is no longer the bot's home.
    BotUnregistered(BotUnregistered),
    /// A bot came, went or changed.
    BotStatus(BotStatus),
    /// A message.
    Message(Delivered),
    /// What there is of a message so far.
    MessagePartial(Delivered),
    /// Somebody types.
    Typing(Delivered),
    /// A message is where it says.
    MessageAck(MessageAck),
    /// A frame is refused.
    Error(ErrorData),
    /// This node goes.
    Migrate(Migrate),
    /// The answer to `ping`.
    Pong(Pong),
}

/// The data of a `status` frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(untagged)]
pub enum Status {
    /// The first frame on a socket.
    Connected(Connected),
    /// One of the others, told apart by `type`.
    Typed(TypedStatus),
}

/// The data of the `status` frames that have a `type` of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TypedStatus {
    /// A page of bots.
    BotsList(BotsList),
    /// A page of connections.
    Connections(ConnectionsList),
    /// What the tenant has.
    Full(FullStatus),
    /// The tenant has reached a soft allowance of its plan.
    Quota(QuotaStatus),
    /// The answer to `subscribe`.
    Subscribed(Subscription),
    /// The answer to `unsubscribe`.
    Unsubscribed(Subscription),
}

/// `message_ack`: the message is where `status` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct MessageAck {
    /// The message.
    #[ts(type = "string")]
    pub message_id: MessageId,
    /// What became of it.
    pub status: AckStatus,
}

/// `error`: the refusal of the frame whose `id` it carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct ErrorData {
    /// The HTTP status with the same meaning.
    pub code: u16,
    /// The row of the error table.
    pub reason: ErrorCode,
    /// A sentence for a person; with `field`, it ends with what that member must be.
    pub message: String,
    /// The member that is to blame, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub field: Option<String>,
    /// The message that was refused, if it was one that named itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    pub message_id: Option<MessageId>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// When to try again, milliseconds, if the gateway knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub retry_after_ms: Option<u64>,
    /// The meter whose monthly allowance is used up, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub meter: Option<UsageMeter>,
    /// When the next month begins and the allowance is whole again, Unix milliseconds. Present with `meter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub resets_at: Option<u64>,
}
