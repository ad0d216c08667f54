//! What the history of a tenant is told, and by whom.
//!
//! | told by | event |
//! | --- | --- |
//! | `access_lines.rs` | a socket connected, a socket is gone |
//! | `perform/`, with each [`RouterFact`] of a connection | a refusal, a bot that came, left or was taken over |
//! | `perform/facts.rs` | another node died that held bots |
//! | `failures.rs` | a credential that failed |

use protocol::{ErrorCode, TenantId};
use router_core::auth::Source;
use router_core::effect::{
    BotArrival, BotDeparture, BotTakeover, DepartureCause, LostHomes, RouterFact,
};
use router_core::store::BotHolder;
use router_core::{ConnKey, Millis, Session};

use super::core::Node;
use super::entry::ConnectionEntry;
use crate::history::{
    BOTS_MAX, BotConnection, BotLoss, ConnectionClose, EventKind, HistoryEvent, LossCause,
    TenantHistory,
};
use crate::ws::ConnectionEnd;

/// The connection that a fact is about, if the history is told of the fact.
pub(super) fn connection_of(fact: &RouterFact) -> Option<ConnKey> {
    match fact {
        RouterFact::Refused { conn, .. } => Some(*conn),
        RouterFact::ClaimRefused(refused) => Some(refused.conn),
        RouterFact::BotOnline(arrival) | RouterFact::BotMoved(arrival) => Some(arrival.conn),
        RouterFact::BotOffline(departure) => Some(departure.conn),
        RouterFact::Takeover(takeover) => Some(takeover.conn),
        RouterFact::Authenticated
        | RouterFact::Delivered { .. }
        | RouterFact::Duplicate
        | RouterFact::BestEffortDropped
        | RouterFact::Unpaid
        | RouterFact::NodeLost(_)
        | RouterFact::StoreLostData
        | RouterFact::AllowanceReached(_)
        | RouterFact::UsageBooked { .. }
        | RouterFact::UsageNotBooked
        | RouterFact::DirectoryRead
        | RouterFact::ReadDeferred(_) => None,
    }
}

impl Node {
    /// Adds to the history of a tenant of which a credential was verified.
    pub(super) fn remember(&self, tenant: &TenantId, add: impl FnOnce(&mut TenantHistory, Millis)) {
        let now_ms = self.unix_ms();
        self.history.write(tenant, |history| add(history, now_ms));
    }

    /// A socket got its `auth_ok`.
    pub(super) fn remember_connected(&self, entry: &ConnectionEntry, session: &Session) {
        if let Some((tenant, _)) = session.member() {
            let event = event_of(EventKind::Connected, entry, session);
            self.remember(tenant, |history, now_ms| history.add(event, now_ms));
        }
    }

    /// A socket is gone. One that had no `auth_ok` belonged to nobody.
    pub(super) fn remember_disconnected(
        &self,
        entry: &ConnectionEntry,
        session: &Session,
        (end, lasted_ms): (ConnectionEnd, Millis),
    ) {
        let Some((tenant, _)) = session.member() else {
            return;
        };
        let event = event_of(EventKind::Disconnected { end, lasted_ms }, entry, session);
        self.remember(tenant, |history, at_ms| {
            let close = ConnectionClose {
                at_ms,
                end,
                lasted_ms,
            };
            history.closed(session.id(), close);
            history.add(event, at_ms);
        });
    }

    /// A credential failed. `is_verified`: it is one of the tenant that it claims.
    pub(super) fn remember_failure(
        &self,
        source: Source,
        claimed: Option<&TenantId>,
        (reason, is_verified): (&'static str, bool),
    ) {
        let Some(tenant) = claimed else {
            return;
        };
        let kind = EventKind::CredentialFailed {
            reason,
            is_verified,
        };
        let (event, now_ms) = (HistoryEvent::new(kind, source), self.unix_ms());
        let add = |history: &mut TenantHistory| history.add(event, now_ms);
        match is_verified {
            true => self.history.write(tenant, add),
            false => self.history.write_if_known(tenant, add),
        }
    }

    /// A fact about a connection.
    pub(super) fn remember_fact(&self, entry: &ConnectionEntry, fact: &RouterFact) {
        // Before its credential is verified, nobody knows whose history that is.
        let Some(owner) = entry.owner.get() else {
            return;
        };
        let tenant = owner.tenant();
        match fact {
            RouterFact::Refused { code, .. } => self.remember_refusal(tenant, entry, *code),
            RouterFact::ClaimRefused(refused) => {
                let event = HistoryEvent {
                    bot: Some(refused.bot.clone()),
                    ..HistoryEvent::new(EventKind::Refused(refused.code), entry.source)
                };
                self.remember(tenant, |history, now_ms| history.add(event, now_ms));
            }
            RouterFact::BotOnline(arrival) | RouterFact::BotMoved(arrival) => {
                self.remember(tenant, |history, now_ms| {
                    note_arrival(history, entry.source, arrival, now_ms);
                });
            }
            RouterFact::BotOffline(departure) => {
                self.remember(tenant, |history, now_ms| {
                    note_departure(history, entry.source, departure, now_ms);
                });
            }
            RouterFact::Takeover(takeover) => {
                self.remember(tenant, |history, now_ms| {
                    note_takeover(history, entry.source, takeover, now_ms);
                });
            }
            RouterFact::Authenticated
            | RouterFact::Delivered { .. }
            | RouterFact::Duplicate
            | RouterFact::BestEffortDropped
            | RouterFact::Unpaid
            | RouterFact::NodeLost(_)
            | RouterFact::StoreLostData
            | RouterFact::AllowanceReached(_)
            | RouterFact::UsageBooked { .. }
            | RouterFact::UsageNotBooked
            | RouterFact::DirectoryRead
            | RouterFact::ReadDeferred(_) => {}
        }
    }

    /// A node is dead that held bots of a tenant.
    pub(super) fn remember_lost_node(&self, lost: &LostHomes) {
        self.remember(&lost.tenant, |history, now_ms| {
            for bot in lost.bots.iter().take(BOTS_MAX) {
                let event = HistoryEvent {
                    kind: EventKind::NodeLost(lost.boot),
                    source: None,
                    connection: None,
                    client: None,
                    bot: Some(bot.clone()),
                };
                history.add(event, now_ms);
            }
        });
    }

    /// A refusal of a credential is told as its failure.
    fn remember_refusal(&self, tenant: &TenantId, entry: &ConnectionEntry, code: ErrorCode) {
        if matches!(code, ErrorCode::Unauthorized | ErrorCode::TenantSuspended) {
            return;
        }
        let event = HistoryEvent::new(EventKind::Refused(code), entry.source);
        self.remember(tenant, |history, now_ms| history.add(event, now_ms));
    }
}

fn event_of(kind: EventKind, entry: &ConnectionEntry, session: &Session) -> HistoryEvent {
    HistoryEvent {
        connection: Some(*session.id()),
        client: session.member().map(|(_, client)| client.clone()),
        ..HistoryEvent::new(kind, entry.source)
    }
}

fn note_arrival(history: &mut TenantHistory, source: Source, arrival: &BotArrival, now_ms: Millis) {
    let from = arrival.from.clone().map(Box::new);
    let event = HistoryEvent {
        connection: Some(arrival.id),
        client: Some(arrival.client.clone()),
        bot: Some(arrival.bot.clone()),
        ..HistoryEvent::new(EventKind::Registered { from }, source)
    };
    history.add(event, now_ms);
    history.bot_arrived(BotConnection {
        bot: arrival.bot.clone(),
        key: arrival.conn,
        connection: arrival.id,
        client: arrival.client.clone(),
        source,
        since_ms: now_ms,
        loss: None,
        close: None,
    });
}

/// The end of the connection is an event of its own, and so is a takeover.
fn note_departure(
    history: &mut TenantHistory,
    source: Source,
    departure: &BotDeparture,
    now_ms: Millis,
) {
    let cause = match departure.cause {
        DepartureCause::ConnectionLeft => LossCause::ConnectionLeft,
        DepartureCause::Unregistered => {
            let event = HistoryEvent {
                bot: Some(departure.bot.clone()),
                ..HistoryEvent::new(EventKind::Unregistered, source)
            };
            history.add(event, now_ms);
            LossCause::Unregistered
        }
        DepartureCause::TakenOver => return,
    };
    let loss = BotLoss {
        at_ms: now_ms,
        cause,
    };
    history.bot_lost(&departure.bot, departure.conn, loss);
}

fn note_takeover(
    history: &mut TenantHistory,
    source: Source,
    takeover: &BotTakeover,
    now_ms: Millis,
) {
    let by = takeover.by.clone().map(Box::<BotHolder>::new);
    let event = HistoryEvent {
        connection: takeover.id,
        bot: Some(takeover.bot.clone()),
        ..HistoryEvent::new(EventKind::TakenOver { by: by.clone() }, source)
    };
    history.add(event, now_ms);
    let loss = BotLoss {
        at_ms: now_ms,
        cause: LossCause::TakenOver(by),
    };
    history.bot_lost(&takeover.bot, takeover.conn, loss);
}
