//! One who calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::http::Reply;
use protocol::http::TokenIssued;
use protocol::limits::TOKEN_BYTES_MAX;
use protocol::message::AckStatus;
use protocol::outbound::BotsPage;
use protocol::plan::QuotaStatus;
use protocol::token::TokenRequest;
use protocol::{ErrorCode, MessageId, Outbound, Refusal, Rule, TenantId};
use router_core::auth::Source;
use router_core::session::{CallRequest, OpenedConnection, SessionInput};
use tokio::time::timeout;

use super::answer::{CallOutcome, answered_with, is_for_the_caller, refused_by};
use super::waiting::WaitingCall;
use crate::dialect::Dialect;
use crate::gate::OpenGuard;
use crate::node::core::Node;
use crate::node::drain::DrainPhase;
use crate::node::member::NodeMember;
use crate::ws::{Budget, LocalConnection, LocalEvent, ReadLimits};

/// One who calls, verified and a member of its tenant until this is dropped.
pub(crate) struct CallConnection {
    member: NodeMember,
    local: LocalConnection,
    /// How much it may send.
    pub(crate) limits: ReadLimits,
    /// The soft allowances of its tenant that are reached.
    pub(crate) quotas: Vec<QuotaStatus>,
}

impl CallConnection {
    /// Verifies the credential and joins its tenant. Errors: as a socket is refused.
    pub(crate) async fn join(
        node: &Arc<Node>,
        (source, open): (Source, OpenGuard),
        opened: OpenedConnection,
    ) -> Result<Self, Refusal> {
        if node.drain_phase() == DrainPhase::Ending {
            return Err(ErrorCode::Draining.into());
        }
        let mut local = None;
        let member = node.enter(
            Dialect::Http,
            |limits| {
                let (connection, taken) = LocalConnection::new(limits);
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
            quotas: Vec::new(),
        };
        caller.tell(SessionInput::Opened(opened));
        loop {
            match caller.local.next().await {
                LocalEvent::Resumed => break,
                LocalEvent::Outbound(outbound) => caller.note(answered_with(outbound)?),
                LocalEvent::Ended(why) => return Err(refused_by(why)),
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
        self.tell(SessionInput::Call(CallRequest::Send(send)));
        match self.answer().await? {
            CallOutcome::Ack(message_id, status) => Ok((message_id, status)),
            CallOutcome::Bots(_) | CallOutcome::Quota(_) => Err(ErrorCode::Internal.into()),
        }
    }

    /// The `data` of the reply to what was acknowledged; nothing if it does not come in time, or if
    /// the wait cannot last so long: an error that invites to try again would have the message
    /// delivered twice.
    ///
    /// Errors: the tenant was suspended, or the credential revoked.
    pub(crate) async fn reply(&mut self, wait: Duration) -> Result<Option<Bytes>, Refusal> {
        let _waiting = WaitingCall::begin(&self.member.node.metrics.http_waits);
        let mut reply = Reply::default();
        let gathered = async {
            loop {
                match self.local.next().await {
                    LocalEvent::Outbound(Outbound::Delivery(envelope)) => {
                        if let Some(data) = reply.take(envelope) {
                            return Ok(Some(data));
                        }
                    }
                    LocalEvent::Outbound(outbound) => {
                        // The node goes.
                        if answered_with(outbound).is_err() {
                            return Ok(None);
                        }
                    }
                    LocalEvent::Resumed => {}
                    LocalEvent::Ended(why) if is_for_the_caller(why) => {
                        return Err(refused_by(why));
                    }
                    LocalEvent::Ended(_) => return Ok(None),
                }
            }
        };
        timeout(wait, gathered).await.unwrap_or(Ok(None))
    }

    /// Asks for one page of bots, or for one bot.
    pub(crate) async fn bots(&mut self, call: CallRequest) -> Result<BotsPage, Refusal> {
        self.tell(SessionInput::Call(call));
        match self.answer().await? {
            CallOutcome::Bots(bots) => Ok(bots),
            CallOutcome::Ack(..) | CallOutcome::Quota(_) => Err(ErrorCode::Internal.into()),
        }
    }

    /// Makes a client token of what is asked for. Errors: as the request is refused, or it was
    /// expelled while its body was on the way.
    pub(crate) fn issue(&self, asked: TokenRequest) -> Result<TokenIssued, Refusal> {
        let node = &self.member.node;
        let snapshot = node.snapshot();
        let env = node.env(&snapshot);
        let claims = self.member.ask(|session| session.claims(&env, asked));
        let claims = claims.map_err(|(code, fault)| Refusal {
            fault,
            ..Refusal::from(code)
        })?;
        let token = node.credentials.issue_token(&claims);
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

    /// Its tenant, for whoever may know all of it. Errors: `forbidden_scope` with a token.
    pub(crate) fn account(&self) -> Result<TenantId, Refusal> {
        let account = self.member.ask(|session| session.account());
        account.map_err(Refusal::from)
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

    /// Keeps what was told besides an answer.
    fn note(&mut self, told: Option<CallOutcome>) {
        if let Some(CallOutcome::Quota(quota)) = told {
            self.quotas.push(quota);
        }
    }

    async fn answer(&mut self) -> Result<CallOutcome, Refusal> {
        loop {
            match self.local.next().await {
                LocalEvent::Outbound(outbound) => match answered_with(outbound)? {
                    Some(answer @ (CallOutcome::Ack(..) | CallOutcome::Bots(_))) => {
                        return Ok(answer);
                    }
                    told @ (Some(CallOutcome::Quota(_)) | None) => self.note(told),
                },
                LocalEvent::Resumed => {}
                LocalEvent::Ended(why) => return Err(refused_by(why)),
            }
        }
    }
}
