//! What a frame of the peer is taken for: within its rate, and in which phase.

use protocol::connect::Pong;
use protocol::limits::{BAD_FRAMES_MAX, BYTES_PER_UNIT};
use protocol::request::RejectedRequest;
use protocol::request::{ClientRequest, IncomingRequest};
use protocol::{CloseCode, ErrorCode, FrameId, MessageId, Outbound, Refusal};

use super::Session;
use super::input::ReceivedMessage;
use super::phase::SessionPhase;
use crate::effect::{RouterFact, SessionEffect, SessionEffects};
use crate::env::Env;
use crate::gcra::Rate;
use crate::request::FrameUsage;

impl Session {
    /// A message of the peer: within the rate, a frame; else, if an answer is promised, a refusal.
    pub(super) fn received(
        &mut self,
        env: &Env<'_>,
        received: ReceivedMessage,
        fx: &mut SessionEffects,
    ) {
        let ReceivedMessage { bytes, frame } = received;
        let weight = 1 + u32::try_from(bytes).unwrap_or(u32::MAX) / BYTES_PER_UNIT;
        let within_rate = self
            .frames
            .take_weighed(env.now_ms, self.frame_rate(), weight);
        let is_large = weight > 1;
        self.usage.begin(bytes);
        if let Ok(frame) = &frame {
            self.usage.note_request(&frame.request);
        }
        match (frame, within_rate) {
            (Err(rejected), Ok(())) => {
                if is_large {
                    fx.push(SessionEffect::Note(RouterFact::Unpaid));
                }
                self.reject(*rejected, fx);
            }
            (Err(rejected), Err(retry_ms)) => {
                let refusal = Refusal::rate(retry_ms).of(rejected.message_id);
                self.refuse(rejected.id.as_ref(), refusal, fx);
            }
            (Ok(frame), Ok(())) => {
                if is_large && !is_message(bytes, &frame.request) {
                    fx.push(SessionEffect::Note(RouterFact::Unpaid));
                }
                self.frame(env, frame, fx);
            }
            (Ok(frame), Err(retry_ms)) if has_answer(&frame.request) => {
                let refusal = Refusal::rate(retry_ms).of(message_id_of(&frame.request));
                self.refuse(frame.id.as_ref(), refusal, fx);
            }
            (Ok(_), Err(_)) => {
                fx.push(SessionEffect::Note(RouterFact::BestEffortDropped));
                fx.push(SessionEffect::Note(RouterFact::Unpaid));
            }
        }
    }

    pub(super) fn frame_rate(&self) -> Rate {
        Rate {
            per_second: self.limits.frames_per_second,
            burst: self.limits.frames_burst,
        }
    }

    fn frame(
        &mut self,
        env: &Env<'_>,
        IncomingRequest { id, request }: IncomingRequest,
        fx: &mut SessionEffects,
    ) {
        let outcome = match (&self.phase, request) {
            (_, ClientRequest::Ping) => {
                let pong = Pong {
                    timestamp: self.stamps.stamp(env.unix_ms),
                };
                fx.push(SessionEffect::Deliver(Outbound::Pong {
                    id: id.clone(),
                    pong,
                }));
                Ok(())
            }
            (SessionPhase::Opening { .. }, ClientRequest::Auth(auth)) => {
                self.auth(id.clone(), *auth, fx)
            }
            (SessionPhase::Opening { .. } | SessionPhase::Waiting { .. }, _) => {
                Err(Refusal::from(ErrorCode::Unauthorized))
            }
            (SessionPhase::Open(_), request) => self.request(env, id.clone(), request, fx),
            (SessionPhase::Closed(_), _) => return,
        };
        match outcome {
            Ok(()) => self.bad_frames = 0,
            Err(refusal) => self.refuse(id.as_ref(), refusal, fx),
        }
    }

    fn reject(&mut self, mut rejected: RejectedRequest, fx: &mut SessionEffects) {
        let id = rejected.id.take();
        self.refuse(id.as_ref(), Refusal::from(rejected), fx);
    }

    /// Answers with `error`; the twentieth bad frame in a row ends the socket.
    pub(super) fn refuse(
        &mut self,
        id: Option<&FrameId>,
        refusal: Refusal,
        fx: &mut SessionEffects,
    ) {
        let status = refusal.code.status();
        self.usage.note_refusal(refusal.code.class());
        fx.refuse(self.key, id, refusal);
        let bad = status == 400 || !matches!(self.phase, SessionPhase::Open(_));
        if !bad {
            return;
        }
        self.bad_frames += 1;
        if self.bad_frames >= BAD_FRAMES_MAX {
            self.close(CloseCode::PolicyViolation, fx);
        }
    }
}

impl Session {
    /// What its tenant must count of the last input, of which `bytes_out` bytes of answers are in the queue;
    /// `None`: nothing, or it belongs to no tenant yet.
    pub(crate) fn take_usage(&mut self, bytes_out: u64) -> Option<FrameUsage> {
        let frame = std::mem::take(&mut self.usage);
        let (bytes_in, refused_message) = (frame.bytes(), frame.refused_message());
        if bytes_in == 0 && bytes_out == 0 && refused_message.is_none() {
            return None;
        }
        match &self.phase {
            SessionPhase::Open(open) | SessionPhase::Closed(Some(open)) => Some(FrameUsage {
                tenant: open.grant.tenant().clone(),
                bytes_in,
                bytes_out,
                refused_message,
            }),
            SessionPhase::Opening { .. }
            | SessionPhase::Waiting { .. }
            | SessionPhase::Closed(None) => None,
        }
    }
}

/// The id that a message gave itself.
fn message_id_of(request: &ClientRequest) -> Option<MessageId> {
    let ClientRequest::Send(send) = request else {
        return None;
    };
    send.message.message_id
}

/// Whether all of a frame but less than 8 KiB is a message, which its tenant's rates weigh.
fn is_message(bytes: usize, request: &ClientRequest) -> bool {
    let paid = if let ClientRequest::Send(send) = request {
        send.message.body.len()
    } else {
        0
    };
    bytes < paid + BYTES_PER_UNIT as usize
}

/// Whether the protocol promises an answer to this request.
fn has_answer(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::Send(send) => send.message.kind == protocol::message::SendKind::Message,
        ClientRequest::Auth(_)
        | ClientRequest::RegisterBot(_)
        | ClientRequest::UnregisterBot(_)
        | ClientRequest::Subscribe(_)
        | ClientRequest::Unsubscribe(_)
        | ClientRequest::ListBots(_)
        | ClientRequest::Status(_)
        | ClientRequest::Later
        | ClientRequest::Ping => true,
    }
}
