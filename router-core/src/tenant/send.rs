//! Carries a message to its recipient: into queues here, or onto lanes to other nodes.
//!
//! ```text
//!  route ─▶ decide ─▶ dispatch ─▶ Deliver ─▶ settled ─┐
//!             │           └─────▶ Publish ─▶ decided ─┴─▶ ack or error
//!             └─ a flow is turning: held, dispatched later
//!  inbound ─────────▶ dispatch ─▶ Deliver ─▶ settled ───▶ Decided(verdict)
//! ```
//!
//! Nothing is acknowledged before a queue has it; `settle.rs` takes the outcomes. What comes from
//! another node is delivered here or nowhere: it is never published again.

use std::sync::Arc;

use bytes::Bytes;
use protocol::lane::{Terms, Verdict as LaneVerdict};
use protocol::limits::UNREACHABLE_RETRY_MS;
use protocol::message::{AckStatus, SendKind};
use protocol::{BootId, Envelope, ErrorCode, Kind, Outbound, Refusal, Shared};
use smallvec::SmallVec;

use super::Tenant;
use super::dedupe::{Known, Print};
use super::flows::{Gate, Held};
use super::rates::{Payer, Weight};
use super::routes::{Resolved, TargetNodes, Targets};
use super::settle::{Away, Delivery, Origin, Sent, ack};
use crate::effect::{Fact, Receipt, TenantEffect, TenantEffects};
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::lane;
use crate::membership::Peer;
use crate::permit::may_address;
use crate::request::{Asked, Route};

/// Where a message goes.
struct Plan {
    kind: Kind,
    targets: Targets,
    nodes: TargetNodes,
    print: Option<Print>,
}

enum Verdict {
    Go(Plan),
    Duplicate,
    Refused(ErrorCode, Option<Millis>),
}

impl Tenant {
    pub(crate) fn route(&mut self, env: &Env<'_>, route: Box<Route>, fx: &mut TenantEffects) {
        let sender = route.conn;
        // A connection that was expelled meanwhile is owed no answer: its close is on the way.
        let Some(conn) = self.routes.connection_mut(sender) else {
            return;
        };
        // Before the message is on its way: its reply may come at once.
        conn.await_reply(&route.envelope);
        if let Err((code, retry_ms)) = self.may_send(env, sender, &route.envelope) {
            return self.refuse_route(&route, code, retry_ms, fx);
        }
        let held = Held {
            route,
            moves: 0,
            moved: None,
        };
        self.dispatch(env, held, fx);
    }

    fn may_send(
        &mut self,
        env: &Env<'_>,
        sender: ConnKey,
        envelope: &Envelope,
    ) -> Result<(), (ErrorCode, Option<Millis>)> {
        let Some(conn) = self.routes.connection(sender) else {
            return Err((ErrorCode::NotYourIdentity, None));
        };
        if !self.speaks_as(conn, &envelope.from) {
            return Err((ErrorCode::NotYourIdentity, None));
        }
        // A call paid when it joined.
        let is_paid = conn.capabilities.pays_when_it_joins();
        let grant = Some(&conn.grant);
        let payer = Payer::new(env, &self.limits, &self.routes, grant);
        let weight = Weight::of(envelope.message.body.len(), is_paid);
        let taken = self.rates.take_message(payer, weight);
        taken.map_err(|retry_ms| (ErrorCode::RateLimited, Some(retry_ms)))
    }

    /// Charges for all places that a message goes to but the first, which it paid before.
    fn charge_copies(
        &mut self,
        env: &Env<'_>,
        sender: Option<ConnKey>,
        envelope: &Envelope,
        plan: &Plan,
    ) {
        let copies = plan.targets.len() + plan.nodes.len();
        if copies <= 1 {
            return;
        }
        let conn = sender.and_then(|sender| self.routes.connection(sender));
        let grant = conn.map(|conn| &conn.grant);
        let payer = Payer::new(env, &self.limits, &self.routes, grant);
        let weight = Weight::of(envelope.message.body.len(), true);
        self.rates.charge_copies(payer, weight, copies - 1);
    }

    /// Sends a message its way: a new one, or one that waited.
    pub(super) fn dispatch(&mut self, env: &Env<'_>, held: Held, fx: &mut TenantEffects) {
        let sender = held.route.conn;
        if self.routes.connection(sender).is_none() {
            return;
        }
        let is_message = held.route.envelope.message.kind == SendKind::Message;
        let plan = match self.decide(env, sender, &held) {
            Verdict::Go(plan) => plan,
            Verdict::Duplicate => return self.duplicate(&held.route.asked(), fx),
            Verdict::Refused(code, retry_ms) => {
                return self.refuse_route(&held.route, code, retry_ms, fx);
            }
        };
        if plan.kind == Kind::Bot {
            let (to, node) = (&held.route.envelope.message.to, plan.nodes.first().copied());
            match (self.flows.gate(sender, to, node), is_message) {
                (Gate::Open, _) => {}
                (Gate::Hold, true) => return self.hold(held, fx),
                (Gate::Hold, false) => return fx.push(TenantEffect::Note(Fact::BestEffortDropped)),
            }
        }
        self.charge_copies(env, Some(sender), &held.route.envelope, &plan);
        match is_message {
            true => self.deliver(env, held, plan, fx),
            false => self.deliver_best_effort(env, held.route.envelope, plan, fx),
        }
    }

    fn decide(&mut self, env: &Env<'_>, sender: ConnKey, held: &Held) -> Verdict {
        let envelope = &held.route.envelope;
        let Some(conn) = self.routes.connection(sender) else {
            return Verdict::Refused(ErrorCode::NotYourIdentity, None);
        };
        // Unknown and out of sight are one case, so that they cannot be told apart.
        let resolved = self.routes.resolve(envelope, Some(sender));
        let Some(resolved) =
            resolved.filter(|it| may_address(&conn.grant, it.kind, &envelope.message.to))
        else {
            return Verdict::Refused(self.unknown(env), None);
        };
        let print = self.print_of(envelope);
        match self.known(env, print.as_ref()) {
            Known::New => {}
            Known::Repeat => return Verdict::Duplicate,
            Known::Conflict => return Verdict::Refused(ErrorCode::IdempotencyConflict, None),
        }
        let Resolved {
            kind,
            targets,
            mut nodes,
        } = resolved;
        // Whoever told us that the bot has moved knows more than this replica.
        if let Some((old, new)) = held.moved
            && nodes[..] == [old]
        {
            nodes[0] = new;
        }
        let is_reachable = |boot: &BootId| {
            let peer = env.nodes.peers.get(boot);
            peer.is_none_or(Peer::is_reachable)
        };
        let known = nodes.len();
        nodes.retain(|boot| is_reachable(boot) && *boot != env.nodes.own);
        if targets.is_empty() && nodes.is_empty() {
            let code = match known {
                0 => offline(kind),
                _ => ErrorCode::Unreachable,
            };
            return Verdict::Refused(code, None);
        }
        Verdict::Go(Plan {
            kind,
            targets,
            nodes,
            print,
        })
    }

    fn hold(&mut self, mut held: Held, fx: &mut TenantEffects) {
        let sender = held.route.conn;
        let to = held.route.envelope.message.to.clone();
        // What waits must not pin the buffer it was read into.
        held.route.envelope.message.body = held.route.envelope.message.body.detach();
        if let Err(held) = self.flows.hold(sender, &to, held) {
            self.refuse_route(&held.route, ErrorCode::RecipientBusy, None, fx);
        }
    }

    fn deliver(&mut self, env: &Env<'_>, held: Held, plan: Plan, fx: &mut TenantEffects) {
        let Held { route, moves, .. } = held;
        let copies =
            (!plan.nodes.is_empty()).then(|| wire_copies(env, &route.envelope, &plan.nodes));
        let of_bot = plan.nodes.first().filter(|_| plan.kind == Kind::Bot);
        let away = of_bot.map(|node| Away {
            node: *node,
            to: route.envelope.message.to.clone(),
            moves,
        });
        if let Some(away) = &away {
            self.flows.sent(route.conn, &away.to, away.node);
        }
        let asked = route.asked();
        let sent = Sent { asked, away };
        let number = self.deliver_here(Origin::Here(sent), route.envelope, &plan, fx);
        let Some(copies) = copies else { return };
        for WireCopy { node, bytes, .. } in copies {
            let parcel = lane::Parcel {
                receipt: self.receipt(number),
                bytes,
            };
            fx.push(TenantEffect::Publish { node, parcel });
        }
    }

    /// Puts a message into queues of this node and begins to wait for all its outcomes. Returns the
    /// number that they are told under.
    fn deliver_here(
        &mut self,
        origin: Origin,
        envelope: Envelope,
        plan: &Plan,
        fx: &mut TenantEffects,
    ) -> u64 {
        let number = self.number();
        let mut waiting = Targets::from_slice(&plan.targets);
        waiting.reverse();
        self.deliveries.begin(Delivery {
            number,
            origin,
            print: plan.print,
            part: envelope.message.part,
            waiting,
            nodes: plan.nodes.len(),
            delivered: false,
            duplicate: false,
            error: offline(plan.kind),
        });
        // The last one takes the message along: then its text is nobody else's.
        let Some((last, others)) = plan.targets.split_last() else {
            return number;
        };
        let envelope = Arc::new(Shared::new(envelope));
        for conn in others {
            self.enqueue(number, *conn, Arc::clone(&envelope), fx);
        }
        self.enqueue(number, *last, envelope, fx);
        number
    }

    fn enqueue(
        &self,
        number: u64,
        conn: ConnKey,
        envelope: Arc<Shared<Envelope>>,
        fx: &mut TenantEffects,
    ) {
        fx.push(TenantEffect::Deliver {
            receipt: Some(self.receipt(number)),
            conn,
            outbound: Outbound::Delivery(envelope),
        });
    }

    fn deliver_best_effort(
        &mut self,
        env: &Env<'_>,
        envelope: Envelope,
        plan: Plan,
        fx: &mut TenantEffects,
    ) {
        for WireCopy { node, bytes, .. } in wire_copies(env, &envelope, &plan.nodes) {
            fx.push(TenantEffect::PublishBestEffort {
                tenant: self.id.clone(),
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

    /// Takes a message from another node: it is delivered here or nowhere. A message ends in one
    /// [`TenantEffect::Decided`], within the same hold of the shard.
    pub(crate) fn inbound(&mut self, env: &Env<'_>, envelope: Envelope, fx: &mut TenantEffects) {
        let is_message = envelope.message.kind == SendKind::Message;
        let decided = self.decide_inbound(env, &envelope);
        if let Ok(plan) = &decided {
            self.charge_copies(env, None, &envelope, plan);
        }
        match (decided, is_message) {
            (Ok(plan), true) => {
                self.deliver_here(Origin::There, envelope, &plan, fx);
            }
            (Ok(plan), false) => self.deliver_best_effort(env, envelope, plan, fx),
            (Err(verdict), true) => fx.push(TenantEffect::Decided(Some(verdict))),
            (Err(_), false) => fx.push(TenantEffect::Note(Fact::BestEffortDropped)),
        }
    }

    fn decide_inbound(&mut self, env: &Env<'_>, envelope: &Envelope) -> Result<Plan, LaneVerdict> {
        let resolved = self.routes.resolve(envelope, None);
        let Some(resolved) = resolved else {
            return Err(LaneVerdict::Offline);
        };
        let Resolved {
            kind,
            targets,
            nodes,
        } = resolved;
        let print = self.print_of(envelope);
        match self.known(env, print.as_ref()) {
            Known::New => {}
            Known::Repeat => return Err(LaneVerdict::Duplicate),
            Known::Conflict => return Err(LaneVerdict::Refused(ErrorCode::IdempotencyConflict)),
        }
        match (targets.is_empty(), kind, nodes.first()) {
            (false, ..) => Ok(Plan {
                kind,
                targets,
                nodes: TargetNodes::new(),
                print,
            }),
            (true, Kind::Bot, Some(home)) => Err(LaneVerdict::Moved(*home)),
            (true, ..) => Err(LaneVerdict::Offline),
        }
    }

    #[inline]
    fn print_of(&self, envelope: &Envelope) -> Option<Print> {
        let message = &envelope.message;
        let id = message.message_id.as_ref();
        let id = id.filter(|_| envelope.idempotent)?;
        let print = self
            .dedupe
            .print(&message.to, &envelope.from, id, &message.body);
        Some(print)
    }

    #[inline]
    fn known(&mut self, env: &Env<'_>, print: Option<&Print>) -> Known {
        match print {
            Some(print) => self.dedupe.look(print, env.now_ms),
            None => Known::New,
        }
    }

    fn receipt(&self, number: u64) -> Receipt {
        Receipt {
            tenant: self.id.clone(),
            number,
        }
    }

    pub(super) fn duplicate(&mut self, asked: &Asked, fx: &mut TenantEffects) {
        fx.push(TenantEffect::Note(Fact::Duplicate));
        ack(&mut self.routes, asked, AckStatus::Duplicate, fx);
    }

    pub(super) fn refuse_route(
        &mut self,
        route: &Route,
        code: ErrorCode,
        retry_ms: Option<Millis>,
        fx: &mut TenantEffects,
    ) {
        if route.envelope.message.kind != SendKind::Message {
            if code == ErrorCode::RateLimited {
                fx.push(TenantEffect::Note(Fact::Unpaid));
            }
            return fx.push(TenantEffect::Note(Fact::BestEffortDropped));
        }
        refuse(&route.asked(), code, retry_ms, fx);
    }
}

/// An envelope for another node.
struct WireCopy {
    node: BootId,
    /// The version that the node reads.
    wire: u16,
    bytes: Bytes,
}

/// The envelope for each of these nodes, in the version that it reads. Neighbours of one version
/// share their bytes.
fn wire_copies(env: &Env<'_>, envelope: &Envelope, nodes: &[BootId]) -> SmallVec<[WireCopy; 1]> {
    let mut copies: SmallVec<[WireCopy; 1]> = SmallVec::new();
    for node in nodes.iter().copied() {
        let wire = env.nodes.terms(node).unwrap_or(Terms::UNKNOWN).wire;
        let bytes = match copies.last() {
            Some(same) if same.wire == wire => same.bytes.clone(),
            Some(_) | None => envelope.to_bytes_at(wire),
        };
        copies.push(WireCopy { node, wire, bytes });
    }
    copies
}

/// Answers that a message cannot be delivered.
pub(super) fn refuse(
    asked: &Asked,
    code: ErrorCode,
    retry_ms: Option<Millis>,
    fx: &mut TenantEffects,
) {
    let refusal = Refusal {
        message_id: asked.message_id.filter(|_| asked.idempotent),
        retry_ms: retry_ms.or_else(|| retry_ms_of(code)),
        ..Refusal::from(code)
    };
    fx.refuse(asked.conn, asked.request_id.as_ref(), refusal);
}

/// What a known name without anybody behind it is answered.
fn offline(kind: Kind) -> ErrorCode {
    match kind {
        Kind::Bot => ErrorCode::BotOffline,
        Kind::Client | Kind::Connection => ErrorCode::RecipientOffline,
    }
}

/// When it makes sense to send again, if the code says.
fn retry_ms_of(code: ErrorCode) -> Option<Millis> {
    (code == ErrorCode::Unreachable).then_some(UNREACHABLE_RETRY_MS)
}
