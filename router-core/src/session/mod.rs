//! One connection, from its first byte to its last: the machine that turns frames into requests.
//!
//! ```text
//!            auth frame or upgrade            Verified(Ok)              Joined
//!  Opening ───────────────────────▶ Waiting ───────────────▶ Waiting ──────────▶ Open ──▶ Closed
//!     ▲                                │  refused: auth_error, error, close        frames become
//!     └── wrong in shape: may try again┘                                          requests
//! ```
//!
//! A session knows nobody but itself: what it may do is its
//! [`Grant`](crate::permit::Grant); who holds what is its
//! tenant's to say. While [`Session::is_waiting`], the reader must not hand it frames: they wait in
//! the socket.
//!
//! | file | has |
//! | --- | --- |
//! | `input.rs`, `phase.rs` | what happens to a connection, and how far it is |
//! | `connect.rs` | the way to `Open` |
//! | `frames.rs` | what a frame is taken for |
//! | `request.rs`, `token.rs` | what an open session asks |
//! | `usage.rs` | what its tenant's meters are told of frames that it answers itself |
//! | `liveness.rs` | when a silent peer is gone |

mod connect;
mod frames;
mod input;
mod liveness;
mod phase;
mod request;
mod stamps;
mod token;
mod usage;

use std::sync::Arc;

use protocol::{Answer, ClientId, CloseCode, ConnectionId, Limits, TenantId};

use crate::capabilities::Capabilities;
use crate::effect::{SessionEffect, SessionEffects};
use crate::env::{Env, Millis};
use crate::gcra::Gcra;
use crate::ids::ConnKey;
use crate::request::{LeaveRequest, SessionNotice};
use phase::SessionPhase;
use stamps::TimeStamps;
use usage::AnsweredFrame;

pub use input::{CallRequest, OpenedConnection, ReceivedMessage, SessionInput};

/// The state of one connection.
#[derive(Debug)]
pub struct Session {
    key: ConnKey,
    id: ConnectionId,
    phase: SessionPhase,
    seen_ms: Millis,
    ping_ms: Millis,
    frames: Gcra,
    registers: Gcra,
    bad_frames: u32,
    draining: bool,
    capabilities: Capabilities,
    stamps: TimeStamps,
    usage: AnsweredFrame,
    limits: Arc<Limits>,
}

impl Session {
    /// A session of a socket that is about to open.
    pub fn new(key: ConnKey, env: &Env<'_>) -> Self {
        Self {
            key,
            id: env.connection_id(),
            phase: SessionPhase::Opening {
                until_ms: env.now_ms + env.settings.handshake_timeout_ms,
            },
            seen_ms: env.now_ms,
            ping_ms: Millis::MAX,
            frames: Gcra::default(),
            registers: Gcra::default(),
            bad_frames: 0,
            draining: false,
            capabilities: Capabilities::default(),
            stamps: TimeStamps::default(),
            usage: AnsweredFrame::default(),
            limits: Arc::clone(&env.settings.limits),
        }
    }

    /// The connection's public id.
    pub fn id(&self) -> &ConnectionId {
        &self.id
    }

    /// Who it is, from `auth_ok` on, and who it was after its end.
    pub fn member(&self) -> Option<(&TenantId, &ClientId)> {
        match &self.phase {
            SessionPhase::Open(open) | SessionPhase::Closed(Some(open)) => {
                Some((open.grant.tenant(), &open.client))
            }
            SessionPhase::Opening { .. }
            | SessionPhase::Waiting { .. }
            | SessionPhase::Closed(None) => None,
        }
    }

    /// The tenant that a verified credential names, while its tenant has not decided about it.
    pub fn joining(&self) -> Option<&TenantId> {
        match &self.phase {
            SessionPhase::Waiting { asked, .. } => asked.tenant.as_ref(),
            SessionPhase::Opening { .. } | SessionPhase::Open(_) | SessionPhase::Closed(_) => None,
        }
    }

    /// What it receives, and how it pays.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Whether frames must wait: a credential is being checked.
    pub fn is_waiting(&self) -> bool {
        matches!(self.phase, SessionPhase::Waiting { .. })
    }

    /// Largest message it may send now, bytes.
    pub fn frame_bytes_max(&self) -> usize {
        match self.phase {
            SessionPhase::Open(_) => self.limits.frame_bytes as usize,
            SessionPhase::Opening { .. }
            | SessionPhase::Waiting { .. }
            | SessionPhase::Closed(_) => protocol::limits::FRAME_BYTES_UNAUTHENTICATED,
        }
    }

    /// When it wants [`SessionInput::Wake`], on the clock of [`Env::now_ms`].
    pub fn next_wakeup(&self, heartbeat_ms: Millis) -> Option<Millis> {
        match &self.phase {
            SessionPhase::Opening { until_ms } | SessionPhase::Waiting { until_ms, .. } => {
                Some(*until_ms)
            }
            SessionPhase::Open(open) => {
                let silent_ms = self.silent_ms(heartbeat_ms);
                Some(self.ping_ms.min(silent_ms).min(open.expires_at_ms))
            }
            SessionPhase::Closed(_) => None,
        }
    }

    /// Takes one input and says what must be done about it.
    pub fn handle(&mut self, env: &Env<'_>, input: SessionInput, fx: &mut SessionEffects) {
        if matches!(self.phase, SessionPhase::Closed(_)) {
            return;
        }
        match input {
            SessionInput::Opened(opened) => self.opened(env, opened, fx),
            SessionInput::Received(received) => {
                self.seen_ms = env.now_ms;
                self.received(env, received, fx);
            }
            SessionInput::Call(call) => self.call(env, call, fx),
            SessionInput::Alive => self.seen_ms = env.now_ms,
            SessionInput::Moved { at_ms } => self.seen_ms = self.seen_ms.max(at_ms),
            SessionInput::Resumed => self.resumed(env, fx),
            SessionInput::Verified(verdict) => self.verified(verdict, fx),
            SessionInput::Notice(SessionNotice::Joined {
                client,
                tenant,
                limits,
            }) => self.joined(env, client, (tenant, limits)),
            SessionInput::Notice(SessionNotice::Limited(limits)) => self.limits = limits,
            SessionInput::Notice(SessionNotice::Refused(refusal)) => {
                self.refused_by_tenant(*refusal, fx);
            }
            SessionInput::Moving(migrate) => fx.answer(None, Answer::Migrate(migrate)),
            SessionInput::Draining(migrate) => {
                self.draining = true;
                fx.answer(None, Answer::Migrate(migrate));
            }
            SessionInput::Wake => self.wake(env, fx),
            SessionInput::Gone => self.gone(fx),
        }
    }

    /// Ends the socket behind what is queued for it. The tenant lets go of it at once.
    fn close(&mut self, close: CloseCode, fx: &mut SessionEffects) {
        self.gone(fx);
        fx.push(SessionEffect::Close(close));
    }

    fn gone(&mut self, fx: &mut SessionEffects) {
        let tenant = match std::mem::replace(&mut self.phase, SessionPhase::Closed(None)) {
            SessionPhase::Open(open) => {
                let tenant = open.grant.tenant.clone();
                self.phase = SessionPhase::Closed(Some(open));
                Some(tenant)
            }
            SessionPhase::Waiting { asked, .. } => asked.tenant,
            SessionPhase::Opening { .. } | SessionPhase::Closed(_) => None,
        };
        if let Some(tenant) = tenant {
            fx.push(SessionEffect::Leave(LeaveRequest {
                tenant,
                conn: self.key,
            }));
        }
    }
}
