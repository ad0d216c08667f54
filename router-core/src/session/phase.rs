//! How far a connection is on its way to an open session, and what an open one is.

use protocol::connect::Acks;
use protocol::{ClientId, FrameId, TenantId};

use crate::env::{Env, Millis};
use crate::permit::Grant;

/// What a socket asked for when it gave its credential.
#[derive(Debug, Default)]
pub(super) struct PendingAuth {
    pub id: Option<FrameId>,
    pub client: Option<ClientId>,
    pub acks: Acks,
    pub resume: bool,
    /// Set once the credential is verified.
    pub tenant: Option<TenantId>,
    pub grant: Option<Grant>,
}

/// How far a connection is.
#[derive(Debug)]
pub(super) enum SessionPhase {
    Opening {
        until_ms: Millis,
    },
    Waiting {
        until_ms: Millis,
        asked: Box<PendingAuth>,
    },
    Open(OpenSession),
    /// Who it was, if it was open: the log tells of its end after this.
    Closed(Option<OpenSession>),
}

/// What an open session is, and what it may do.
#[derive(Debug)]
pub(super) struct OpenSession {
    pub grant: Grant,
    pub client: ClientId,
    /// When to look whether its credential has expired, as the wall clock is now.
    pub expires_at_ms: Millis,
}

impl OpenSession {
    /// Whether the credential has expired; if not, when to look again. The wall clock may have been
    /// set since the last look.
    pub fn look_at_clock(&mut self, env: &Env<'_>) -> bool {
        let Some(expires_ms) = self.grant.expires_ms() else {
            return false;
        };
        let left_ms = expires_ms.saturating_sub(env.unix_ms);
        self.expires_at_ms = env.now_ms.saturating_add(left_ms);
        left_ms == 0
    }
}
