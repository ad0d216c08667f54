//! The bodies of the HTTP API, which is otherwise made of the frames' words.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::ErrorCode;
use crate::frame::{AckStatus, Delivered};
use crate::ids::{BotId, ClientId, MessageId};
use crate::integer;
use crate::limits::TOKEN_TTL_MAX_S;
use crate::presence::BotInfo;
use crate::rule::Fault;
use crate::secret::Secret;

/// `application/problem+json`: why a request was refused. Source: RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `urn:t2b:error:<reason>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A sentence for a person: the same for every problem of a reason.
    pub title: String,
    /// What is wrong with the member that is to blame, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The member that is to blame, if one is: of the body, of the query, or a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// The row of the error table.
    pub reason: ErrorCode,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// When to try again, milliseconds, if the gateway knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Problem {
    /// The problem of a row.
    pub fn of(reason: ErrorCode, fault: Option<Fault>, retry_after_ms: Option<u64>) -> Self {
        Self {
            kind: format!("urn:t2b:error:{reason}"),
            title: reason.text().to_owned(),
            detail: fault.map(Fault::sentence),
            field: fault.map(|fault| fault.field().to_owned()),
            status: reason.status(),
            reason,
            retryable: reason.retryable(),
            retry_after_ms,
        }
    }
}

/// One page of the bots that the credential may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BotPage {
    /// In id order.
    pub bots: Vec<BotInfo>,
    /// `cursor` of the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The answer to a message, and to its reply if that was waited for.
///
/// The gateway writes `reply` as it was delivered, not through this type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageAnswer {
    /// The message: its own id, or the gateway's.
    pub message_id: MessageId,
    /// What became of it.
    pub status: AckStatus,
    /// The reply's whole `data`; `null` if none came in time; absent without `waitMs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Delivered>,
}

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

/// A client token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenIssued {
    /// The token, a compact JWS: as good as a key for what it may do.
    pub token: Secret<String>,
    /// When it ends, Unix milliseconds.
    pub expires_at: u64,
}
