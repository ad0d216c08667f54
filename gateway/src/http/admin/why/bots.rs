//! Where each bot is, and its last connection of this node.

use std::collections::BTreeMap;

use protocol::BotId;
use serde_json::{Value, json};

use super::events::{describe_end, describe_holder};
use crate::history::{BotConnection, LossCause};
use crate::node::{ListedHome, Node};
use crate::usage::rfc3339_ms;

/// Bots of an answer without `bot`.
const BOTS_MAX: usize = 100;

/// The bots of an answer.
pub(super) struct BotsAnswer {
    /// In id order.
    pub(super) page: Vec<Value>,
    /// How many there are behind the page.
    pub(super) left_out: usize,
}

/// What is known of one bot.
#[derive(Default)]
struct KnownBot<'a> {
    listed: Option<&'a ListedHome>,
    last: Option<&'a BotConnection>,
}

impl BotsAnswer {
    /// `listed`: what the directory has; `None`: nobody could ask it. `last`: the last connections that this
    /// node remembers.
    pub(super) fn of<'a>(
        node: &Node,
        asked: Option<&BotId>,
        listed: Option<&'a [ListedHome]>,
        last: impl Iterator<Item = &'a BotConnection>,
    ) -> Self {
        let mut known: BTreeMap<&BotId, KnownBot<'a>> = BTreeMap::new();
        for home in listed.into_iter().flatten() {
            known.entry(&home.bot).or_default().listed = Some(home);
        }
        for connection in last {
            known.entry(&connection.bot).or_default().last = Some(connection);
        }
        if let Some(bot) = asked {
            let found = known.remove(bot).unwrap_or_default();
            known = BTreeMap::from([(bot, found)]);
        }
        let own = node.view().own;
        let page = known.iter().take(BOTS_MAX);
        let page = page.map(|(bot, found)| {
            let state = match (found.listed, listed.is_some()) {
                (Some(home), _) if home.holder.is_some() => "online",
                (Some(_), _) => "offline",
                (None, true) => "not_listed",
                (None, false) => "unknown",
            };
            let holder = found.listed.and_then(|home| home.holder.as_ref());
            json!({
                "bot": bot,
                "state": state,
                "since": found.listed.map(|home| rfc3339_ms(home.since_ms)),
                "node": holder.map(|holder| holder.boot),
                "here": holder.is_some_and(|holder| holder.boot == own),
                "connection": holder.map(|holder| holder.conn),
                "lost_node": found.listed.and_then(|home| home.lost_node),
                "last_here": found.last.map(describe_connection),
            })
        });
        Self {
            page: page.collect(),
            left_out: known.len().saturating_sub(BOTS_MAX),
        }
    }
}

/// The last connection of this node that held a bot, and how that ended.
fn describe_connection(last: &BotConnection) -> Value {
    let loss = last.loss.as_ref().map(|loss| {
        let by = match &loss.cause {
            LossCause::TakenOver(by) => by.as_deref(),
            LossCause::ConnectionLeft | LossCause::Unregistered => None,
        };
        json!({
            "at": rfc3339_ms(loss.at_ms),
            "cause": loss.cause.name(),
            "by": by.map(describe_holder),
        })
    });
    let close = last.close.map(|close| {
        let mut described = describe_end(close.end);
        described["at"] = rfc3339_ms(close.at_ms).into();
        described["lasted_ms"] = close.lasted_ms.into();
        described
    });
    json!({
        "connection": last.connection,
        "client": last.client,
        "source": last.source.to_string(),
        "registered": rfc3339_ms(last.since_ms),
        "lost": loss,
        "closed": close,
    })
}
