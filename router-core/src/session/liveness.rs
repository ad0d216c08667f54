//! Whether the peer is still there, and what is due at which time.
//!
//! A peer is gone when nothing moved for two heartbeats: no frame, and no byte of one in either
//! direction. Nobody is judged for a time in which this process stood still: the peer's answers may
//! lie in the socket, unread. Then it is asked first, and has one heartbeat to answer.

use protocol::{CloseCode, ErrorCode};

use super::Session;
use super::phase::SessionPhase;
use crate::effect::{SessionEffect, SessionEffects};
use crate::env::{Env, Millis};

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
            SessionPhase::Opening { until_ms } | SessionPhase::Waiting { until_ms, .. } => {
                *until_ms = (*until_ms).max(env.now_ms + env.settings.handshake_timeout_ms);
            }
            SessionPhase::Open(_) if is_quiet => {
                self.seen_ms = env.now_ms.saturating_sub(heartbeat_ms);
                self.ping_ms = env.now_ms + heartbeat_ms;
                fx.push(SessionEffect::Ping);
            }
            SessionPhase::Open(_) | SessionPhase::Closed(_) => {}
        }
    }

    /// What is due by now.
    pub(super) fn wake(&mut self, env: &Env<'_>, fx: &mut SessionEffects) {
        let now_ms = env.now_ms;
        match &mut self.phase {
            SessionPhase::Opening { until_ms } if now_ms >= *until_ms => {
                self.close(CloseCode::Timeout, fx);
            }
            SessionPhase::Waiting { until_ms, .. } if now_ms >= *until_ms => {
                self.refused_by_tenant(ErrorCode::StoreUnavailable.into(), fx);
            }
            SessionPhase::Open(open) => {
                if open.look_at_clock(env) {
                    self.close(CloseCode::TokenExpired, fx);
                } else if now_ms >= self.silent_ms(env.settings.heartbeat_ms) {
                    self.close(CloseCode::Timeout, fx);
                } else if now_ms >= self.ping_ms {
                    self.ping_ms = now_ms + env.settings.heartbeat_ms;
                    fx.push(SessionEffect::Ping);
                }
            }
            SessionPhase::Opening { .. }
            | SessionPhase::Waiting { .. }
            | SessionPhase::Closed(_) => {}
        }
    }
}
