//! A call over HTTP: a short-lived connection of its tenant, with a `conn_` id of its own and the
//! same session, permits, quotas and duplicates as a socket; only what it is told is taken here, as
//! it is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metrics::Gauge;
use protocol::http::Reply;
use protocol::http::TokenIssued;
use protocol::limits::TOKEN_BYTES_MAX;
use protocol::message::AckStatus;
use protocol::outbound::BotsPage;
use protocol::token::TokenRequest;
use protocol::{Answer, CloseCode, ErrorCode, MessageId, Outbound, Refusal, Rule, TenantId};
use router_core::auth::Source;
use router_core::session::{Call, Opened, SessionInput};
use tokio::time::timeout;

use super::Node;
use super::member::Member;
use crate::dialect::Dialect;
use crate::gate::Open;
use crate::ws::{Budget, Ended, Local, ReadLimits, Told};

/// One who calls, verified and a member of its tenant until this is dropped.
pub(crate) struct Caller {
    member: Member,
    local: Local,
    /// How much it may send.
    pub(crate) limits: ReadLimits,
}

impl Caller {
    /// Verifies the credential and joins its tenant. Errors: as a socket is refused.
    pub(crate) async fn join(
        node: &Arc<Node>,
        (source, open): (Source, Open),
        opened: Opened,
    ) -> Result<Self, Refusal> {
        if node.is_draining() {
            return Err(ErrorCode::Draining.into());
        }
        let mut local = None;
        let member = node.enter(
            Dialect::Http,
            |limits| {
                let (connection, taken) = Local::new(limits);
                local = Some(taken);
                connection
            },
            source,
            open,
        );
        let mut caller = Self {
            member,
            local: local.expect("the node makes the connection it enters"),
            limits: node.read_limits_unauthenticated(),
        };
        caller.tell(SessionInput::Opened(opened));
        loop {
            match caller.local.next().await {
                Told::Resumed => break,
                Told::Outbound(outbound) => drop(answered_with(outbound)?),
                Told::Ended(why) => return Err(refused_by(why)),
            }
        }
        if let Some(limits) = caller.local.take_read_limits() {
            caller.limits = limits;
        }
        Ok(caller)
    }

    /// Sends a message; what became of it.
    pub(crate) async fn send(
        &mut self,
        send: protocol::message::Send,
    ) -> Result<(MessageId, AckStatus), Refusal> {
        self.tell(SessionInput::Call(Call::Send(send)));
        match self.answer().await? {
            Answered::Ack(message_id, status) => Ok((message_id, status)),
            Answered::Bots(_) => Err(ErrorCode::Internal.into()),
        }
    }

    /// The `data` of the reply to what was acknowledged; nothing if it does not come in time, or if
    /// the wait cannot last so long: an error that invites to try again would have the message
    /// delivered twice.
    ///
    /// Errors: the tenant was suspended, or the credential revoked.
    pub(crate) async fn reply(&mut self, wait: Duration) -> Result<Option<Bytes>, Refusal> {
        let _waiting = Waiting::begin(&self.member.node.metrics.http_waits);
        let mut reply = Reply::default();
        let gathered = async {
            loop {
                match self.local.next().await {
                    Told::Outbound(Outbound::Delivery(envelope)) => {
                        if let Some(data) = reply.take(envelope) {
                            return Ok(Some(data));
                        }
                    }
                    Told::Outbound(outbound) => {
                        // The node goes.
                        if answered_with(outbound).is_err() {
                            return Ok(None);
                        }
                    }
                    Told::Resumed => {}
                    Told::Ended(why) if is_for_the_caller(why) => return Err(refused_by(why)),
                    Told::Ended(_) => return Ok(None),
                }
            }
        };
        timeout(wait, gathered).await.unwrap_or(Ok(None))
    }

    /// Asks for one page of bots, or for one bot.
    pub(crate) async fn bots(&mut self, call: Call) -> Result<BotsPage, Refusal> {
        self.tell(SessionInput::Call(call));
        match self.answer().await? {
            Answered::Bots(bots) => Ok(bots),
            Answered::Ack(..) => Err(ErrorCode::Internal.into()),
        }
    }

    /// Makes a client token of what is asked for. Errors: as the request is refused, or it was
    /// expelled while its body was on the way.
    pub(crate) fn issue(&self, asked: TokenRequest) -> Result<TokenIssued, Refusal> {
        let node = &self.member.node;
        let view = node.view();
        let env = node.env(&view);
        let claims = self.member.ask(|session| session.claims(&env, asked));
        let claims = claims.map_err(|(code, fault)| Refusal {
            fault,
            ..Refusal::from(code)
        })?;
        let token = node.keyring.issue_token(&claims);
        // A longer one would never be verified.
        if token.reveal().len() > TOKEN_BYTES_MAX {
            return Err(Refusal::over(ErrorCode::TooLarge, Rule::Bots));
        }
        if let Some(why) = self.local.closed() {
            return Err(refused_by(why));
        }
        Ok(TokenIssued {
            token,
            expires_at: claims.exp * 1000,
        })
    }

    /// Its tenant, and what its bytes are taken from.
    pub(crate) fn charged(&self) -> Option<(TenantId, Budget)> {
        let tenant = self.member.tenant()?.clone();
        Some((tenant, self.member.socket().budget()))
    }

    fn tell(&mut self, input: SessionInput) {
        self.member.input(input);
        self.member.finish();
    }

    async fn answer(&mut self) -> Result<Answered, Refusal> {
        loop {
            match self.local.next().await {
                Told::Outbound(outbound) => {
                    if let Some(answered) = answered_with(outbound)? {
                        return Ok(answered);
                    }
                }
                Told::Resumed => {}
                Told::Ended(why) => return Err(refused_by(why)),
            }
        }
    }
}

/// Counted as waiting until it is dropped, as it is when the peer goes away.
struct Waiting(Gauge);

impl Waiting {
    fn begin(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// What a call is answered with.
enum Answered {
    Ack(MessageId, AckStatus),
    Bots(BotsPage),
}

/// What a call makes of what it is told. Errors: it is a refusal, or the node goes.
fn answered_with(outbound: Outbound) -> Result<Option<Answered>, Refusal> {
    match outbound {
        Outbound::Ack {
            message_id, status, ..
        } => Ok(Some(Answered::Ack(message_id, status))),
        Outbound::Refusal { refusal, .. } => Err(*refusal),
        Outbound::Answer { answer, .. } => match *answer {
            Answer::Bots(page) => Ok(Some(Answered::Bots(page))),
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
fn is_for_the_caller(why: Ended) -> bool {
    match why {
        Ended::Us(close) => match close {
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
        Ended::Peer(_) | Ended::Lost => false,
    }
}

/// A call whose connection was closed, in words of the error table.
fn refused_by(why: Ended) -> Refusal {
    let Ended::Us(close) = why else {
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
