//! Takes a message from another node: it is delivered here or nowhere.

use protocol::lane::Verdict;
use protocol::message::SendKind;
use protocol::{Envelope, ErrorCode, Kind};

use super::addressing::{MessageRecipients, TargetNodes};
use super::dedupe::KnownMessage;
use super::pending::MessageOrigin;
use super::sending::{DeliveryPlan, charge_copies, deliver_best_effort};
use super::{Delivery, DeliveryContext};
use crate::effect::{RouterFact, TenantEffect, TenantEffects};

impl Delivery {
    /// Takes a message, partial or typing. A message ends in one [`TenantEffect::Decided`], within
    /// the same hold of the shard.
    pub fn inbound(
        &mut self,
        mut ctx: DeliveryContext<'_>,
        envelope: Envelope,
        fx: &mut TenantEffects,
    ) {
        let is_message = envelope.message.kind == SendKind::Message;
        let decided = self.decide_inbound(&ctx, &envelope);
        if let Ok(plan) = &decided {
            charge_copies(&mut ctx, None, &envelope, plan);
        }
        match (decided, is_message) {
            (Ok(plan), true) => {
                self.deliver_here(&mut ctx, MessageOrigin::There, envelope, &plan, fx);
            }
            (Ok(plan), false) => deliver_best_effort(&ctx, envelope, plan, fx),
            (Err(verdict), true) => fx.push(TenantEffect::Decided(Some(verdict))),
            (Err(_), false) => fx.push(TenantEffect::Note(RouterFact::BestEffortDropped)),
        }
    }

    fn decide_inbound(
        &mut self,
        ctx: &DeliveryContext<'_>,
        envelope: &Envelope,
    ) -> Result<DeliveryPlan, Verdict> {
        let recipients = MessageRecipients::of(envelope, None, ctx.members, ctx.bots);
        let Some(recipients) = recipients else {
            return Err(Verdict::Offline);
        };
        let MessageRecipients {
            kind,
            targets,
            nodes,
        } = recipients;
        let print = self.print_of(envelope);
        match self.dedupe.known(print.as_ref(), ctx.env.now_ms) {
            KnownMessage::New => {}
            KnownMessage::Repeat => return Err(Verdict::Duplicate),
            KnownMessage::Conflict => {
                return Err(Verdict::Refused(ErrorCode::IdempotencyConflict));
            }
        }
        match (targets.is_empty(), kind, nodes.first()) {
            (false, ..) => Ok(DeliveryPlan {
                kind,
                targets,
                nodes: TargetNodes::new(),
                print,
            }),
            (true, Kind::Bot, Some(home)) => Err(Verdict::Moved(*home)),
            (true, ..) => Err(Verdict::Offline),
        }
    }
}
