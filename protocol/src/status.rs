//! The status feature: what a tenant has, asked for by its owner.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::{BotId, ClientId, ConnectionId};
use crate::integer;
use crate::presence::BotInfo;

/// `status`: what is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct StatusRequest {
    /// What the answer tells.
    pub request: StatusOf,
    /// Most bots and most connections in the answer, 1 to 1000. Default: 100.
    #[serde(
        default,
        deserialize_with = "integer::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[ts(optional)]
    pub limit: Option<u32>,
    /// `nextCursor` of the page before, for `bots` and `connections`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub cursor: Option<String>,
}

/// What a `status` can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "lowercase")]
pub enum StatusOf {
    /// One page of the bots that the credential may see: the same as `list_bots`.
    Bots,
    /// One page of the tenant's connections. Only for API keys.
    Connections,
    /// How many bots and connections the tenant has, and the first page of each. Only for API keys.
    Full,
}

/// A connection as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionInfo {
    /// The connection.
    #[ts(type = "string")]
    pub id: ConnectionId,
    /// Its client id.
    #[ts(type = "string")]
    pub client_id: ClientId,
    /// When it was opened, Unix milliseconds.
    #[ts(type = "number")]
    pub since: u64,
    /// The bots that it holds.
    #[ts(type = "Array<string>")]
    pub bots: Vec<BotId>,
}

/// The data of `status{connections}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionsList {
    /// How many connections the tenant has on all nodes, HTTP requests under way included.
    pub count: u32,
    /// In id order, the longest open first; without HTTP requests that wait for no reply.
    pub connections: Vec<ConnectionInfo>,
    /// Where the next page begins, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub next_cursor: Option<String>,
}

/// The data of `status{full}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct FullStatus {
    /// How many bots the tenant has, offline ones included.
    pub bot_count: u32,
    /// The first of them, in id order.
    pub bots: Vec<BotInfo>,
    /// `cursor` for the next page of bots, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub next_bots: Option<String>,
    /// How many connections the tenant has on all nodes, HTTP requests under way included.
    pub connection_count: u32,
    /// The first of them, in id order.
    pub connections: Vec<ConnectionInfo>,
    /// `cursor` for the next page of connections, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub next_connections: Option<String>,
}
