//! What nodes say of themselves and of each other, as Redis has it.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use protocol::lane::KeyId;
use protocol::{BootId, UsageHour};
use redis::Value;
use router_core::store::nodes::{HELLO_KEPT_MS, NodeHello, NodeQuery, NodeReply};

/// Most keys of a node that are read; a node with more secrets is reached by these.
const KEYS_MAX: usize = 16;

/// The arguments that say what a node says of itself.
pub(super) fn hello_args(hello: &NodeHello) -> Vec<String> {
    let keys: Vec<String> = hello.keys.iter().map(KeyId::to_string).collect();
    let fields: [(&str, String); 9] = [
        ("name", hello.name.to_string()),
        ("address", hello.address.to_string()),
        ("peer", hello.peer_address.to_string()),
        ("version", hello.version.to_string()),
        ("wire_min", hello.wire[0].to_string()),
        ("wire_max", hello.wire[1].to_string()),
        ("keys", keys.join(",")),
        ("serving", u8::from(hello.serving).to_string()),
        ("connections", hello.connections.to_string()),
    ];
    let fields = fields
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value]);
    [HELLO_KEPT_MS.to_string()]
        .into_iter()
        .chain(fields)
        .collect()
}

/// An answer, and what in it is not what this program writes.
pub(super) struct NodeAnswer {
    pub(super) reply: NodeReply,
    /// Pairs that are no node.
    pub(super) skipped: u64,
    /// The generation was none.
    pub(super) repaired: bool,
}

impl From<NodeReply> for NodeAnswer {
    fn from(reply: NodeReply) -> Self {
        Self {
            reply,
            skipped: 0,
            repaired: false,
        }
    }
}

/// The answer. `None`: it is no answer to this query.
pub(super) fn answer(ask: &NodeQuery, value: Value) -> Option<NodeAnswer> {
    let reply = match ask {
        NodeQuery::Beat { .. } => return beats(value),
        NodeQuery::Evict { .. } => {
            let removed: u8 = redis::from_redis_value(value).ok()?;
            NodeReply::Evict(removed == 1)
        }
        NodeQuery::Hello { .. } => NodeReply::Done,
        NodeQuery::Describe(_) => NodeReply::Hello(hello(value)),
    };
    Some(reply.into())
}

type Pair = (Vec<u8>, Vec<u8>);

fn beats(value: Value) -> Option<NodeAnswer> {
    let Value::Array(mut parts) = value else {
        return None;
    };
    let flushed = (parts.len() == 3).then(|| parts.pop()).flatten();
    let fields = (parts.len() == 2).then(|| parts.pop()).flatten();
    let said: String = redis::from_redis_value(parts.pop()?).ok()?;
    let repaired = match said.as_str() {
        "evicted" => return Some(NodeReply::AskerEvicted.into()),
        "beats" => false,
        "repaired" => true,
        _ => return None,
    };
    let fields: Vec<Pair> = redis::from_redis_value(fields?).ok()?;
    let (mut generation, mut beats, mut skipped) = (None, Vec::new(), 0);
    for (field, value) in &fields {
        match (&**field, read::<BootId>(field), read(value)) {
            (b"generation", _, number) => generation = number,
            (_, Some(boot), Some(beat)) => beats.push((boot, beat)),
            // What cannot be read is no node.
            (_, None, _) | (_, _, None) => skipped += 1,
        }
    }
    let said: Vec<Pair> = redis::from_redis_value(flushed?).ok()?;
    let flushed = said.iter().filter_map(|(boot, hour)| {
        let hour = UsageHour::from_number(read(hour)?)?;
        Some((read::<BootId>(boot)?, hour))
    });
    let mut flushed: Vec<(BootId, UsageHour)> = flushed.collect();
    // The model's order.
    beats.sort_unstable();
    flushed.sort_unstable();
    // What is left of a node without a beat says nothing.
    flushed.retain(|(boot, _)| {
        beats
            .binary_search_by_key(boot, |(beaten, _)| *beaten)
            .is_ok()
    });
    let generation = generation?;
    Some(NodeAnswer {
        reply: NodeReply::Beats {
            generation,
            beats,
            flushed,
        },
        skipped,
        repaired,
    })
}

/// A text that Redis has, read. Anybody may have written it.
fn read<T: FromStr>(text: &[u8]) -> Option<T> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// `None`: the node said nothing, or nothing that can be read. Other fields are another build's, or
/// nobody's.
fn hello(value: Value) -> Option<NodeHello> {
    let fields: Vec<Pair> = redis::from_redis_value(value).ok()?;
    let fields = fields.iter().filter_map(|(name, value)| {
        let name = str::from_utf8(name).ok()?;
        Some((name, str::from_utf8(value).ok()?))
    });
    let fields: HashMap<&str, &str> = fields.collect();
    let field = |name: &str| fields.get(name).copied();
    Some(NodeHello {
        name: field("name")?.into(),
        address: field("address")?.into(),
        // Builds before this one have none.
        peer_address: field("peer").unwrap_or_default().into(),
        version: field("version")?.into(),
        wire: [
            field("wire_min")?.parse().ok()?,
            field("wire_max")?.parse().ok()?,
        ],
        keys: field("keys").map_or_else(Arc::default, keys_of),
        serving: field("serving")? == "1",
        connections: field("connections")?.parse().ok()?,
    })
}

/// What cannot be read is a key that this build does not know.
fn keys_of(text: &str) -> Arc<[KeyId]> {
    let keys = text.split(',').filter_map(|key| key.parse().ok());
    keys.take(KEYS_MAX).collect()
}
