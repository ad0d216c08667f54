//! What the sender of a message is told.

use protocol::connect::Acks;
use protocol::limits::UNREACHABLE_RETRY_MS;
use protocol::message::{AckStatus, SendKind};
use protocol::{ErrorCode, Outbound, Refusal};

use super::DeliveryContext;
use crate::effect::{RouterFact, TenantEffect, TenantEffects};
use crate::env::Millis;
use crate::request::{AckContext, RouteRequest};
use crate::tenant::members::Members;
use crate::tenant::meter::messages::MessageFate;

/// Acknowledges a message to its sender, if that is still here and wants to know.
fn ack(members: &mut Members, asked: &AckContext, status: AckStatus, fx: &mut TenantEffects) {
    let to = asked.conn;
    let (Some(conn), Some(message_id)) = (members.connection_mut(to), &asked.message_id) else {
        return;
    };
    conn.sent = true;
    if conn.acks == Acks::All {
        let ack = Outbound::Ack {
            id: asked.request_id.clone(),
            message_id: *message_id,
            status,
        };
        fx.deliver(to, ack);
    }
}

/// Acknowledges a message that was delivered.
pub(super) fn ack_delivered(
    ctx: &mut DeliveryContext<'_>,
    asked: &AckContext,
    fx: &mut TenantEffects,
) {
    ctx.meter.decide(ctx.env, MessageFate::Accepted);
    ack(ctx.members, asked, AckStatus::Delivered, fx);
}

/// Acknowledges a message that was delivered before.
pub(super) fn ack_duplicate(
    ctx: &mut DeliveryContext<'_>,
    asked: &AckContext,
    fx: &mut TenantEffects,
) {
    ctx.meter.decide(ctx.env, MessageFate::Duplicate);
    fx.push(TenantEffect::Note(RouterFact::Duplicate));
    ack(ctx.members, asked, AckStatus::Duplicate, fx);
}

/// Answers that a message cannot be delivered.
pub(super) fn refuse(
    ctx: &mut DeliveryContext<'_>,
    asked: &AckContext,
    refusal: Refusal,
    fx: &mut TenantEffects,
) {
    let code = refusal.code;
    ctx.meter
        .decide(ctx.env, MessageFate::Refused(code.class()));
    let refusal = Refusal {
        message_id: asked.message_id.filter(|_| asked.idempotent),
        retry_ms: refusal.retry_ms.or_else(|| retry_ms_of(code)),
        ..refusal
    };
    fx.refuse(asked.conn, asked.request_id.as_ref(), refusal);
}

/// Answers that a message, partial or typing does not go on its way. Only a message is answered.
pub(super) fn refuse_route(
    ctx: &mut DeliveryContext<'_>,
    route: &RouteRequest,
    refusal: Refusal,
    fx: &mut TenantEffects,
) {
    if route.envelope.message.kind != SendKind::Message {
        if refusal.code == ErrorCode::RateLimited {
            fx.push(TenantEffect::Note(RouterFact::Unpaid));
        }
        return fx.push(TenantEffect::Note(RouterFact::BestEffortDropped));
    }
    refuse(ctx, &route.ack_context(), refusal, fx);
}

/// When it makes sense to send again, if the code says.
fn retry_ms_of(code: ErrorCode) -> Option<Millis> {
    (code == ErrorCode::Unreachable).then_some(UNREACHABLE_RETRY_MS)
}
