//! Sends a message of a connection of this node on its way.

use std::sync::Arc;

use protocol::message::SendKind;
use protocol::{BootId, Envelope, ErrorCode, Kind, Outbound, Refusal, RefusalClass, Shared};

use super::addressing::{MessageRecipients, TargetNodes, Targets, offline_code};
use super::answers::{ack_duplicate, refuse_route};
use super::dedupe::{KnownMessage, MessagePrint};
use super::flows::{FlowGate, HeldMessage};
use super::pending::{MessageOrigin, PendingDelivery, RemoteBot, SentMessage};
use super::wire::{WireCopy, wire_copies};
use super::{Delivery, DeliveryContext};
use crate::effect::{RouterFact, TenantEffect, TenantEffects};
use crate::env::Env;
use crate::ids::ConnKey;
use crate::lane;
use crate::membership::PeerNode;
use crate::permit::may_address;
use crate::request::RouteRequest;
use crate::tenant::context::unknown_code;
use crate::tenant::meter::messages::MessageFate;
use crate::tenant::quota::QuotaUse;

/// Where a message goes.
pub(super) struct DeliveryPlan {
    pub kind: Kind,
    pub targets: Targets,
    pub nodes: TargetNodes,
    pub print: Option<MessagePrint>,
}

/// What is done about a message.
enum RouteDecision {
    Go(DeliveryPlan),
    Duplicate,
    Refused(ErrorCode),
}

impl Delivery {
    /// Takes a message of a connection.
    pub fn route(
        &mut self,
        mut ctx: DeliveryContext<'_>,
        route: Box<RouteRequest>,
        fx: &mut TenantEffects,
    ) {
        let sender = route.conn;
        // A connection that was expelled meanwhile is owed no answer: its close is on the way.
        let Some(conn) = ctx.members.connection_mut(sender) else {
            return;
        };
        // Before the message is on its way: its reply may come at once.
        conn.await_reply(&route.envelope);
        if route.envelope.message.kind == SendKind::Message {
            ctx.meter.begin_message();
        }
        let taken = ctx
            .members
            .take_message(ctx.env, ctx.limits, sender, &route.envelope);
        if let Err(refusal) = taken {
            return refuse_route(&mut ctx, &route, refusal, fx);
        }
        if let Some(quota) = ctx.quota
            && let Some(spent) = quota.spent(ctx.env, ctx.meter, QuotaUse::Sending)
        {
            return refuse_route(&mut ctx, &route, Refusal::quota(spent), fx);
        }
        let held = HeldMessage {
            route,
            moves: 0,
            moved: None,
        };
        self.dispatch(&mut ctx, held, fx);
    }

    /// Sends a message its way: a new one, or one that waited.
    pub(super) fn dispatch(
        &mut self,
        ctx: &mut DeliveryContext<'_>,
        held: HeldMessage,
        fx: &mut TenantEffects,
    ) {
        let sender = held.route.conn;
        let is_message = held.route.envelope.message.kind == SendKind::Message;
        if ctx.members.connection(sender).is_none() {
            // It left while its message waited: nobody is told, but the message is decided.
            if is_message {
                let fate = MessageFate::Refused(RefusalClass::Client);
                ctx.meter.decide(ctx.env, fate);
            }
            return;
        }
        let plan = match self.decide(ctx, sender, &held) {
            RouteDecision::Go(plan) => plan,
            RouteDecision::Duplicate => {
                return ack_duplicate(ctx, &held.route.ack_context(), fx);
            }
            RouteDecision::Refused(code) => {
                return refuse_route(ctx, &held.route, code.into(), fx);
            }
        };
        if plan.kind == Kind::Bot {
            let (to, node) = (&held.route.envelope.message.to, plan.nodes.first().copied());
            match (self.flows.gate(sender, to, node), is_message) {
                (FlowGate::Open, _) => {}
                (FlowGate::Hold, true) => return self.hold(ctx, held, fx),
                (FlowGate::Hold, false) => {
                    return fx.push(TenantEffect::Note(RouterFact::BestEffortDropped));
                }
            }
        }
        charge_copies(ctx, Some(sender), &held.route.envelope, &plan);
        match is_message {
            true => self.deliver(ctx, held, plan, fx),
            false => deliver_best_effort(ctx, held.route.envelope, plan, fx),
        }
    }

    fn decide(
        &mut self,
        ctx: &DeliveryContext<'_>,
        sender: ConnKey,
        held: &HeldMessage,
    ) -> RouteDecision {
        let envelope = &held.route.envelope;
        let Some(conn) = ctx.members.connection(sender) else {
            return RouteDecision::Refused(ErrorCode::NotYourIdentity);
        };
        // Unknown and out of sight are one case, so that they cannot be told apart.
        let recipients = MessageRecipients::of(envelope, Some(sender), ctx.members, ctx.bots);
        let Some(recipients) =
            recipients.filter(|it| may_address(&conn.grant, it.kind, &envelope.message.to))
        else {
            return RouteDecision::Refused(unknown_code(ctx.env));
        };
        let print = self.print_of(envelope);
        match self.dedupe.known(print.as_ref(), ctx.env.now_ms) {
            KnownMessage::New => {}
            KnownMessage::Repeat => return RouteDecision::Duplicate,
            KnownMessage::Conflict => {
                return RouteDecision::Refused(ErrorCode::IdempotencyConflict);
            }
        }
        let MessageRecipients {
            kind,
            targets,
            mut nodes,
        } = recipients;
        let known = nodes.len();
        keep_reachable(ctx.env, &mut nodes, held.moved);
        if targets.is_empty() && nodes.is_empty() {
            let code = match known {
                0 => offline_code(kind),
                _ => ErrorCode::Unreachable,
            };
            return RouteDecision::Refused(code);
        }
        RouteDecision::Go(DeliveryPlan {
            kind,
            targets,
            nodes,
            print,
        })
    }

    fn hold(
        &mut self,
        ctx: &mut DeliveryContext<'_>,
        mut held: HeldMessage,
        fx: &mut TenantEffects,
    ) {
        let sender = held.route.conn;
        let to = held.route.envelope.message.to.clone();
        // What waits must not pin the buffer it was read into.
        held.route.envelope.message.body = held.route.envelope.message.body.detach();
        if let Err(held) = self.flows.hold(sender, &to, held) {
            refuse_route(ctx, &held.route, ErrorCode::RecipientBusy.into(), fx);
        }
    }

    fn deliver(
        &mut self,
        ctx: &mut DeliveryContext<'_>,
        held: HeldMessage,
        plan: DeliveryPlan,
        fx: &mut TenantEffects,
    ) {
        let HeldMessage { route, moves, .. } = held;
        let copies =
            (!plan.nodes.is_empty()).then(|| wire_copies(ctx.env, &route.envelope, &plan.nodes));
        let of_bot = plan.nodes.first().filter(|_| plan.kind == Kind::Bot);
        let remote = of_bot.map(|node| RemoteBot {
            node: *node,
            to: route.envelope.message.to.clone(),
            moves,
        });
        if let Some(remote) = &remote {
            self.flows.sent(route.conn, &remote.to, remote.node);
        }
        let asked = route.ack_context();
        let origin = MessageOrigin::Here(SentMessage { asked, remote });
        let number = self.deliver_here(ctx, origin, route.envelope, &plan, fx);
        let Some(copies) = copies else { return };
        for WireCopy { node, bytes, .. } in copies {
            let parcel = lane::Parcel {
                receipt: ctx.receipts.receipt(number),
                bytes,
            };
            fx.push(TenantEffect::Publish { node, parcel });
        }
    }

    /// Puts a message into queues of this node and begins to wait for all its outcomes. Returns the
    /// number that they are told under.
    pub(super) fn deliver_here(
        &mut self,
        ctx: &mut DeliveryContext<'_>,
        origin: MessageOrigin,
        envelope: Envelope,
        plan: &DeliveryPlan,
        fx: &mut TenantEffects,
    ) -> u64 {
        let number = ctx.receipts.next_number();
        let mut waiting = Targets::from_slice(&plan.targets);
        waiting.reverse();
        self.pending.begin(PendingDelivery {
            number,
            origin,
            print: plan.print,
            part: envelope.message.part,
            waiting,
            nodes: plan.nodes.len(),
            delivered: false,
            duplicate: false,
            error: offline_code(plan.kind),
        });
        // The last one takes the message along: then its text is nobody else's.
        let Some((last, others)) = plan.targets.split_last() else {
            return number;
        };
        let mut enqueue = |conn: ConnKey, envelope: Arc<Shared<Envelope>>| {
            fx.push(TenantEffect::Deliver {
                receipt: Some(ctx.receipts.receipt(number)),
                conn,
                outbound: Outbound::Delivery(envelope),
            });
        };
        let envelope = Arc::new(Shared::new(envelope));
        for conn in others {
            enqueue(*conn, Arc::clone(&envelope));
        }
        enqueue(*last, envelope);
        number
    }
}

/// Of the nodes that a message goes to, those that can be reached. `moved`: the node that refused it,
/// and the one that it named instead. Whoever told us that the bot has moved knows more than this
/// replica.
fn keep_reachable(env: &Env<'_>, nodes: &mut TargetNodes, moved: Option<(BootId, BootId)>) {
    if let Some((old, new)) = moved
        && nodes[..] == [old]
    {
        nodes[0] = new;
    }
    nodes.retain(|boot| {
        let peer = env.nodes.peers.get(boot);
        peer.is_none_or(PeerNode::is_reachable) && *boot != env.nodes.own
    });
}

/// Charges for all places that a message goes to but the first, which it paid before.
pub(super) fn charge_copies(
    ctx: &mut DeliveryContext<'_>,
    sender: Option<ConnKey>,
    envelope: &Envelope,
    plan: &DeliveryPlan,
) {
    let copies = plan.targets.len() + plan.nodes.len();
    if copies > 1 {
        ctx.members
            .charge_copies(ctx.env, ctx.limits, sender, (envelope, copies - 1));
    }
}

/// Puts a partial or typing into queues here and onto lanes. Its sender gets no answer.
pub(super) fn deliver_best_effort(
    ctx: &DeliveryContext<'_>,
    envelope: Envelope,
    plan: DeliveryPlan,
    fx: &mut TenantEffects,
) {
    for WireCopy { node, bytes, .. } in wire_copies(ctx.env, &envelope, &plan.nodes) {
        fx.push(TenantEffect::PublishBestEffort {
            tenant: ctx.receipts.tenant().clone(),
            node,
            stream: Box::new((
                envelope.from.clone(),
                envelope.message.to.clone(),
                envelope.message.stream_id.clone(),
            )),
            envelope: bytes,
        });
    }
    if plan.targets.is_empty() {
        return;
    }
    let envelope = Arc::new(Shared::new(envelope));
    for conn in plan.targets {
        fx.deliver(conn, Outbound::Delivery(Arc::clone(&envelope)));
    }
}
