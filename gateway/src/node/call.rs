//! A call over HTTP: a short-lived connection of its tenant, with a `conn_` id of its own and the
//! same session, permits, quotas and duplicates as a socket; only its frames are taken here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metrics::Gauge;
use protocol::codec::{Rejected, Reply, Taken};
use protocol::frame::{AckStatus, ServerFrame, ServerMessage, Status, TypedStatus};
use protocol::http::{TokenIssued, TokenRequest};
use protocol::limits::TOKEN_BYTES_MAX;
use protocol::presence::{BotsList, ListBots};
use protocol::{CloseCode, ErrorCode, Fault, MessageId, Rule, TenantId};
use router_core::auth::Source;
use router_core::session::{Call, Input, Opened};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::Node;
use super::member::Member;
use crate::gate::Open;
use crate::ws::{Budget, Ended, Local, ReadLimits, Told};

/// Why a call is refused: a row of the error table, the member that is to blame if one is, and when
/// to come back if that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: ErrorCode,
    pub(crate) fault: Option<Fault>,
    pub(crate) retry_after_ms: Option<u64>,
}

impl Refused {
    /// The refusal of a request over one of its members.
    pub(crate) fn over(code: ErrorCode, rule: Rule) -> Self {
        Self {
            fault: Some(Fault::of(rule)),
            ..Self::from(code)
        }
    }
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self {
            code,
            fault: Rule::implied_by(code).map(Fault::of),
            retry_after_ms: None,
        }
    }
}

impl From<Rejected> for Refused {
    fn from(rejected: Rejected) -> Self {
        Self {
            code: rejected.code,
            fault: rejected.fault,
            retry_after_ms: None,
        }
    }
}

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
    ) -> Result<Self, Refused> {
        if node.is_draining() {
            return Err(ErrorCode::Draining.into());
        }
        let mut local = None;
        let member = node.enter(
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
        caller.tell(Input::Opened(opened));
        loop {
            match caller.local.next().await {
                Told::Resumed => break,
                Told::Frame(frame) => drop(answer_of(&frame)?),
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
        send: protocol::frame::Send,
    ) -> Result<(MessageId, AckStatus), Refused> {
        self.tell(Input::Call(Call::Send(send)));
        match self.answer().await? {
            Answer::Ack(message_id, status) => Ok((message_id, status)),
            Answer::Bots(_) => Err(ErrorCode::Internal.into()),
        }
    }

    /// The `data` of the reply to what was acknowledged; nothing if it does not come in time, or if
    /// the wait cannot last so long: an error that invites to try again would have the message
    /// delivered twice.
    ///
    /// Errors: the tenant was suspended, or the credential revoked.
    pub(crate) async fn reply(&mut self, wait: Duration) -> Result<Option<Bytes>, Refused> {
        let _waiting = Waiting::begin(&self.member.node.metrics.http_waits);
        let mut reply = Reply::default();
        let gathered = async {
            loop {
                match self.local.next().await {
                    Told::Frame(frame) => match reply.take(&frame) {
                        Taken::Whole(data) => return Ok(Some(data)),
                        Taken::Part => {}
                        // The node goes.
                        Taken::Other if answer_of(&frame).is_err() => return Ok(None),
                        Taken::Other => {}
                    },
                    Told::Resumed => {}
                    Told::Ended(why) if is_for_the_caller(why) => return Err(refused_by(why)),
                    Told::Ended(_) => return Ok(None),
                }
            }
        };
        timeout(wait, gathered).await.unwrap_or(Ok(None))
    }

    /// Asks for one page of bots: the JSON of a [`BotPage`](protocol::http::BotPage).
    pub(crate) async fn list(&mut self, list: ListBots) -> Result<Vec<u8>, Refused> {
        self.tell(Input::Call(Call::List(list)));
        loop {
            match self.local.next().await {
                Told::Frame(frame) => match page_of(&frame) {
                    Some(page) => return Ok(page),
                    None => drop(answer_of(&frame)?),
                },
                Told::Resumed => {}
                Told::Ended(why) => return Err(refused_by(why)),
            }
        }
    }

    /// Asks for one bot.
    pub(crate) async fn bots(&mut self, call: Call) -> Result<BotsList, Refused> {
        self.tell(Input::Call(call));
        match self.answer().await? {
            Answer::Bots(bots) => Ok(bots),
            Answer::Ack(..) => Err(ErrorCode::Internal.into()),
        }
    }

    /// Makes a client token of what is asked for. Errors: as the request is refused, or it was
    /// expelled while its body was on the way.
    pub(crate) fn issue(&self, asked: TokenRequest) -> Result<TokenIssued, Refused> {
        let node = &self.member.node;
        let view = node.view();
        let env = node.env(&view);
        let claims = self.member.ask(|session| session.claims(&env, asked));
        let claims = claims.map_err(|(code, fault)| Refused {
            fault,
            ..Refused::from(code)
        })?;
        let token = node.keyring.issue_token(&claims);
        // A longer one would never be verified.
        if token.reveal().len() > TOKEN_BYTES_MAX {
            return Err(Refused::over(ErrorCode::TooLarge, Rule::Bots));
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

    fn tell(&mut self, input: Input) {
        self.member.input(input);
        self.member.finish();
    }

    async fn answer(&mut self) -> Result<Answer, Refused> {
        loop {
            match self.local.next().await {
                Told::Frame(frame) => {
                    if let Some(answer) = answer_of(&frame)? {
                        return Ok(answer);
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
enum Answer {
    Ack(MessageId, AckStatus),
    Bots(BotsList),
}

/// The page of a `bots_list` frame, whose entries are copied and not read: a page has up to 128 KiB
/// of them. Absent: it is another frame.
fn page_of(frame: &Bytes) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Frame<'a> {
        #[serde(borrow)]
        data: Page<'a>,
    }
    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Page<'a> {
        #[serde(borrow)]
        bots: &'a RawValue,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_cursor: Option<&'a str>,
    }
    // A page is shorter than its frame. A buffer that grows would take up to twice what is charged.
    let mut page = Vec::with_capacity(frame.len());
    let frame: Frame<'_> = serde_json::from_slice(frame).ok()?;
    serde_json::to_writer(&mut page, &frame.data).ok()?;
    Some(page)
}

/// Reads a frame of this gateway. Errors: it is a refusal, or the node goes.
fn answer_of(frame: &Bytes) -> Result<Option<Answer>, Refused> {
    let frame: ServerFrame = serde_json::from_slice(frame).map_err(|_| ErrorCode::Internal)?;
    Ok(match frame.message {
        ServerMessage::MessageAck(ack) => Some(Answer::Ack(ack.message_id, ack.status)),
        ServerMessage::Status(Status::Typed(TypedStatus::BotsList(bots))) => {
            Some(Answer::Bots(bots))
        }
        ServerMessage::Error(error) => {
            let sentence = error.message.split_once(": ").map(|(_, sentence)| sentence);
            return Err(Refused {
                code: error.reason,
                fault: sentence.and_then(Fault::told),
                retry_after_ms: error.retry_after_ms,
            });
        }
        ServerMessage::Migrate(_) => return Err(ErrorCode::Draining.into()),
        // What follows them says the reason, or they are not for calls.
        ServerMessage::AuthError(_)
        | ServerMessage::AuthOk(_)
        | ServerMessage::Status(_)
        | ServerMessage::BotRegistered(_)
        | ServerMessage::BotUnregistered(_)
        | ServerMessage::BotStatus(_)
        | ServerMessage::Message(_)
        | ServerMessage::MessagePartial(_)
        | ServerMessage::Typing(_)
        | ServerMessage::Pong(_) => None,
    })
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
fn refused_by(why: Ended) -> Refused {
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
