//! The bodies of the HTTP API, which is otherwise made of the frames' words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;
use crate::ids::MessageId;
use crate::message::AckStatus;
use crate::outbound::Refusal;
use crate::presence::BotInfo;
use crate::secret::Secret;
use crate::t2b::frames::Delivered;
use crate::usage::UsageMeter;

/// `application/problem+json`: why a request was refused. Source: RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `urn:t2b:error:<reason>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A sentence for a person: the same for every problem of a reason.
    pub title: String,
    /// What is wrong with the member that is to blame, which allowance is used up, or which hour of usage is damaged.
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
    /// The meter whose monthly allowance is used up, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meter: Option<UsageMeter>,
    /// When the next month begins and the allowance is whole again, Unix milliseconds. Present with `meter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<u64>,
}

impl Problem {
    /// The problem of a refusal.
    pub fn of(refusal: &Refusal) -> Self {
        let Refusal {
            code: reason,
            fault,
            // The caller knows which message it sent.
            message_id: _,
            retry_ms: retry_after_ms,
            spent,
        } = *refusal;
        Self {
            kind: format!("urn:t2b:error:{reason}"),
            title: reason.text().to_owned(),
            detail: refusal.detail(),
            field: fault.map(|fault| fault.field().to_owned()),
            status: reason.status(),
            reason,
            retryable: refusal.retryable(),
            retry_after_ms,
            meter: spent.map(|spent| spent.meter),
            resets_at: spent.map(|spent| spent.resets_ms),
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

/// A client token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenIssued {
    /// The token, a compact JWS: as good as a key for what it may do.
    pub token: Secret<String>,
    /// When it ends, Unix milliseconds.
    pub expires_at: u64,
}
