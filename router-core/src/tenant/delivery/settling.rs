//! Settles the answer of a message from the outcomes of its deliveries.
//!
//! The first success answers; else, when all outcomes are in, the gravest error does: unknown before
//! busy before unreachable before offline. Only here is an idempotency key recorded, and only
//! when a queue of this node took the message.

use bytes::Bytes;
use protocol::lane::Verdict;
use protocol::limits::MOVES_MAX;
use protocol::{BootId, Envelope, ErrorCode, Name};

use super::answers::{ack_delivered, ack_duplicate, refuse, refuse_route};
use super::flows::HeldMessage;
use super::pending::{DeliverySlot, MessageOrigin, PendingDelivery};
use super::{Delivery, DeliveryContext};
use crate::check;
use crate::effect::{Outcome, RouterFact, TenantEffect, TenantEffects};
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::lane::{LaneOutcome, Parcel};
use crate::request::RouteRequest;

/// A flow: from which connection, to which bot.
type FlowKey = (ConnKey, Name);

impl Delivery {
    /// Takes the outcome of one delivery of a message to a connection of this node; false: this one
    /// is no message's.
    pub fn settled(
        &mut self,
        mut ctx: DeliveryContext<'_>,
        number: u64,
        outcome: Outcome,
        fx: &mut TenantEffects,
    ) -> bool {
        let Some((slot, delivery)) = self.pending.find(number) else {
            return false;
        };
        let conn = delivery.waiting.pop();
        let mut first_bytes = None;
        match outcome {
            Outcome::Queued { bytes } => {
                first_bytes = delivery.note_delivered().then_some(bytes);
                ctx.meter.note_copy(ctx.env, bytes);
                if let Some(conn) = conn {
                    ctx.members.note_queued(conn, delivery.part);
                }
            }
            Outcome::Full => delivery.fails(ErrorCode::RecipientBusy),
            Outcome::Gone => {}
        }
        if let Some(bytes) = first_bytes {
            if let Some(print) = delivery.print {
                let is_new = self.dedupe.insert(print, ctx.env.now_ms);
                check!(
                    Invariant::NoDuplicate,
                    is_new,
                    "delivery {number} was made before"
                );
            }
            fx.push(TenantEffect::Note(RouterFact::Delivered { bytes }));
            ack_sender(&mut ctx, delivery, fx);
        }
        self.finish(&mut ctx, slot, fx);
        self.dispatch_ready(&mut ctx, fx);
        true
    }

    /// Takes what became of a message on its lane to another node.
    pub fn decided(
        &mut self,
        mut ctx: DeliveryContext<'_>,
        parcel: &Parcel,
        outcome: LaneOutcome,
        fx: &mut TenantEffects,
    ) {
        let Some((slot, delivery)) = self.pending.find(parcel.receipt.number) else {
            return;
        };
        delivery.nodes = delivery.nodes.saturating_sub(1);
        let MessageOrigin::Here(sent) = &delivery.origin else {
            return;
        };
        let remote = sent.remote.as_ref();
        let flow = remote.map(|remote| (sent.asked.conn, remote.to.clone()));
        match outcome {
            LaneOutcome::Delivered => {
                if delivery.note_delivered() {
                    ack_sender(&mut ctx, delivery, fx);
                }
                self.give_up_on_the_overtaken(&mut ctx, flow.as_ref(), fx);
            }
            LaneOutcome::Verdict(Verdict::Duplicate) => delivery.duplicate = true,
            LaneOutcome::Verdict(Verdict::Moved(to)) => {
                return self.moved(&mut ctx, slot, (to, &parcel.bytes), flow, fx);
            }
            LaneOutcome::Verdict(Verdict::Offline) => {}
            LaneOutcome::Verdict(Verdict::Refused(code)) => delivery.fails(code),
            LaneOutcome::Unknown => {
                delivery.fails(ErrorCode::DeliveryUnknown);
                self.give_up_on_the_overtaken(&mut ctx, flow.as_ref(), fx);
            }
            LaneOutcome::Unsent => delivery.fails(ErrorCode::Unreachable),
        }
        self.finish(&mut ctx, slot, fx);
        self.go_on(&mut ctx, flow, fx);
    }

    /// The bot is at home elsewhere: the message follows it, a few times.
    fn moved(
        &mut self,
        ctx: &mut DeliveryContext<'_>,
        slot: DeliverySlot,
        (to, envelope): (BootId, &Bytes),
        flow: Option<FlowKey>,
        fx: &mut TenantEffects,
    ) {
        let Some(delivery) = self.pending.get_mut(slot) else {
            return;
        };
        let MessageOrigin::Here(sent) = &delivery.origin else {
            return;
        };
        let remote = sent.remote.as_ref();
        let remote = remote.filter(|remote| remote.moves < MOVES_MAX);
        let again = remote.and_then(|remote| {
            let envelope = Envelope::from_bytes(envelope).ok()?;
            let tenant = ctx.receipts.tenant();
            Some(HeldMessage {
                route: Box::new(RouteRequest::again(&sent.asked, tenant, envelope)),
                moves: remote.moves + 1,
                moved: Some((remote.node, to)),
            })
        });
        match (again, &flow) {
            (Some(held), Some((from, bot))) => {
                self.flows.moved(*from, bot, held);
                self.pending.take(slot);
            }
            (_, _) => {
                delivery.fails(ErrorCode::Unreachable);
                self.finish(ctx, slot, fx);
            }
        }
        self.go_on(ctx, flow, fx);
    }

    /// A message was delivered, or may have been, while earlier ones of its flow were told to go
    /// elsewhere: they would arrive behind it, so they do not go.
    fn give_up_on_the_overtaken(
        &mut self,
        ctx: &mut DeliveryContext<'_>,
        flow: Option<&FlowKey>,
        fx: &mut TenantEffects,
    ) {
        let Some((from, to)) = flow else { return };
        for held in self.flows.delivered(*from, to) {
            refuse_route(ctx, &held.route, ErrorCode::Unreachable.into(), fx);
        }
    }

    /// What waited behind the last undecided message of a flow goes now.
    fn go_on(
        &mut self,
        ctx: &mut DeliveryContext<'_>,
        flow: Option<FlowKey>,
        fx: &mut TenantEffects,
    ) {
        let Some((from, to)) = flow else { return };
        self.flows.decided(from, &to);
        self.dispatch_ready(ctx, fx);
    }

    /// One at a time while they are for queues of this node: whether the next one repeats a message
    /// shows when that is in a queue.
    fn dispatch_ready(&mut self, ctx: &mut DeliveryContext<'_>, fx: &mut TenantEffects) {
        while !self.pending.wait_here()
            && let Some(held) = self.flows.next_ready()
        {
            self.dispatch(ctx, held, fx);
        }
    }

    /// Answers for a message whose outcomes are all in.
    fn finish(
        &mut self,
        ctx: &mut DeliveryContext<'_>,
        slot: DeliverySlot,
        fx: &mut TenantEffects,
    ) {
        let delivery = self.pending.get_mut(slot);
        if delivery.is_none_or(|it| !it.waiting.is_empty() || it.nodes > 0) {
            return;
        }
        let Some(delivery) = self.pending.take(slot) else {
            return;
        };
        let asked = match &delivery.origin {
            MessageOrigin::Here(sent) => &sent.asked,
            MessageOrigin::There => {
                return fx.push(TenantEffect::Decided(delivery.verdict()));
            }
        };
        // A repeat for one node and a conflict for another: not what was delivered before.
        let is_conflict = delivery.error == ErrorCode::IdempotencyConflict;
        match (delivery.delivered, delivery.duplicate && !is_conflict) {
            (true, _) => {}
            (false, true) => ack_duplicate(ctx, asked, fx),
            (false, false) => refuse(ctx, asked, delivery.error.into(), fx),
        }
    }
}

/// Tells the sender of a message that is in a queue, if that is a connection of this node.
fn ack_sender(ctx: &mut DeliveryContext<'_>, delivery: &PendingDelivery, fx: &mut TenantEffects) {
    if let MessageOrigin::Here(sent) = &delivery.origin {
        ack_delivered(ctx, &sent.asked, fx);
    }
}
