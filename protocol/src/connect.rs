//! The connect feature: who connects, and what the gateway tells it when it opens and closes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::{ClientId, ConnectionId, TenantId};
use crate::integer;
use crate::secret::Secret;

/// `auth`: the first frame of a socket that gave no credential on the upgrade.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// `t2b_<userId>_<16 hex>`; after a revoke `t2b_<userId>_<g>-<16 hex>`, `g` being the key generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, as = "Option<String>")]
    pub api_key: Option<Secret<String>>,
    /// A client token (compact JWS), instead of `apiKey`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, as = "Option<String>")]
    pub token: Option<Secret<String>>,
    /// Name of this client; a token's own claim wins. Default: `client_<userId>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub client_id: Option<String>,
    /// `"all"` (default), or `"errors"`: leaves out successful `message_ack`s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub acks: Option<Acks>,
    /// Where to go on reading stored messages. Answered `recovered: false` until they are built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub resume: Option<Resume>,
}

/// Which `message_ack`s a socket wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "lowercase")]
pub enum Acks {
    /// Every message is answered.
    #[default]
    All,
    /// Only refusals are told.
    Errors,
}

/// A place in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Resume {
    /// The mailbox's epoch.
    #[serde(deserialize_with = "integer::required")]
    #[ts(type = "number")]
    pub epoch: u64,
    /// The last offset received.
    #[serde(deserialize_with = "integer::required")]
    #[ts(type = "number")]
    pub offset: u64,
}

/// `status{connected}`: the first frame on every socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct Connected {
    /// Always `connected`.
    pub status: ConnectedWord,
    /// This socket's id.
    #[ts(type = "string")]
    pub connection_id: ConnectionId,
    /// Unix milliseconds of the gateway.
    #[ts(type = "number")]
    pub timestamp: u64,
}

/// The word `connected`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "lowercase")]
pub enum ConnectedWord {
    /// The socket is open; it is not authenticated yet.
    Connected,
}

/// `auth_ok`: the credential is good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct AuthOk {
    /// The tenant.
    #[ts(type = "string")]
    pub user_id: TenantId,
    /// The same as `connectionId`, for old clients: it does not outlive the connection.
    #[ts(type = "string")]
    pub session_id: ConnectionId,
    /// This socket's id.
    #[ts(type = "string")]
    pub connection_id: ConnectionId,
    /// The client id that others send to.
    #[ts(type = "string")]
    pub client_id: ClientId,
    /// How many bots this credential may see.
    pub bot_count: u32,
    /// How often the gateway pings, milliseconds.
    #[ts(type = "number")]
    pub heartbeat_ms: u64,
    /// What this gateway can do beyond registering, listing and presence: `message`, `partial`. Later
    /// versions have more.
    pub features: Vec<String>,
    /// The limits a client should know.
    pub limits: AuthLimits,
    /// The answer to `resume`, if it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub resume: Option<Resumed>,
}

/// The limits told in `auth_ok`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct AuthLimits {
    /// Largest message, bytes.
    pub frame_bytes: u32,
    /// Messages a second of the whole tenant.
    pub messages_per_second: u32,
}

/// The answer to `resume`: everything follows, or nothing does and the reason is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Resumed {
    /// Whether the missed messages follow.
    pub recovered: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reason: Option<String>,
}

/// `auth_error`: the credential is refused; `error` and a close follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct AuthError {
    /// A sentence for a person.
    pub message: String,
}

/// `migrate`: this node goes; the client should connect anew before it is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct Migrate {
    /// Why: `restart`, `isolated` or `rebalance`.
    pub reason: String,
    /// Reconnect at a random time within this many milliseconds.
    #[ts(type = "number")]
    pub reconnect_within_ms: u64,
}

/// `pong`: the answer to `ping`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Pong {
    /// Unix milliseconds of the gateway.
    #[ts(type = "number")]
    pub timestamp: u64,
}
