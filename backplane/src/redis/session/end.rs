//! The end of a session: told by whichever of its connections fails first, with the reason.

use std::fmt::Display;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::redis::pubsub::intake::MessageIntake;

/// One session's end. All clones are the same one.
#[derive(Clone)]
pub(in crate::redis) struct SessionEnd {
    token: CancellationToken,
    intake: Arc<MessageIntake>,
}

impl SessionEnd {
    pub(in crate::redis) fn new(intake: &Arc<MessageIntake>) -> Self {
        Self {
            token: CancellationToken::new(),
            intake: intake.clone(),
        }
    }

    /// Ends the session. Operators are shown the reason, without credentials, unless it had ended
    /// already: what fails then fails because of that.
    pub(in crate::redis) fn because(&self, reason: impl Display) {
        if !self.token.is_cancelled() {
            self.intake.counters.error(reason.to_string());
            self.token.cancel();
        }
    }

    /// Ends it without a reason that anybody wants to know.
    pub(in crate::redis) fn now(&self) {
        self.token.cancel();
    }

    /// Waits for it.
    pub(in crate::redis) async fn come(&self) {
        self.token.cancelled().await;
    }
}
