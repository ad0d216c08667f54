//! Why a request is refused, and the `error` frame that says so: one form for sessions and tenants.

use protocol::codec::encode;
use protocol::{ErrorCode, FrameId, MessageId};

use crate::effect::{Class, Effect, Effects, Fact};
use crate::env::{Env, Millis};
use crate::ids::ConnKey;

/// A row of the error table, with what the frame says besides.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub code: ErrorCode,
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

    /// The same refusal, of this message.
    pub fn of(self, message_id: Option<MessageId>) -> Self {
        Self { message_id, ..self }
    }

    /// Tells a connection that its request `id` is refused.
    pub fn tell(self, env: &Env<'_>, to: ConnKey, id: Option<&FrameId>, fx: &mut Effects) {
        let message_id = self.message_id.as_ref();
        let text = encode::error(self.code, id, message_id, self.retry_ms, env.unix_ms);
        fx.deliver(to, text, Class::Refusal);
        fx.push(Effect::Note(Fact::Refused(self.code)));
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self {
            code,
            message_id: None,
            retry_ms: None,
        }
    }
}
