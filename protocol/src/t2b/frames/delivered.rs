//! What a recipient reads: the frame, and what a body usually has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;

use crate::ids::{ConnectionId, MessageId, Name};
use crate::integer;

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
