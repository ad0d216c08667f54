//! Why a request is refused, and the `error` frame that says so: one form for sessions and tenants.

use protocol::codec::Rejected;
use protocol::codec::encode;
use protocol::{ErrorCode, Fault, FrameId, MessageId, Rule};

use crate::effect::{Class, Fact, Outbound, TenantEffect, TenantEffects};
use crate::env::{Env, Millis};
use crate::ids::ConnKey;

/// A row of the error table, with what the frame says besides.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub code: ErrorCode,
    /// The member that is to blame, if one is.
    pub fault: Option<Fault>,
    pub message_id: Option<MessageId>,
    pub retry_ms: Option<Millis>,
}

impl Refusal {
    /// The refusal of a request that comes too fast.
    pub fn rate(retry_ms: Millis) -> Self {
        Self {
            retry_ms: Some(retry_ms),
            ..Self::from(ErrorCode::RateLimited)
        }
    }

    /// The refusal of a request over one of its members.
    pub fn over(code: ErrorCode, rule: Rule) -> Self {
        Self {
            fault: Some(Fault::of(rule)),
            ..Self::from(code)
        }
    }

    /// The same refusal, of this message.
    pub fn of(self, message_id: Option<MessageId>) -> Self {
        Self { message_id, ..self }
    }

    /// The frame that tells of it, as the answer to the request `id`.
    pub fn to_frame(&self, env: &Env<'_>, id: Option<&FrameId>) -> Outbound {
        let message_id = self.message_id.as_ref();
        let text = encode::error(
            self.code,
            self.fault,
            id,
            message_id,
            self.retry_ms,
            env.unix_ms,
        );
        let class = Class::Refusal;
        Outbound { text, class }
    }

    /// Tells a connection of the tenant that its request `id` is refused.
    pub fn tell(&self, env: &Env<'_>, conn: ConnKey, id: Option<&FrameId>, fx: &mut TenantEffects) {
        fx.push(TenantEffect::Deliver {
            receipt: None,
            conn,
            frame: self.to_frame(env, id),
        });
        fx.push(TenantEffect::Note(Fact::Refused(self.code)));
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self {
            code,
            fault: Rule::implied_by(code).map(Fault::of),
            message_id: None,
            retry_ms: None,
        }
    }
}

impl From<&Rejected> for Refusal {
    fn from(rejected: &Rejected) -> Self {
        Self {
            code: rejected.code,
            fault: rejected.fault,
            message_id: rejected.message_id,
            retry_ms: None,
        }
    }
}
