//! What the gateway tells one connection: meanings, which the dialect of the connection encodes.
//!
//! Routing makes them and knows no dialect. What several connections are told is [`Shared`]: it is
//! encoded once for each dialect.

use std::sync::Arc;

use crate::connect::{AuthError, AuthOk, Connected, Migrate, Pong};
use crate::envelope::Envelope;
use crate::error::ErrorCode;
use crate::ids::{BotId, FrameId, MessageId};
use crate::message::{AckStatus, SendKind};
use crate::plan::{QuotaStatus, SpentAllowance};
use crate::presence::{BotInfo, BotRegistered, BotStatus, BotUnregistered, Subscription};
use crate::request::RejectedRequest;
use crate::rule::{Fault, Rule};
use crate::shared::Shared;
use crate::status::{ConnectionsList, FullStatus};

/// What one connection is told.
#[derive(Debug, Clone)]
pub enum Outbound {
    /// The answer to the request `id`, or what nobody asked for.
    Answer {
        /// The request.
        id: Option<FrameId>,
        /// What it is told.
        answer: Box<Answer>,
    },
    /// A message is where `status` says.
    Ack {
        /// The request.
        id: Option<FrameId>,
        /// The message.
        message_id: MessageId,
        /// What became of it.
        status: AckStatus,
    },
    /// The answer to `ping`.
    Pong {
        /// The request.
        id: Option<FrameId>,
        /// What it says.
        pong: Pong,
    },
    /// The request `id` is refused.
    Refusal {
        /// The request.
        id: Option<FrameId>,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// A message, a partial or typing for it.
    Delivery(Arc<Shared<Envelope>>),
    /// A bot came, went or changed.
    Presence(Arc<Shared<BotStatus>>),
}

/// The less frequent things that a connection is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The socket is open.
    Connected(Connected),
    /// The credential is good.
    AuthOk(AuthOk),
    /// The credential is refused; the refusal follows.
    AuthError(AuthError),
    /// It is the bot's home.
    BotRegistered(BotRegistered),
    /// It is no longer the bot's home.
    BotUnregistered(BotUnregistered),
    /// It is told of the bot's changes.
    Subscribed(Subscription),
    /// It is no longer told of them.
    Unsubscribed(Subscription),
    /// A page of bots.
    Bots(BotsPage),
    /// A page of connections.
    Connections(ConnectionsList),
    /// What the tenant has.
    Full(FullStatus),
    /// The tenant has reached a soft allowance of its plan.
    Quota(QuotaStatus),
    /// This node goes.
    Migrate(Migrate),
}

/// A page of bots.
#[derive(Debug, Clone, PartialEq)]
pub struct BotsPage {
    /// In id order.
    pub bots: Vec<Arc<Shared<BotInfo>>>,
    /// The last bot of the page, if there is another page.
    pub next_cursor: Option<BotId>,
    /// The request's `requestId`, if it gave one.
    pub request_id: Option<String>,
}

/// Why a request is refused: a row of the error table, and what the answer says besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The row.
    pub code: ErrorCode,
    /// The member that is to blame, if one is.
    pub fault: Option<Fault>,
    /// The message that is refused, if it was one that named itself.
    pub message_id: Option<MessageId>,
    /// When it makes sense to try again, in milliseconds, if that is known.
    pub retry_ms: Option<u64>,
    /// The allowance that is used up, if one is.
    pub spent: Option<SpentAllowance>,
}

/// What kind of thing a connection is told, for a queue that must choose and for rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboundKind {
    /// The answer to a request.
    Answer,
    /// A refusal: counted towards 4429.
    Refusal,
    /// A `pong`: counted towards 4429, as no rate of the tenant pays for it.
    Pong,
    /// A message; it ends the stream it names.
    Message,
    /// A partial or typing: a newer one of its stream replaces a waiting one.
    Partial,
    /// A bot's change. If the queue is full, the newest one is sent once there is room.
    Presence,
}

impl Outbound {
    /// What kind of thing it is.
    #[inline]
    pub fn kind(&self) -> OutboundKind {
        match self {
            Outbound::Answer { .. } | Outbound::Ack { .. } => OutboundKind::Answer,
            Outbound::Pong { .. } => OutboundKind::Pong,
            Outbound::Refusal { .. } => OutboundKind::Refusal,
            Outbound::Delivery(envelope) => match envelope.message.kind {
                SendKind::Message => OutboundKind::Message,
                SendKind::MessagePartial | SendKind::Typing => OutboundKind::Partial,
            },
            Outbound::Presence(_) => OutboundKind::Presence,
        }
    }
}

/// What every value is charged for its members other than a body or a page, bytes.
const SMALL_BYTES: usize = 256;

impl Outbound {
    /// What a queue is charged for it if it is queued as a value, not as a frame, bytes.
    pub fn charged_bytes(&self) -> usize {
        let more = match self {
            Outbound::Delivery(envelope) => envelope.message.body.len(),
            Outbound::Answer { answer, .. } => match &**answer {
                Answer::Bots(page) => page.bots.iter().map(|bot| bot.written_bytes()).sum(),
                Answer::Connected(_)
                | Answer::AuthOk(_)
                | Answer::AuthError(_)
                | Answer::BotRegistered(_)
                | Answer::BotUnregistered(_)
                | Answer::Subscribed(_)
                | Answer::Unsubscribed(_)
                | Answer::Connections(_)
                | Answer::Full(_)
                | Answer::Quota(_)
                | Answer::Migrate(_) => 0,
            },
            Outbound::Ack { .. }
            | Outbound::Pong { .. }
            | Outbound::Refusal { .. }
            | Outbound::Presence(_) => 0,
        };
        SMALL_BYTES + more
    }

    /// The same with a body of its own. The body of a delivery is a slice of the read buffer, which
    /// must not be kept.
    #[must_use]
    pub fn detach(self) -> Self {
        let Outbound::Delivery(envelope) = self else {
            return self;
        };
        let mut envelope = Arc::unwrap_or_clone(envelope);
        let message = &mut envelope.get_mut().message;
        message.body = message.body.detach();
        Outbound::Delivery(Arc::new(envelope))
    }
}

impl Refusal {
    /// The refusal of a request that comes too fast.
    pub fn rate(retry_ms: u64) -> Self {
        Self {
            retry_ms: Some(retry_ms),
            ..Self::from(ErrorCode::RateLimited)
        }
    }

    /// The refusal of a request for which the month's allowance is used up.
    pub fn quota(spent: SpentAllowance) -> Self {
        Self {
            spent: Some(spent),
            ..Self::from(ErrorCode::QuotaExceeded)
        }
    }

    /// The refusal of a request over one of its members.
    pub fn over(code: ErrorCode, rule: Rule) -> Self {
        Self {
            fault: Some(Fault::of(rule)),
            ..Self::from(code)
        }
    }

    /// Whether the same request may succeed soon. An allowance is whole again next month only.
    pub fn retryable(&self) -> bool {
        self.spent.is_none() && self.code.retryable()
    }

    /// What is wrong besides the row, if that is known: with a member, or with an allowance.
    pub fn detail(&self) -> Option<String> {
        let fault = self.fault.map(Fault::sentence);
        let spent = || self.spent.map(|spent| spent.to_string());
        fault.or_else(spent)
    }

    /// What a person is told: the sentence of the row, and behind it what is wrong.
    pub fn message(&self) -> String {
        match self.detail() {
            Some(detail) => format!("{}: {detail}", self.code.text()),
            None => self.code.text().to_owned(),
        }
    }

    /// The same refusal, of this message.
    #[must_use]
    pub fn of(self, message_id: Option<MessageId>) -> Self {
        Self { message_id, ..self }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self {
            code,
            fault: Rule::implied_by(code).map(Fault::of),
            message_id: None,
            retry_ms: None,
            spent: None,
        }
    }
}

impl From<RejectedRequest> for Refusal {
    fn from(rejected: RejectedRequest) -> Self {
        Self {
            code: rejected.code,
            fault: rejected.fault,
            message_id: rejected.message_id,
            retry_ms: None,
            spent: None,
        }
    }
}
