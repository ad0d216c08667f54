//! The one table of errors. What a client may see is a row of it; nothing else becomes client text.
//!
//! The table is also the metric label, the HTTP `reason` and the TypeScript type.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Since when a row is used on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// This version of the gateway says it.
    Now,
    /// Kept for a later version; the text says which part of the product will use it.
    Reserved(&'static str),
}

macro_rules! error_codes {
    ($( $variant:ident $reason:literal $status:literal $retryable:ident $since:expr, $text:literal; )*) => {
        /// A refusal, as the client is told it.
        ///
        /// Wire form: its `reason`, snake case.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, TS)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode {
            $( #[doc = $text] $variant, )*
        }

        impl ErrorCode {
            /// Every row, in the table's order.
            pub const ALL: &'static [ErrorCode] = &[ $( ErrorCode::$variant, )* ];

            /// The wire name: `data.reason`, the metric label, `urn:t2b:error:<reason>`.
            pub const fn reason(self) -> &'static str {
                match self { $( ErrorCode::$variant => $reason, )* }
            }

            /// The HTTP status with the same meaning; `data.code`.
            pub const fn status(self) -> u16 {
                match self { $( ErrorCode::$variant => $status, )* }
            }

            /// Whether the same request may succeed later, unchanged.
            pub const fn retryable(self) -> bool {
                match self { $( ErrorCode::$variant => $retryable, )* }
            }

            /// The sentence a person reads; `data.message`. It echoes nothing of the request.
            pub const fn text(self) -> &'static str {
                match self { $( ErrorCode::$variant => $text, )* }
            }

            /// Whether this version says it.
            pub const fn since(self) -> Since {
                match self { $( ErrorCode::$variant => $since, )* }
            }
        }
    };
}

error_codes! {
    BadFrame           "bad_frame"            400 false Since::Now, "Frame is not a valid JSON object of this protocol";
    BadRequest         "bad_request"          400 false Since::Now, "Query, header or body is not valid for the HTTP API";
    UnknownType        "unknown_type"         400 false Since::Now, "Frame type is not known";
    MissingField       "missing_field"        400 false Since::Now, "A required member is missing";
    InvalidId          "invalid_id"           400 false Since::Now, "An id is not valid";
    Unauthorized       "unauthorized"         401 false Since::Now, "Invalid API key or token";
    ForbiddenScope     "forbidden_scope"      403 false Since::Now, "This credential does not allow that";
    OriginNotAllowed   "origin_not_allowed"   403 false Since::Now, "Pages of that origin may not use this gateway";
    BotNotFound        "bot_not_found"        403 false Since::Now, "Bot not found or access denied";
    NotYourIdentity    "not_your_identity"    403 false Since::Now, "This connection may not send as that sender";
    TenantSuspended    "tenant_suspended"     403 false Since::Now, "This account is suspended";
    NotFound           "not_found"            404 false Since::Now, "No such path";
    MethodNotAllowed   "method_not_allowed"   405 false Since::Now, "That path does not support this method";
    RequestTimeout     "request_timeout"      408 false Since::Now, "The request did not arrive in time";
    AlreadyRegistered  "already_registered"   409 false Since::Now, "That id is in use";
    TakeoverFlapping   "takeover_flapping"    409 false Since::Now, "Two instances keep taking this bot from each other";
    LeaseLost          "lease_lost"           409 false Since::Reserved("tasks"), "The lease on this task was lost";
    IdempotencyConflict "idempotency_conflict" 409 false Since::Now, "That id was used for another request";
    TooLarge           "too_large"            413 false Since::Now, "A member, or the whole request, exceeds its size limit";
    UnsupportedMediaType "unsupported_media_type" 415 false Since::Now, "The body must be application/json";
    Misdirected        "misdirected"          421 false Since::Now, "This gateway does not accept that Host";
    RateLimited        "rate_limited"         429 true  Since::Now, "Too many requests";
    QuotaExceeded      "quota_exceeded"       429 true  Since::Now, "A count or size limit is reached";
    Internal           "internal"             500 false Since::Now, "Internal error";
    NotSupported       "not_supported"        501 false Since::Now, "This gateway does not support that";
    BotOffline         "bot_offline"          503 true  Since::Now, "Bot is offline";
    RecipientOffline   "recipient_offline"    503 true  Since::Now, "Recipient is offline";
    RecipientBusy      "recipient_busy"       503 true  Since::Now, "Recipient is not reading fast enough";
    Unreachable        "unreachable"          503 true  Since::Now, "Recipient's node cannot be reached";
    DeliveryUnknown    "delivery_unknown"     503 true  Since::Now, "Delivery was not confirmed; repeat with the same messageId";
    Draining           "draining"             503 true  Since::Now, "This node is shutting down";
    StoreUnavailable   "store_unavailable"    503 true  Since::Now, "The store is not available";
}

/// Who can do something about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalClass {
    /// Who asked: the same request is refused again.
    Client,
    /// The tenant: it has reached a rate, a limit or an allowance.
    Limit,
    /// The recipient: it is offline, or does not read fast enough.
    Recipient,
    /// The operator of the gateway.
    Platform,
}

impl RefusalClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Client, Self::Limit, Self::Recipient, Self::Platform];

    /// Its name in meters and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Limit => "limit",
            Self::Recipient => "recipient",
            Self::Platform => "platform",
        }
    }
}

impl ErrorCode {
    /// Who can do something about it.
    pub const fn class(self) -> RefusalClass {
        match self {
            ErrorCode::RateLimited | ErrorCode::QuotaExceeded => RefusalClass::Limit,
            ErrorCode::BotOffline | ErrorCode::RecipientOffline | ErrorCode::RecipientBusy => {
                RefusalClass::Recipient
            }
            ErrorCode::Internal
            | ErrorCode::Unreachable
            | ErrorCode::DeliveryUnknown
            | ErrorCode::Draining
            | ErrorCode::StoreUnavailable => RefusalClass::Platform,
            ErrorCode::BadFrame
            | ErrorCode::BadRequest
            | ErrorCode::UnknownType
            | ErrorCode::MissingField
            | ErrorCode::InvalidId
            | ErrorCode::Unauthorized
            | ErrorCode::ForbiddenScope
            | ErrorCode::OriginNotAllowed
            | ErrorCode::BotNotFound
            | ErrorCode::NotYourIdentity
            | ErrorCode::TenantSuspended
            | ErrorCode::NotFound
            | ErrorCode::MethodNotAllowed
            | ErrorCode::RequestTimeout
            | ErrorCode::AlreadyRegistered
            | ErrorCode::TakeoverFlapping
            | ErrorCode::LeaseLost
            | ErrorCode::IdempotencyConflict
            | ErrorCode::TooLarge
            | ErrorCode::UnsupportedMediaType
            | ErrorCode::Misdirected
            | ErrorCode::NotSupported => RefusalClass::Client,
        }
    }

    /// Whether only the HTTP API says it: no frame of a socket is refused so.
    pub const fn is_http_only(self) -> bool {
        matches!(
            self,
            ErrorCode::BadRequest
                | ErrorCode::OriginNotAllowed
                | ErrorCode::NotFound
                | ErrorCode::MethodNotAllowed
                | ErrorCode::RequestTimeout
                | ErrorCode::UnsupportedMediaType
                | ErrorCode::Misdirected
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_and_reason_agree() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.reason());
        }
    }

    #[test]
    fn retryable_is_429_and_503() {
        for code in ErrorCode::ALL {
            assert_eq!(
                code.retryable(),
                matches!(code.status(), 429 | 503),
                "{code}"
            );
        }
    }
}
