//! What a call makes of what it is told, and of its end.

use protocol::message::AckStatus;
use protocol::outbound::BotsPage;
use protocol::plan::QuotaStatus;
use protocol::{Answer, CloseCode, ErrorCode, MessageId, Outbound, Refusal};

use crate::ws::ConnectionEnd;

/// What a call is answered with.
pub(super) enum CallOutcome {
    Ack(MessageId, AckStatus),
    Bots(BotsPage),
    /// Not the answer: a soft allowance of its tenant is reached.
    Quota(QuotaStatus),
}

/// What a call makes of what it is told. Errors: it is a refusal, or the node goes.
pub(super) fn answered_with(outbound: Outbound) -> Result<Option<CallOutcome>, Refusal> {
    match outbound {
        Outbound::Ack {
            message_id, status, ..
        } => Ok(Some(CallOutcome::Ack(message_id, status))),
        Outbound::Refusal { refusal, .. } => Err(*refusal),
        Outbound::Answer { answer, .. } => match *answer {
            Answer::Bots(page) => Ok(Some(CallOutcome::Bots(page))),
            Answer::Quota(quota) => Ok(Some(CallOutcome::Quota(quota))),
            Answer::Migrate(_) => Err(ErrorCode::Draining.into()),
            // What follows them says the reason, or they are not for calls.
            Answer::AuthError(_)
            | Answer::AuthOk(_)
            | Answer::Connected(_)
            | Answer::BotRegistered(_)
            | Answer::BotUnregistered(_)
            | Answer::Subscribed(_)
            | Answer::Unsubscribed(_)
            | Answer::Connections(_)
            | Answer::Full(_) => Ok(None),
        },
        Outbound::Pong { .. } | Outbound::Delivery(_) | Outbound::Presence(_) => Ok(None),
    }
}

/// Whether the end of a wait is more than that: its caller may not come back as it is.
pub(super) fn is_for_the_caller(why: ConnectionEnd) -> bool {
    match why {
        ConnectionEnd::Us(close) => match close {
            CloseCode::Suspended | CloseCode::Unauthorized | CloseCode::Internal => true,
            CloseCode::TokenExpired
            | CloseCode::Restart
            | CloseCode::GoingAway
            | CloseCode::SlowConsumer
            | CloseCode::TryLater
            | CloseCode::TooManyRefusals
            | CloseCode::Done
            | CloseCode::ProtocolError
            | CloseCode::Unsupported
            | CloseCode::InvalidUtf8
            | CloseCode::PolicyViolation
            | CloseCode::TooBig
            | CloseCode::Replaced
            | CloseCode::Timeout => false,
        },
        ConnectionEnd::Peer(_) | ConnectionEnd::Lost => false,
    }
}

/// A call whose connection was closed, in words of the error table.
pub(super) fn refused_by(why: ConnectionEnd) -> Refusal {
    let ConnectionEnd::Us(close) = why else {
        return ErrorCode::Internal.into();
    };
    let code = match close {
        CloseCode::Unauthorized | CloseCode::TokenExpired => ErrorCode::Unauthorized,
        CloseCode::Suspended => ErrorCode::TenantSuspended,
        CloseCode::Restart | CloseCode::GoingAway => ErrorCode::Draining,
        CloseCode::SlowConsumer | CloseCode::TryLater => ErrorCode::QuotaExceeded,
        CloseCode::TooManyRefusals => ErrorCode::RateLimited,
        CloseCode::Done
        | CloseCode::ProtocolError
        | CloseCode::Unsupported
        | CloseCode::InvalidUtf8
        | CloseCode::PolicyViolation
        | CloseCode::TooBig
        | CloseCode::Internal
        | CloseCode::Replaced
        | CloseCode::Timeout => ErrorCode::Internal,
    };
    code.into()
}
