//! What a tenant's directory is as text: fields of a hash in snapshots, lines of an event.
//!
//! | field | value |
//! | --- | --- |
//! | `b:<bot>` | `<epoch> <since ms> <boot or -> <conn or -> <meta>`; meta is one line of JSON |
//! | `c:<conn>` | `<boot> <client>` |
//! | `s:<client>` | when it was last seen, ms |
//! | `p` | `<key generation> <0 or 1>`, and what is assigned if anything is, only in events |
//! | `r` | only in events: the counter was no time, and is repaired |
//!
//! An event is `<prev> <ver>`, then a line `<field>\t<value>` for each change, or `<field>` alone
//! for what is gone. A record that cannot be read is left out and counted: what one faulty writer
//! wrote must not take a tenant from all the others. So is a number that is beyond its [`NumberBounds`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use protocol::presence::{BotInfo, BotState};
use protocol::{BotId, ClientId, ConnectionId};
use router_core::store::{
    BotHolder, BotRecord, ConnRecord, DirectoryChange, DirectoryEvent, DirectorySnapshot,
    TenantPolicy,
};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::bounds::NumberBounds;
use crate::features::policy;
use crate::features::text::{number, text};

/// The line of an event that says that the counter was repaired.
const REPAIRED: &[u8] = b"r";

/// What is kept of a bot that the scripts do not look into. Members may be added.
#[derive(Serialize, Deserialize)]
struct BotMeta<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    description: Cow<'a, str>,
    #[serde(default)]
    capabilities: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance: Option<SmolStr>,
}

/// The meta text of a bot. Equal bots have equal texts.
pub(crate) fn meta(info: &BotInfo, instance: Option<&SmolStr>) -> String {
    let meta = BotMeta {
        name: Cow::Borrowed(&info.name),
        kind: Cow::Borrowed(&info.kind),
        description: Cow::Borrowed(&info.description),
        capabilities: Cow::Borrowed(&info.capabilities),
        instance: instance.cloned(),
    };
    serde_json::to_string(&meta).expect("texts serialise")
}

/// A snapshot from the fields that `load` returned, and how many records could not be read. Of a
/// field that is there twice the later value counts.
pub(crate) fn snapshot(
    (ver, born): (u64, u64),
    policy: TenantPolicy,
    fields: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)],
    bounds: NumberBounds,
) -> (DirectorySnapshot, u64) {
    let mut bots = BTreeMap::new();
    let mut conns = BTreeMap::new();
    let mut clients = BTreeMap::new();
    let mut skipped = 0;
    for (field, value) in fields {
        match text(field)
            .zip(text(value))
            .and_then(|(f, v)| change(f, Some(v), bounds))
        {
            Some(DirectoryChange::Bot(bot)) => drop(bots.insert(bot.info.id.clone(), *bot)),
            Some(DirectoryChange::Entered(conn, record)) => drop(conns.insert(conn, record)),
            Some(DirectoryChange::Seen(client, at)) => drop(clients.insert(client, at)),
            Some(
                DirectoryChange::Forgotten(_)
                | DirectoryChange::Left(_)
                | DirectoryChange::Policy(_),
            )
            | None => skipped += 1,
        }
    }
    let snapshot = DirectorySnapshot {
        ver,
        born,
        policy,
        bots: bots.into_values().collect(),
        conns: conns.into_iter().collect(),
        clients: clients.into_iter().collect(),
    };
    (snapshot, skipped)
}

/// An event, and what came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadEvent {
    pub(crate) event: DirectoryEvent,
    /// Changes that could not be read.
    pub(crate) skipped: u64,
    /// Whether the tenant's counter was repaired in this step.
    pub(crate) repaired: bool,
}

/// Reads an event. `None`: not even its numbers could be read.
pub(crate) fn event(bytes: &[u8], bounds: NumberBounds) -> Option<ReadEvent> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (prev, ver) = text(lines.next()?)?.split_once(' ')?;
    let mut event = DirectoryEvent {
        prev: bounds.ver(number(prev)?)?,
        ver: bounds.ver(number(ver)?)?,
        changes: Vec::new(),
    };
    let (mut skipped, mut repaired) = (0, false);
    for line in lines {
        if line == REPAIRED {
            repaired = true;
            continue;
        }
        let read = text(line).and_then(|line| match line.split_once('\t') {
            Some((field, value)) => change(field, Some(value), bounds),
            None => change(line, None, bounds),
        });
        match read {
            Some(change) => event.changes.push(change),
            None => skipped += 1,
        }
    }
    Some(ReadEvent {
        event,
        skipped,
        repaired,
    })
}

/// One field. Without a value it is gone.
fn change(field: &str, value: Option<&str>, bounds: NumberBounds) -> Option<DirectoryChange> {
    let (kind, id) = field.split_at_checked(2).unwrap_or((field, ""));
    match (kind, value) {
        ("b:", None) => BotId::parse(id).ok().map(DirectoryChange::Forgotten),
        ("b:", Some(value)) => {
            let record = bot(BotId::parse(id).ok()?, value, bounds)?;
            Some(DirectoryChange::Bot(Box::new(record)))
        }
        ("c:", None) => ConnectionId::parse(id).ok().map(DirectoryChange::Left),
        ("c:", Some(value)) => {
            let (boot, client) = value.split_once(' ')?;
            let record = ConnRecord {
                boot: boot.parse().ok()?,
                client: ClientId::parse(client).ok()?,
            };
            Some(DirectoryChange::Entered(
                ConnectionId::parse(id).ok()?,
                record,
            ))
        }
        ("s:", Some(value)) => {
            let seen_ms = bounds.ms(number(value)?)?;
            Some(DirectoryChange::Seen(ClientId::parse(id).ok()?, seen_ms))
        }
        ("p", Some(value)) => {
            let (generation, rest) = value.split_once(' ')?;
            let (suspended, assigned) = rest.split_once(' ').unwrap_or((rest, ""));
            policy::codec::policy(generation, suspended, assigned).map(DirectoryChange::Policy)
        }
        _ => None,
    }
}

/// A holder, `-` `-` if there is none. The outer `None`: they cannot be read.
pub(crate) fn holder(boot: &str, conn: &str) -> Option<Option<BotHolder>> {
    if (boot, conn) == ("-", "-") {
        return Some(None);
    }
    Some(Some(BotHolder {
        boot: boot.parse().ok()?,
        conn: ConnectionId::parse(conn).ok()?,
    }))
}

fn bot(id: BotId, value: &str, bounds: NumberBounds) -> Option<BotRecord> {
    let mut words = value.splitn(5, ' ');
    let epoch = bounds.ver(number(words.next()?)?)?;
    let since = bounds.ms(number(words.next()?)?)?;
    let holder = holder(words.next()?, words.next()?)?;
    let meta: BotMeta<'_> = serde_json::from_str(words.next()?).ok()?;
    let status = match holder {
        Some(_) => BotState::Online,
        None => BotState::Offline,
    };
    let info = BotInfo {
        id,
        name: meta.name.into_owned(),
        kind: meta.kind.into_owned(),
        description: meta.description.into_owned(),
        capabilities: meta.capabilities.into_owned(),
        status,
        since,
    };
    Some(BotRecord {
        info,
        holder,
        epoch,
        instance: meta.instance,
    })
}

#[cfg(test)]
mod tests;
