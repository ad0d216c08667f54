//! What a client token shall be: asked over HTTP and checked by the session.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::ids::{BotId, ClientId};
use crate::integer;
use crate::limits::TOKEN_TTL_MAX_S;

/// What a client token shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("anyOf" = [
    { "properties": { "scope": { "items": { "const": "chat" } } } },
    { "required": ["bots"] },
]))]
pub struct TokenRequest {
    /// The client id of whoever will hold it.
    #[schemars(with = "ClientId")]
    pub client: String,
    /// The bots it may see; absent: all, but never `null`, which may be a slip. Required for scope `bot`.
    #[serde(
        default,
        deserialize_with = "not_null",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Vec<BotId>")]
    pub bots: Option<Vec<String>>,
    /// Exactly one. Default: `["chat"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1))]
    pub scope: Option<Vec<TokenScope>>,
    /// How long it is good, seconds: 1 to 2592000 (30 days). Default: 3600.
    #[serde(
        default,
        deserialize_with = "integer::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(range(min = 1, max = TOKEN_TTL_MAX_S))]
    pub ttl_seconds: Option<u64>,
}

/// A member that may be absent, and if it is there is a list.
fn not_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    Vec::deserialize(deserializer).map(Some)
}

/// A scope of client tokens by its wire name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenScope {
    /// Talk with bots.
    Chat,
    /// Be a bot.
    Bot,
}
