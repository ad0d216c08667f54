//! Settles the answer of a message from the outcomes of its deliveries.
//!
//! The first success answers; else, when all outcomes are in, the gravest error does: unknown before
//! busy before unreachable before offline. Only here is an idempotency key recorded, and only
//! when a queue of this node took the message.

use std::collections::VecDeque;

use bytes::Bytes;
use protocol::connect::Acks;
use protocol::lane::Verdict;
use protocol::limits::MOVES_MAX;
use protocol::message::AckStatus;
use protocol::{BootId, Envelope, ErrorCode, Name, Outbound};

use super::Tenant;
use super::dedupe::Print;
use super::flows::Held;
use super::routes::{Routes, Targets};
use super::send::refuse;
use crate::check;
use crate::effect::{Fact, Outcome, TenantEffect, TenantEffects};
use crate::env::Env;
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::lane::{Parcel, Settled};
use crate::request::{Asked, Route};

/// A message whose outcomes are not all in.
#[derive(Debug)]
pub(super) struct Delivery {
    pub number: u64,
    pub origin: Origin,
    /// Present if the sender gave the id.
    pub print: Option<Print>,
    /// Which part of how many it is.
    pub part: Option<(u64, u64)>,
    /// Connections of this node whose outcomes are not in yet, the next one last.
    pub waiting: Targets,
    /// How many other nodes have not decided.
    pub nodes: usize,
    pub delivered: bool,
    pub duplicate: bool,
    /// What is answered if nobody takes it.
    pub error: ErrorCode,
}

/// Where a message came from, and so who is told what became of it.
#[derive(Debug)]
pub(super) enum Origin {
    /// A connection of this node.
    Here(Sent),
    /// Another node, which is told a verdict.
    There,
}

/// What the answer to a connection takes, and what a bot's message takes that must go again.
#[derive(Debug)]
pub(super) struct Sent {
    pub asked: Asked,
    /// Present if it went to a bot of another node.
    pub away: Option<Away>,
}

/// Where a message to a bot went.
#[derive(Debug)]
pub(super) struct Away {
    pub node: BootId,
    /// The bot.
    pub to: Name,
    /// How often it was told to go elsewhere.
    pub moves: u64,
}

/// Messages being settled. In boxes: a tenant keeps room for none while it has none.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    /// One for this node alone: it settles before the next one begins, so that most tenants need no
    /// list.
    here: Option<Box<Delivery>>,
    /// The others, by rising number; absent while there never was one.
    #[expect(
        clippy::box_collection,
        reason = "most have none, and all pay for its place"
    )]
    others: Option<Box<VecDeque<Box<Delivery>>>>,
}

/// Where a delivery is.
#[derive(Debug, Clone, Copy)]
enum Place {
    Here,
    Among(usize),
}

impl Deliveries {
    pub fn begin(&mut self, delivery: Delivery) {
        let delivery = Box::new(delivery);
        match &self.here {
            None if delivery.nodes == 0 => self.here = Some(delivery),
            None | Some(_) => self.others.get_or_insert_default().push_back(delivery),
        }
    }

    /// Whether the last one awaits an outcome of this node.
    fn wait_here(&self) -> bool {
        let others = self.others.as_ref();
        let last = self.here.as_ref().or(others.and_then(|it| it.back()));
        last.is_some_and(|delivery| !delivery.waiting.is_empty())
    }

    pub fn len(&self) -> usize {
        let others = self.others.as_ref().map_or(0, |it| it.len());
        others + usize::from(self.here.is_some())
    }

    fn find(&mut self, number: u64) -> Option<(Place, &mut Delivery)> {
        let here = self.here.as_ref();
        let place = if here.is_some_and(|it| it.number == number) {
            Place::Here
        } else {
            let others = self.others.as_ref()?;
            let found = others.binary_search_by_key(&number, |it| it.number);
            Place::Among(found.ok()?)
        };
        Some((place, self.get_mut(place)?))
    }

    fn get_mut(&mut self, place: Place) -> Option<&mut Delivery> {
        match place {
            Place::Here => self.here.as_deref_mut(),
            Place::Among(at) => self.others.as_mut()?.get_mut(at).map(|it| &mut **it),
        }
    }

    fn take(&mut self, place: Place) -> Option<Box<Delivery>> {
        match place {
            Place::Here => self.here.take(),
            Place::Among(at) => self.others.as_mut()?.remove(at),
        }
    }
}

impl Tenant {
    /// Takes the outcome of one delivery of a message to a connection of this node; false: this one
    /// is no message's.
    pub(crate) fn settled(
        &mut self,
        env: &Env<'_>,
        number: u64,
        outcome: Outcome,
        fx: &mut TenantEffects,
    ) -> bool {
        let Some((place, delivery)) = self.deliveries.find(number) else {
            return false;
        };
        let conn = delivery.waiting.pop();
        let mut first_bytes = None;
        match outcome {
            Outcome::Queued { bytes } => {
                let is_first = !std::mem::replace(&mut delivery.delivered, true);
                first_bytes = is_first.then_some(bytes);
                if let Some(conn) = conn {
                    self.routes.hear(conn, delivery.part);
                }
            }
            Outcome::Full => delivery.fails(ErrorCode::RecipientBusy),
            Outcome::Gone => {}
        }
        if let Some(bytes) = first_bytes {
            if let Some(print) = delivery.print {
                let is_new = self.dedupe.insert(print, env.now_ms);
                check!(
                    Invariant::NoDuplicate,
                    is_new,
                    "delivery {number} was made before"
                );
            }
            fx.push(TenantEffect::Note(Fact::Delivered { bytes }));
            tell_delivered(&mut self.routes, delivery, fx);
        }
        self.finish_delivery(place, fx);
        self.dispatch_ready(env, fx);
        true
    }

    /// Takes what became of a message on its lane to another node.
    pub(crate) fn decided(
        &mut self,
        env: &Env<'_>,
        parcel: &Parcel,
        settled: Settled,
        fx: &mut TenantEffects,
    ) {
        let Some((place, delivery)) = self.deliveries.find(parcel.receipt.number) else {
            return;
        };
        delivery.nodes = delivery.nodes.saturating_sub(1);
        let Origin::Here(sent) = &delivery.origin else {
            return;
        };
        let away = sent.away.as_ref();
        let flow = away.map(|away| (sent.asked.conn, away.to.clone()));
        match settled {
            Settled::Delivered => {
                let is_first = !std::mem::replace(&mut delivery.delivered, true);
                if is_first {
                    tell_delivered(&mut self.routes, delivery, fx);
                }
                self.give_up_on_the_overtaken(flow.as_ref(), fx);
            }
            Settled::Verdict(Verdict::Duplicate) => delivery.duplicate = true,
            Settled::Verdict(Verdict::Moved(to)) => {
                return self.moved(env, place, (to, &parcel.bytes), flow, fx);
            }
            Settled::Verdict(Verdict::Offline) => {}
            Settled::Verdict(Verdict::Refused(code)) => delivery.fails(code),
            Settled::Unknown => {
                delivery.fails(ErrorCode::DeliveryUnknown);
                self.give_up_on_the_overtaken(flow.as_ref(), fx);
            }
            Settled::Unsent => delivery.fails(ErrorCode::Unreachable),
        }
        self.finish_delivery(place, fx);
        self.go_on(env, flow, fx);
    }

    /// The bot is at home elsewhere: the message follows it, a few times.
    fn moved(
        &mut self,
        env: &Env<'_>,
        place: Place,
        (to, envelope): (BootId, &Bytes),
        flow: Option<(ConnKey, Name)>,
        fx: &mut TenantEffects,
    ) {
        let Some(delivery) = self.deliveries.get_mut(place) else {
            return;
        };
        let Origin::Here(sent) = &delivery.origin else {
            return;
        };
        let away = sent.away.as_ref();
        let away = away.filter(|away| away.moves < MOVES_MAX);
        let again = away.and_then(|away| {
            let envelope = Envelope::from_bytes(envelope).ok()?;
            Some(Held {
                route: Box::new(Route::again(&sent.asked, &self.id, envelope)),
                moves: away.moves + 1,
                moved: Some((away.node, to)),
            })
        });
        match (again, &flow) {
            (Some(held), Some((from, bot))) => {
                self.flows.moved(*from, bot, held);
                self.deliveries.take(place);
            }
            (_, _) => {
                delivery.fails(ErrorCode::Unreachable);
                self.finish_delivery(place, fx);
            }
        }
        self.go_on(env, flow, fx);
    }

    /// A message was delivered, or may have been, while earlier ones of its flow were told to go
    /// elsewhere: they would arrive behind it, so they do not go.
    fn give_up_on_the_overtaken(&mut self, flow: Option<&(ConnKey, Name)>, fx: &mut TenantEffects) {
        let Some((from, to)) = flow else { return };
        for held in self.flows.delivered(*from, to) {
            self.refuse_route(&held.route, ErrorCode::Unreachable, None, fx);
        }
    }

    /// What waited behind the last undecided message of a flow goes now.
    fn go_on(&mut self, env: &Env<'_>, flow: Option<(ConnKey, Name)>, fx: &mut TenantEffects) {
        let Some((from, to)) = flow else { return };
        self.flows.decided(from, &to);
        self.dispatch_ready(env, fx);
    }

    /// One at a time while they are for queues of this node: whether the next one repeats a message
    /// shows when that is in a queue.
    fn dispatch_ready(&mut self, env: &Env<'_>, fx: &mut TenantEffects) {
        while !self.deliveries.wait_here()
            && let Some(held) = self.flows.next_ready()
        {
            self.dispatch(env, held, fx);
        }
    }

    /// Answers for a message whose outcomes are all in.
    fn finish_delivery(&mut self, place: Place, fx: &mut TenantEffects) {
        let delivery = self.deliveries.get_mut(place);
        if delivery.is_none_or(|it| !it.waiting.is_empty() || it.nodes > 0) {
            return;
        }
        let Some(delivery) = self.deliveries.take(place) else {
            return;
        };
        let asked = match &delivery.origin {
            Origin::Here(sent) => &sent.asked,
            Origin::There => return fx.push(TenantEffect::Decided(delivery.verdict())),
        };
        // A repeat for one node and a conflict for another: not what was delivered before.
        let is_conflict = delivery.error == ErrorCode::IdempotencyConflict;
        match (delivery.delivered, delivery.duplicate && !is_conflict) {
            (true, _) => {}
            (false, true) => self.duplicate(asked, fx),
            (false, false) => refuse(asked, delivery.error, None, fx),
        }
    }
}

fn tell_delivered(routes: &mut Routes, delivery: &Delivery, fx: &mut TenantEffects) {
    if let Origin::Here(Sent { asked, .. }) = &delivery.origin {
        ack(routes, asked, AckStatus::Delivered, fx);
    }
}

/// Acknowledges a message to its sender, if that is still here and wants to know.
pub(super) fn ack(routes: &mut Routes, asked: &Asked, status: AckStatus, fx: &mut TenantEffects) {
    let to = asked.conn;
    let (Some(conn), Some(message_id)) = (routes.connection_mut(to), &asked.message_id) else {
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

impl Delivery {
    /// Notes an error, if it is graver than the one before.
    fn fails(&mut self, code: ErrorCode) {
        if gravity(code) > gravity(self.error) {
            self.error = code;
        }
    }

    /// What the node that sent it is told; nothing = delivered.
    fn verdict(&self) -> Option<Verdict> {
        match (self.delivered, self.error) {
            (true, _) => None,
            (false, ErrorCode::BotOffline | ErrorCode::RecipientOffline) => Some(Verdict::Offline),
            (false, code) => Some(Verdict::Refused(code)),
        }
    }
}

/// The gravest outcome is the answer. Unknown before all: whatever else is said means that no queue
/// ever has the message. Then what says most against sending again at once.
fn gravity(code: ErrorCode) -> u8 {
    if code == ErrorCode::DeliveryUnknown {
        4
    } else if code == ErrorCode::RecipientBusy {
        3
    } else if code == ErrorCode::Unreachable {
        2
    } else {
        u8::from(code != ErrorCode::BotOffline && code != ErrorCode::RecipientOffline)
    }
}
