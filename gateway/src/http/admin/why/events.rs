//! The events of a tenant, and how often each reason came.

use std::collections::BTreeSet;

use protocol::{BotId, ConnectionId};
use router_core::store::BotHolder;
use serde_json::{Map, Value, json};

use crate::history::{CountedEvent, EventKind, HistoryEvent, ReasonCount, TenantHistory};
use crate::usage::rfc3339_ms;
use crate::ws::ConnectionEnd;

/// The events, the newest first: all, or those that may have to do with a bot.
pub(super) fn events(history: &TenantHistory, bot: Option<&BotId>) -> Value {
    let connections = bot.map(|bot| connections_of(history, bot));
    let is_asked = |event: &HistoryEvent| match (bot, &connections) {
        (Some(bot), Some(connections)) => concerns(event, bot, connections),
        (_, None) | (None, _) => true,
    };
    let events = history.events().filter(|known| is_asked(&known.event));
    Value::Array(events.map(describe_event).collect())
}

/// The connections of this node that held a bot, as far as the history goes back.
fn connections_of(history: &TenantHistory, bot: &BotId) -> BTreeSet<ConnectionId> {
    let events = history.events().map(|known| &known.event);
    let of_events = events.filter(|event| event.bot.as_ref() == Some(bot));
    let of_events = of_events.filter_map(|event| event.connection);
    let last = history.bots().filter(|known| known.bot == *bot);
    of_events
        .chain(last.map(|known| known.connection))
        .collect()
}

/// Whether an event may have to do with a bot. What names neither a bot nor a connection may: a tenant that
/// exceeds a rate has bots that are refused.
fn concerns(event: &HistoryEvent, bot: &BotId, connections: &BTreeSet<ConnectionId>) -> bool {
    match (&event.bot, &event.connection) {
        (Some(named), _) => named == bot,
        (None, Some(connection)) => connections.contains(connection),
        (None, None) => true,
    }
}

fn describe_event(known: &CountedEvent) -> Value {
    let CountedEvent {
        event,
        first_ms,
        last_ms,
        count,
    } = known;
    let mut described = json!({
        "at": rfc3339_ms(*last_ms),
        "first": rfc3339_ms(*first_ms),
        "count": count,
        "what": event.kind.name(),
        "reason": event.kind.reason(),
        "source": event.source.map(|source| source.to_string()),
        "connection": event.connection,
        "client": event.client,
        "bot": event.bot,
    });
    match &event.kind {
        EventKind::Disconnected { end, lasted_ms } => {
            let end = describe_end(*end);
            described["by"] = end["by"].clone();
            described["code"] = end["code"].clone();
            described["lasted_ms"] = (*lasted_ms).into();
        }
        EventKind::Registered { from } => {
            described["from"] = from.as_deref().map(describe_holder).into();
        }
        EventKind::TakenOver { by } => {
            described["by"] = by.as_deref().map(describe_holder).into();
        }
        EventKind::NodeLost(boot) => described["node"] = json!(boot),
        EventKind::CredentialFailed { is_verified, .. } => {
            described["verified"] = (*is_verified).into();
        }
        EventKind::Connected | EventKind::Unregistered | EventKind::Refused(_) => {}
    }
    described
}

/// How a socket ended: by whom, with which code and reason.
pub(super) fn describe_end(end: ConnectionEnd) -> Value {
    let (by, code, reason) = match end {
        ConnectionEnd::Us(close) => ("gateway", Some(close.code()), Some(close.reason())),
        ConnectionEnd::Peer(code) => ("peer", code, None),
        ConnectionEnd::Lost => ("lost", None, None),
    };
    json!({ "by": by, "code": code, "reason": reason })
}

/// Who holds a bot: a connection, and its node.
pub(super) fn describe_holder(holder: &BotHolder) -> Value {
    json!({ "node": holder.boot, "connection": holder.conn })
}

/// `{"connected": 3, "refused": {"rate_limited": 12}}`.
pub(super) fn counts(counts: &[ReasonCount]) -> Value {
    let mut sums = Map::new();
    for count in counts {
        match count.reason {
            None => {
                sums.insert(count.what.to_owned(), count.count.into());
            }
            Some(reason) => {
                let of_kind = sums.entry(count.what).or_insert_with(|| json!({}));
                of_kind[reason] = count.count.into();
            }
        }
    }
    sums.into()
}
