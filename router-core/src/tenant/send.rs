//! Carries a message to its recipient's queues, and settles its answer.
//!
//! Nothing is acknowledged before a queue has it: [`Tenant::settled`] is told the outcome of every
//! delivery, and only there is the idempotency key recorded and the ack or error emitted.

use protocol::codec::encode;
use protocol::connect::Acks;
use protocol::frame::{AckStatus, SendKind};
use protocol::{ErrorCode, FrameId, Kind, MessageId};

use super::dedupe::Key;
use super::routes::Targets;
use super::{Tenant, message_rate};
use crate::check;
use crate::effect::{Class, Effect, Effects, Fact, Outbound, Outcome, Receipt};
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::permit::may_address;
use crate::refusal::Refusal;
use crate::request::{Purpose, Route};

/// A message whose outcomes are not all in.
#[derive(Debug)]
struct Delivery {
    number: u64,
    sender: ConnKey,
    request_id: Option<FrameId>,
    message_id: MessageId,
    /// Present if the sender gave the id.
    key: Option<Key>,
    bytes: usize,
    /// Which part of how many it is.
    part: Option<(u64, u64)>,
    /// Whose outcomes are not in yet, the next one last.
    waiting: Targets,
    delivered: bool,
    error: ErrorCode,
}

/// Messages being settled: as every outcome is reported at once, rarely more than one.
#[derive(Debug, Default)]
pub(super) struct Deliveries(Vec<Delivery>);

/// Where a message goes.
struct Plan {
    targets: Targets,
    key: Option<Key>,
    offline: ErrorCode,
}

enum Verdict {
    Go(Plan),
    Duplicate,
    Refused(ErrorCode, Option<Millis>),
}

impl Tenant {
    pub(crate) fn route(&mut self, env: &Env<'_>, route: Route, fx: &mut Effects) {
        let sender = route.permit.conn();
        // A connection that was expelled meanwhile is owed no answer: its close is on the way.
        let Some(conn) = self.routes.connection_mut(sender) else {
            return;
        };
        // Before the message is on its way: its reply may come at once.
        conn.await_reply(&route.envelope);
        let is_message = route.envelope.kind == SendKind::Message;
        match self.decide(env, sender, &route) {
            Verdict::Go(plan) if is_message => self.deliver(env, route, plan, fx),
            Verdict::Go(plan) => self.deliver_best_effort(env, route, plan, fx),
            Verdict::Duplicate => {
                fx.push(Effect::Note(Fact::Duplicate));
                let message_id = route.envelope.message_id;
                let Some(message_id) = message_id else { return };
                self.ack(
                    env,
                    sender,
                    route.request_id.as_ref(),
                    &message_id,
                    AckStatus::Duplicate,
                    fx,
                );
            }
            Verdict::Refused(..) if !is_message => fx.push(Effect::Note(Fact::BestEffortDropped)),
            Verdict::Refused(code, retry_ms) => {
                let own = route
                    .envelope
                    .message_id
                    .filter(|_| route.envelope.idempotent);
                let refusal = Refusal {
                    code,
                    message_id: own,
                    retry_ms,
                };
                refusal.tell(env, sender, route.request_id.as_ref(), fx);
            }
        }
    }

    fn decide(&mut self, env: &Env<'_>, sender: ConnKey, route: &Route) -> Verdict {
        let envelope = &route.envelope;
        let Some(conn) = self.routes.connection(sender) else {
            return Verdict::Refused(ErrorCode::NotYourIdentity, None);
        };
        if !self.speaks_as(conn, &envelope.from) {
            return Verdict::Refused(ErrorCode::NotYourIdentity, None);
        }
        // A call paid when it joined.
        if conn.purpose == Purpose::Socket
            && let Err(retry_ms) = self.rate.take(env.now_ms, message_rate(&self.limits))
        {
            return Verdict::Refused(ErrorCode::RateLimited, Some(retry_ms));
        }
        // Unknown and out of sight are one case, so that they cannot be told apart.
        let resolved = self.routes.resolve(envelope, sender);
        let Some(resolved) = resolved.filter(|it| may_address(&conn.grant, it.kind, &envelope.to))
        else {
            return Verdict::Refused(self.unknown(env), None);
        };
        let key = match &envelope.message_id {
            Some(id) if envelope.idempotent => {
                let key = self.dedupe.key(&envelope.to, &envelope.from, id);
                if self.dedupe.contains(&key, env.now_ms) {
                    return Verdict::Duplicate;
                }
                Some(key)
            }
            Some(_) | None => None,
        };
        let offline = match resolved.kind {
            Kind::Bot => ErrorCode::BotOffline,
            Kind::Client | Kind::Connection => ErrorCode::RecipientOffline,
        };
        if resolved.targets.is_empty() {
            return Verdict::Refused(offline, None);
        }
        Verdict::Go(Plan {
            targets: resolved.targets,
            key,
            offline,
        })
    }

    fn deliver(&mut self, env: &Env<'_>, route: Route, plan: Plan, fx: &mut Effects) {
        let Route {
            permit,
            request_id,
            envelope,
        } = route;
        let text = encode::delivery(&envelope, env.now_ms);
        let Some(message_id) = envelope.message_id else {
            return;
        };
        let ends = envelope.stream_id.map(|stream| (envelope.from, stream));
        let number = self.number();
        self.deliveries.0.push(Delivery {
            number,
            sender: permit.conn(),
            request_id,
            message_id,
            key: plan.key,
            bytes: text.len(),
            part: envelope.part,
            waiting: plan.targets.iter().rev().copied().collect(),
            delivered: false,
            error: plan.offline,
        });
        for conn in plan.targets {
            let receipt = Some(Receipt {
                tenant: self.id.clone(),
                number,
            });
            let class = Class::Message { ends: ends.clone() };
            let frame = Outbound {
                text: text.clone(),
                class,
            };
            fx.push(Effect::Deliver {
                receipt,
                conn,
                frame,
            });
        }
    }

    fn deliver_best_effort(&mut self, env: &Env<'_>, route: Route, plan: Plan, fx: &mut Effects) {
        let envelope = route.envelope;
        let text = encode::delivery(&envelope, env.now_ms);
        let class = Class::Partial {
            from: envelope.from,
            stream: envelope.stream_id,
        };
        for conn in plan.targets {
            fx.deliver(conn, text.clone(), class.clone());
        }
    }

    /// Takes the outcome of one delivery; the first success answers, else the last outcome does.
    pub(crate) fn settled(
        &mut self,
        env: &Env<'_>,
        number: u64,
        outcome: Outcome,
        fx: &mut Effects,
    ) {
        if self.presence_settled(env, number, outcome) {
            return;
        }
        let Some(at) = self.deliveries.0.iter().position(|it| it.number == number) else {
            check!(
                Invariant::OneAnswer,
                false,
                "delivery {number} was settled twice"
            );
            return;
        };
        let delivery = &mut self.deliveries.0[at];
        let conn = delivery.waiting.pop();
        let mut told_now = false;
        match outcome {
            Outcome::Queued => {
                told_now = !std::mem::replace(&mut delivery.delivered, true);
                if let Some(conn) = conn {
                    self.routes.hear(conn, delivery.part);
                }
            }
            Outcome::Full => delivery.error = ErrorCode::RecipientBusy,
            Outcome::Gone => {}
        }
        let done = delivery.waiting.is_empty();
        if told_now {
            let (sender, bytes, key) = (delivery.sender, delivery.bytes, delivery.key);
            let (id, message) = (delivery.request_id.clone(), delivery.message_id.clone());
            if let Some(key) = key {
                let is_new = self.dedupe.insert(key, env.now_ms);
                check!(
                    Invariant::NoDuplicate,
                    is_new,
                    "{message} was delivered again"
                );
            }
            fx.push(Effect::Note(Fact::Delivered { bytes }));
            self.ack(env, sender, id.as_ref(), &message, AckStatus::Delivered, fx);
        }
        if done {
            let delivery = self.deliveries.0.swap_remove(at);
            if !delivery.delivered {
                let own = delivery.key.map(|_| delivery.message_id);
                let refusal = Refusal::from(delivery.error).of(own);
                refusal.tell(env, delivery.sender, delivery.request_id.as_ref(), fx);
            }
        }
    }

    fn ack(
        &mut self,
        env: &Env<'_>,
        to: ConnKey,
        id: Option<&FrameId>,
        message: &MessageId,
        status: AckStatus,
        fx: &mut Effects,
    ) {
        let Some(conn) = self.routes.connection_mut(to) else {
            return;
        };
        conn.sent = true;
        if conn.acks == Acks::All {
            fx.deliver(
                to,
                encode::ack(message, status, id, env.now_ms),
                Class::Answer,
            );
        }
    }
}
