//! What client programs write.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;

use crate::connect::Auth;
use crate::ids::{FrameId, MessageId, Name, StreamId};
use crate::presence::{BotRef, ListBots, RegisterBot};
use crate::status::StatusRequest;

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
