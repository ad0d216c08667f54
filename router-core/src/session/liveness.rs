//! Whether the peer is still there, and which times it was told.
//!
//! A peer is gone when nothing moved for two heartbeats: no frame, and no byte of one in either
//! direction. Nobody is judged for a time in which this process stood still: the peer's answers may
//! lie in the socket, unread. Then it is asked first, and has one heartbeat to answer.

use super::{Phase, Session};
use crate::effect::{SessionEffect, SessionEffects};
use crate::env::{Env, Millis};

/// The last time that a session wrote into a frame.
#[derive(Debug, Default)]
pub(super) struct Stamps(Millis);

impl Stamps {
    /// The time to write now: the wall clock's, unless that was set back.
    pub fn stamp(&mut self, unix_ms: Millis) -> Millis {
        self.0 = self.0.max(unix_ms);
        self.0
    }
}

impl Session {
    /// When the peer has been silent for too long. Only a connection that lasts has a heartbeat.
    pub(super) fn silent_ms(&self, heartbeat_ms: Millis) -> Millis {
        match self.capabilities.lasts {
            true => self.seen_ms + 2 * heartbeat_ms,
            false => Millis::MAX,
        }
    }

    /// The process stood still: every deadline that the peer has to keep begins anew.
    pub(super) fn resumed(&mut self, env: &Env<'_>, fx: &mut SessionEffects) {
        let heartbeat_ms = env.settings.heartbeat_ms;
        let is_quiet = self.silent_ms(heartbeat_ms) < env.now_ms.saturating_add(heartbeat_ms);
        match &mut self.phase {
            Phase::Opening { until_ms } | Phase::Waiting { until_ms, .. } => {
                *until_ms = (*until_ms).max(env.now_ms + env.settings.handshake_timeout_ms);
            }
            Phase::Open(_) if is_quiet => {
                self.seen_ms = env.now_ms.saturating_sub(heartbeat_ms);
                self.ping_ms = env.now_ms + heartbeat_ms;
                fx.push(SessionEffect::Ping);
            }
            Phase::Open(_) | Phase::Closed(_) => {}
        }
    }
}
