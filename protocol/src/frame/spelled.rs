//! The frames spelled out as types: what client programs write and read, what the JSON Schema and
//! the TypeScript types are made from.
//!
//! The gateway writes its own frames from these, but never reads a socket's frame into them: it
//! decodes a [`Frame`](super::Frame).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;

use crate::connect::{Auth, AuthError, AuthOk, Connected, Migrate, Pong};
use crate::error::ErrorCode;
use crate::ids::{ConnectionId, FrameId, MessageId, Name, StreamId};
use crate::integer;
use crate::presence::{
    BotRef, BotRegistered, BotStatus, BotUnregistered, BotsList, ListBots, RegisterBot,
    Subscription,
};
use crate::status::{ConnectionsList, FullStatus, StatusRequest};

/// `message`, as a sender writes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("dependentRequired" = { "part": ["parts"], "parts": ["part"] }))]
pub struct SendMessage {
    /// The recipient: a bot, a client id or a connection.
    #[schemars(with = "Name")]
    pub to: String,
    /// What is said. Any other members pass too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub text: Option<String>,
    /// A bot this socket holds. Default: its own client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    #[schemars(with = "Option<Name>")]
    pub from: Option<String>,
    /// An idempotency key: 1-64 of `[A-Za-z0-9._:-]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    #[schemars(with = "Option<MessageId>")]
    pub message_id: Option<String>,
    /// The message this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    #[schemars(with = "Option<MessageId>")]
    pub reply_to: Option<String>,
    /// The stream of partials that this message ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    #[schemars(with = "Option<StreamId>")]
    pub stream_id: Option<String>,
    /// Which part this is, from 1 to `parts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    #[schemars(range(min = 1))]
    pub part: Option<u32>,
    /// How many parts there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    #[schemars(range(min = 1))]
    pub parts: Option<u32>,
    /// When it was said, as the sender likes to write it. Default: the gateway's time, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "unknown")]
    pub timestamp: Option<Value>,
    /// Everything else, passed on as it is.
    #[serde(flatten)]
    #[ts(skip)]
    pub extra: serde_json::Map<String, Value>,
}

/// `message_partial`, as a sender writes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct SendPartial {
    /// The recipient.
    pub to: String,
    /// A bot this socket holds. Default: its own client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub from: Option<String>,
    /// The stream; the `message` with the same one ends it.
    pub stream_id: String,
    /// Rises with each partial of the stream.
    #[ts(type = "number")]
    pub seq: u64,
    /// All so far, at most 64 KiB: beyond, the tail, with `truncated`.
    pub text: String,
    /// Whether `text` is only the tail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub truncated: Option<bool>,
    /// Whether the stream ends without a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub end: Option<bool>,
}

/// `typing`, as a sender writes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct SendTyping {
    /// The recipient.
    pub to: String,
    /// A bot this socket holds. Default: its own client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub from: Option<String>,
    /// Whether it types now; lapses after 10 s.
    pub active: bool,
}

/// `message`, `message_partial` and `typing`, as the recipient gets them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct Delivered {
    /// The sender: a bot or a client id.
    #[ts(type = "string")]
    pub from: Name,
    /// The recipient, as the sender named it.
    #[ts(type = "string")]
    pub to: Name,
    /// The same as `messageId`, for old clients. Absent from partials and typing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    pub id: Option<MessageId>,
    /// The message. Absent from partials and typing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    pub message_id: Option<MessageId>,
    /// The sender's connection: an answer to it reaches that socket alone.
    #[ts(type = "string")]
    pub connection_id: ConnectionId,
    /// The body: `text`, `timestamp`, `replyTo` and whatever else the sender wrote.
    #[serde(flatten)]
    #[schemars(with = "BodyMembers")]
    #[ts(skip)]
    pub body: serde_json::Map<String, Value>,
}

/// What a body usually has; [`Delivered::body`] read as this is typed.
///
/// The gateway checked the types of those that the frame's type knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct BodyMembers {
    /// What is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub text: Option<String>,
    /// The sender's, any JSON value; or else the gateway's, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "unknown")]
    pub timestamp: Option<Value>,
    /// The message this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reply_to: Option<String>,
    /// The stream of a partial, or that a message ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub stream_id: Option<String>,
    /// Which part a message is, from 1.
    #[serde(
        default,
        deserialize_with = "integer::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[ts(optional)]
    pub part: Option<u32>,
    /// How many parts there are.
    #[serde(
        default,
        deserialize_with = "integer::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[ts(optional)]
    pub parts: Option<u32>,
    /// Rises with each partial of a stream.
    #[serde(
        default,
        deserialize_with = "integer::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[ts(optional, type = "number")]
    pub seq: Option<u64>,
    /// Whether a partial's `text` is only the tail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub truncated: Option<bool>,
    /// Whether a stream ends without a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub end: Option<bool>,
    /// Whether the sender of `typing` types now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub active: Option<bool>,
    /// Whatever else the sender wrote.
    #[serde(flatten)]
    #[ts(skip)]
    pub extra: serde_json::Map<String, Value>,
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

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "lowercase")]
pub enum AckStatus {
    /// In the queue of a live connection of the recipient.
    Delivered,
    /// Stored for the recipient (later).
    Queued,
    /// Its `messageId` was seen before; nothing was delivered now.
    Duplicate,
}

impl AckStatus {
    /// The word in `data.status`.
    pub const fn wire_name(self) -> &'static str {
        match self {
            AckStatus::Delivered => "delivered",
            AckStatus::Queued => "queued",
            AckStatus::Duplicate => "duplicate",
        }
    }
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
}

/// A frame from a bot or client, spelled out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
pub struct ClientFrame {
    /// `type` and `data`.
    #[serde(flatten)]
    pub message: ClientMessage,
    /// Text of 1-64 bytes or an integer; comes back in the answer. This program's are texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string | number")]
    #[schemars(with = "Option<FrameId>")]
    pub id: Option<String>,
}

/// `type` and `data` of a frame from a bot or client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum ClientMessage {
    /// Gives a credential.
    Auth(Auth),
    /// Becomes a bot's home.
    RegisterBot(RegisterBot),
    /// Ceases to be a bot's home.
    UnregisterBot(BotRef),
    /// Sends a message.
    Message(SendMessage),
    /// Sends what there is of a message so far.
    MessagePartial(SendPartial),
    /// Says that it types.
    Typing(SendTyping),
    /// Asks for a bot's `bot_status`.
    Subscribe(BotRef),
    /// Asks for no more of a bot's `bot_status`.
    Unsubscribe(BotRef),
    /// Asks for a page of bots.
    ListBots(ListBots),
    /// Asks for a status.
    Status(StatusRequest),
    /// Asks for `pong`.
    Ping,
}

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
    /// The answer to `subscribe`.
    Subscribed(Subscription),
    /// The answer to `unsubscribe`.
    Unsubscribed(Subscription),
}
