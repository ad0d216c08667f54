//! One connection, from its first byte to its last: the machine that turns frames into requests.
//!
//! ```text
//!            auth frame or upgrade            Verified(Ok)              Joined
//!  Opening ───────────────────────▶ Waiting ───────────────▶ Waiting ──────────▶ Open ──▶ Closed
//!     ▲                                │  refused: auth_error, error, close        frames become
//!     └── wrong in shape: may try again┘                                          requests
//! ```
//!
//! A session knows nobody but itself: what it may do is its [`Grant`]; who holds what is its
//! tenant's to say. `connect.rs` has the way to `Open`, `request.rs` what an open session asks,
//! `liveness.rs` when a silent peer is gone.
//! While [`Session::is_waiting`], the reader must not hand it frames: they wait in the socket.

mod connect;
mod liveness;
mod request;
mod token;

use std::sync::Arc;

use protocol::connect::{Acks, Migrate, Pong};
use protocol::limits::{BAD_FRAMES_MAX, BYTES_PER_UNIT};
use protocol::presence::ListBots;
use protocol::request::Rejected;
use protocol::request::{Frame, Request};
use protocol::{
    Answer, ClientId, CloseCode, ConnectionId, ErrorCode, FrameId, Limits, MessageId, Outbound,
    Refusal, TenantId,
};

use crate::auth::{AuthError, Credential};
use crate::capabilities::Capabilities;
use crate::effect::{Fact, SessionEffect, SessionEffects};
use crate::env::{Env, Millis};
use crate::gcra::{Gcra, Rate};
use crate::ids::ConnKey;
use crate::permit::Grant;
use crate::request::{Leave, Notice};
use liveness::Stamps;

/// What happens to a connection.
#[derive(Debug)]
pub enum Input {
    /// The socket is open; the upgrade may have brought a credential.
    Opened(Opened),
    /// A message of the peer.
    Received(Received),
    /// A request that is no frame: over HTTP.
    Call(Call),
    /// A control frame: a sign of life.
    Alive,
    /// Bytes came from the peer, or were acknowledged by it, at this time: a sign of life too, however
    /// long a frame takes.
    Moved {
        /// When, on the clock of [`Env::now_ms`].
        at_ms: Millis,
    },
    /// The process stood still for a while: what came meanwhile is not read yet.
    Resumed,
    /// The answer to [`SessionEffect::Verify`].
    Verified(Result<Grant, AuthError>),
    /// Word from the tenant.
    Notice(Notice),
    /// The node goes: tell the client, take no new messages.
    Draining(Migrate),
    /// [`Session::next_wakeup`] is due.
    Wake,
    /// The socket is gone.
    Gone,
}

/// A message of the peer, as its dialect understands it.
#[derive(Debug)]
pub struct Received {
    /// How long the message is, bytes: a long one weighs more than one frame.
    pub bytes: usize,
    /// What is asked, or why that is not understood.
    pub frame: Result<Frame, Box<Rejected>>,
}

/// What can be asked over HTTP. Its answer is a frame all the same.
#[derive(Debug)]
pub enum Call {
    /// Carry a message; answered with `message_ack`.
    Send(protocol::message::Send),
    /// One page of bots; answered with `bots_list`.
    List(ListBots),
    /// One bot; answered with a `bots_list` of one.
    Find(String),
}

/// What the upgrade request said, or the head of one over HTTP.
#[derive(Debug, Default)]
pub struct Opened {
    /// The credential, if it brought one.
    pub credential: Option<Credential>,
    /// `?clientId=`.
    pub client: Option<String>,
    /// `?acks=`.
    pub acks: Acks,
    /// What the connection receives, and how it pays.
    pub capabilities: Capabilities,
}

/// The state of one connection.
#[derive(Debug)]
pub struct Session {
    key: ConnKey,
    id: ConnectionId,
    phase: Phase,
    seen_ms: Millis,
    ping_ms: Millis,
    frames: Gcra,
    registers: Gcra,
    bad_frames: u32,
    draining: bool,
    capabilities: Capabilities,
    stamps: Stamps,
    limits: Arc<Limits>,
}

#[derive(Debug)]
enum Phase {
    Opening {
        until_ms: Millis,
    },
    Waiting {
        until_ms: Millis,
        asked: Box<connect::Asked>,
    },
    Open(Open),
    /// Who it was, if it was open: the log tells of its end after this.
    Closed(Option<Open>),
}

#[derive(Debug)]
struct Open {
    grant: Grant,
    client: ClientId,
    /// When to look whether its credential has expired, as the wall clock is now.
    expires_at_ms: Millis,
}

impl Open {
    /// Whether the credential has expired; if not, when to look again. The wall clock may have been
    /// set since the last look.
    fn look_at_clock(&mut self, env: &Env<'_>) -> bool {
        let Some(expires_ms) = self.grant.expires_ms() else {
            return false;
        };
        let left_ms = expires_ms.saturating_sub(env.unix_ms);
        self.expires_at_ms = env.now_ms.saturating_add(left_ms);
        left_ms == 0
    }
}

impl Session {
    /// A session of a socket that is about to open.
    pub fn new(key: ConnKey, env: &Env<'_>) -> Self {
        Self {
            key,
            id: env.connection_id(),
            phase: Phase::Opening {
                until_ms: env.now_ms + env.settings.handshake_timeout_ms,
            },
            seen_ms: env.now_ms,
            ping_ms: Millis::MAX,
            frames: Gcra::default(),
            registers: Gcra::default(),
            bad_frames: 0,
            draining: false,
            capabilities: Capabilities::default(),
            stamps: Stamps::default(),
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
            Phase::Open(open) | Phase::Closed(Some(open)) => {
                Some((open.grant.tenant(), &open.client))
            }
            Phase::Opening { .. } | Phase::Waiting { .. } | Phase::Closed(None) => None,
        }
    }

    /// The tenant that a verified credential names, while its tenant has not decided about it.
    pub fn joining(&self) -> Option<&TenantId> {
        match &self.phase {
            Phase::Waiting { asked, .. } => asked.tenant.as_ref(),
            Phase::Opening { .. } | Phase::Open(_) | Phase::Closed(_) => None,
        }
    }

    /// What it receives, and how it pays.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Whether frames must wait: a credential is being checked.
    pub fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. })
    }

    /// Largest message it may send now, bytes.
    pub fn frame_bytes_max(&self) -> usize {
        match self.phase {
            Phase::Open(_) => self.limits.frame_bytes as usize,
            Phase::Opening { .. } | Phase::Waiting { .. } | Phase::Closed(_) => {
                protocol::limits::FRAME_BYTES_UNAUTHENTICATED
            }
        }
    }

    /// When it wants [`Input::Wake`], on the clock of [`Env::now_ms`].
    pub fn next_wakeup(&self, heartbeat_ms: Millis) -> Option<Millis> {
        match &self.phase {
            Phase::Opening { until_ms } | Phase::Waiting { until_ms, .. } => Some(*until_ms),
            Phase::Open(open) => {
                let silent_ms = self.silent_ms(heartbeat_ms);
                Some(self.ping_ms.min(silent_ms).min(open.expires_at_ms))
            }
            Phase::Closed(_) => None,
        }
    }

    /// Takes one input and says what must be done about it.
    pub fn handle(&mut self, env: &Env<'_>, input: Input, fx: &mut SessionEffects) {
        if matches!(self.phase, Phase::Closed(_)) {
            return;
        }
        match input {
            Input::Opened(opened) => self.opened(env, opened, fx),
            Input::Received(received) => {
                self.seen_ms = env.now_ms;
                self.received(env, received, fx);
            }
            Input::Call(call) => self.call(env, call, fx),
            Input::Alive => self.seen_ms = env.now_ms,
            Input::Moved { at_ms } => self.seen_ms = self.seen_ms.max(at_ms),
            Input::Resumed => self.resumed(env, fx),
            Input::Verified(verdict) => self.verified(env, verdict, fx),
            Input::Notice(Notice::Joined { client, tenant }) => self.joined(env, client, tenant),
            Input::Notice(Notice::Refused { code, retry_ms }) => {
                let refusal = Refusal {
                    retry_ms,
                    ..Refusal::from(code)
                };
                self.refused_by_tenant(refusal, fx);
            }
            Input::Draining(migrate) => {
                self.draining = true;
                fx.answer(None, Answer::Migrate(migrate));
            }
            Input::Wake => self.wake(env, fx),
            Input::Gone => self.gone(fx),
        }
    }

    fn received(&mut self, env: &Env<'_>, received: Received, fx: &mut SessionEffects) {
        let Received { bytes, frame } = received;
        let weight = 1 + u32::try_from(bytes).unwrap_or(u32::MAX) / BYTES_PER_UNIT;
        let within_rate = self
            .frames
            .take_weighed(env.now_ms, self.frame_rate(), weight);
        let is_large = weight > 1;
        match (frame, within_rate) {
            (Err(rejected), Ok(())) => {
                if is_large {
                    fx.push(SessionEffect::Note(Fact::Unpaid));
                }
                self.reject(rejected, fx);
            }
            (Err(rejected), Err(retry_ms)) => {
                let refusal = Refusal::rate(retry_ms).of(rejected.message_id);
                self.refuse(rejected.id.as_ref(), refusal, fx);
            }
            (Ok(frame), Ok(())) => {
                if is_large && !is_message(bytes, &frame.request) {
                    fx.push(SessionEffect::Note(Fact::Unpaid));
                }
                self.frame(env, frame, fx);
            }
            (Ok(frame), Err(retry_ms)) if has_answer(&frame.request) => {
                let refusal = Refusal::rate(retry_ms).of(message_id_of(&frame.request));
                self.refuse(frame.id.as_ref(), refusal, fx);
            }
            (Ok(_), Err(_)) => {
                fx.push(SessionEffect::Note(Fact::BestEffortDropped));
                fx.push(SessionEffect::Note(Fact::Unpaid));
            }
        }
    }

    fn frame_rate(&self) -> Rate {
        Rate {
            per_second: self.limits.frames_per_second,
            burst: self.limits.frames_burst,
        }
    }

    fn frame(&mut self, env: &Env<'_>, Frame { id, request }: Frame, fx: &mut SessionEffects) {
        let outcome = match (&self.phase, request) {
            (_, Request::Ping) => {
                let pong = Pong {
                    timestamp: self.stamps.stamp(env.unix_ms),
                };
                fx.push(SessionEffect::Deliver(Outbound::Pong {
                    id: id.clone(),
                    pong,
                }));
                Ok(())
            }
            (Phase::Opening { .. }, Request::Auth(auth)) => self.auth(id.clone(), *auth, fx),
            (Phase::Opening { .. } | Phase::Waiting { .. }, _) => {
                Err(Refusal::from(ErrorCode::Unauthorized))
            }
            (Phase::Open(_), request) => self.request(env, id.clone(), request, fx),
            (Phase::Closed(_), _) => return,
        };
        match outcome {
            Ok(()) => self.bad_frames = 0,
            Err(refusal) => self.refuse(id.as_ref(), refusal, fx),
        }
    }

    fn reject(&mut self, mut rejected: Box<Rejected>, fx: &mut SessionEffects) {
        let id = rejected.id.take();
        self.refuse(id.as_ref(), Refusal::from(*rejected), fx);
    }

    /// Answers with `error`; the twentieth bad frame in a row ends the socket.
    fn refuse(&mut self, id: Option<&FrameId>, refusal: Refusal, fx: &mut SessionEffects) {
        let status = refusal.code.status();
        fx.refuse(id, refusal);
        let bad = status == 400 || !matches!(self.phase, Phase::Open(_));
        if !bad {
            return;
        }
        self.bad_frames += 1;
        if self.bad_frames >= BAD_FRAMES_MAX {
            self.close(CloseCode::PolicyViolation, fx);
        }
    }

    fn wake(&mut self, env: &Env<'_>, fx: &mut SessionEffects) {
        let now_ms = env.now_ms;
        match &mut self.phase {
            Phase::Opening { until_ms } if now_ms >= *until_ms => {
                self.close(CloseCode::Timeout, fx);
            }
            Phase::Waiting { until_ms, .. } if now_ms >= *until_ms => {
                self.refused_by_tenant(ErrorCode::StoreUnavailable.into(), fx);
            }
            Phase::Open(open) => {
                if open.look_at_clock(env) {
                    self.close(CloseCode::TokenExpired, fx);
                } else if now_ms >= self.silent_ms(env.settings.heartbeat_ms) {
                    self.close(CloseCode::Timeout, fx);
                } else if now_ms >= self.ping_ms {
                    self.ping_ms = now_ms + env.settings.heartbeat_ms;
                    fx.push(SessionEffect::Ping);
                }
            }
            Phase::Opening { .. } | Phase::Waiting { .. } | Phase::Closed(_) => {}
        }
    }

    /// Ends the socket behind what is queued for it. The tenant lets go of it at once.
    fn close(&mut self, close: CloseCode, fx: &mut SessionEffects) {
        self.gone(fx);
        fx.push(SessionEffect::Close(close));
    }

    fn gone(&mut self, fx: &mut SessionEffects) {
        let tenant = match std::mem::replace(&mut self.phase, Phase::Closed(None)) {
            Phase::Open(open) => {
                let tenant = open.grant.tenant.clone();
                self.phase = Phase::Closed(Some(open));
                Some(tenant)
            }
            Phase::Waiting { asked, .. } => asked.tenant,
            Phase::Opening { .. } | Phase::Closed(_) => None,
        };
        if let Some(tenant) = tenant {
            fx.push(SessionEffect::Leave(Leave {
                tenant,
                conn: self.key,
            }));
        }
    }
}

/// The id that a message gave itself.
fn message_id_of(request: &Request) -> Option<MessageId> {
    let Request::Send(send) = request else {
        return None;
    };
    send.message.message_id
}

/// Whether all of a frame but less than 8 KiB is a message, which its tenant's rates weigh.
fn is_message(bytes: usize, request: &Request) -> bool {
    let paid = if let Request::Send(send) = request {
        send.message.body.len()
    } else {
        0
    };
    bytes < paid + BYTES_PER_UNIT as usize
}

/// Whether the protocol promises an answer to this request.
fn has_answer(request: &Request) -> bool {
    match request {
        Request::Send(send) => send.message.kind == protocol::message::SendKind::Message,
        Request::Auth(_)
        | Request::RegisterBot(_)
        | Request::UnregisterBot(_)
        | Request::Subscribe(_)
        | Request::Unsubscribe(_)
        | Request::ListBots(_)
        | Request::Status(_)
        | Request::Later
        | Request::Ping => true,
    }
}
