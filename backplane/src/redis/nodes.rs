//! A node's question as a call of a script, and the reply as the answer.

use protocol::BootId;
use protocol::lane::KeyId;
use redis::Value;
use router_core::store::nodes::{HELLO_KEPT_MS, Hello, NodeAsk, NodeReply};
use std::collections::HashMap;
use std::sync::Arc;

use crate::keys::Keys;
use crate::scripts::{self, Script};

/// Most keys of a node that are read; a node with more secrets is reached by these.
const KEYS_MAX: usize = 16;

/// A question of the hot path: a script, its key and its arguments.
pub(super) struct Call {
    pub(super) script: &'static Script,
    pub(super) key: String,
    pub(super) args: Vec<String>,
}

/// What a question becomes.
pub(super) enum Way {
    /// A script.
    Script(Call),
    /// Reads this hash; asked seldom, so it goes beside the hot path.
    Read(String),
}

/// How to ask.
pub(super) fn way(keys: &Keys, ask: &NodeAsk) -> Way {
    let (script, key, args): (&'static Script, _, _) = match ask {
        NodeAsk::Beat {
            boot,
            beat,
            known_generation,
            fresh_generation,
        } => {
            let known = known_generation.map_or("-".into(), |known| known.to_string());
            let fresh = fresh_generation.to_string();
            let args = vec![boot.to_string(), beat.to_string(), known, fresh];
            (&scripts::BEAT, keys.nodes(), args)
        }
        NodeAsk::Bury { boot, beat } => {
            let args = vec![boot.to_string(), beat.to_string()];
            (&scripts::BURY, keys.nodes(), args)
        }
        NodeAsk::Hello { boot, hello } => (&scripts::HELLO, keys.node(*boot), hello_args(hello)),
        NodeAsk::Describe(boot) => return Way::Read(keys.node(*boot)),
    };
    Way::Script(Call { script, key, args })
}

fn hello_args(hello: &Hello) -> Vec<String> {
    let keys: Vec<String> = hello.keys.iter().map(KeyId::to_string).collect();
    let fields: [(&str, String); 8] = [
        ("name", hello.name.to_string()),
        ("address", hello.address.to_string()),
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

/// The answer. `None`: it is no answer to this question.
pub(super) fn reply(ask: &NodeAsk, value: Value) -> Option<NodeReply> {
    match ask {
        NodeAsk::Beat { .. } => beats(value),
        NodeAsk::Bury { .. } => {
            let removed: u8 = redis::from_redis_value(value).ok()?;
            Some(NodeReply::Bury(removed == 1))
        }
        NodeAsk::Hello { .. } => Some(NodeReply::Done),
        NodeAsk::Describe(_) => Some(NodeReply::Hello(hello(value))),
    }
}

fn beats(value: Value) -> Option<NodeReply> {
    let said: Vec<String> = redis::from_redis_value(value).ok()?;
    if said == ["buried"] {
        return Some(NodeReply::Buried);
    }
    let (fields, _) = said.as_chunks::<2>();
    let mut generation = None;
    let mut beats = Vec::new();
    for [field, value] in fields {
        match (field.as_str(), field.parse::<BootId>()) {
            ("generation", _) => generation = value.parse().ok(),
            // What cannot be read is no node.
            (_, boot) => beats.extend(boot.ok().zip(value.parse().ok())),
        }
    }
    // The model's order.
    beats.sort_unstable();
    let generation = generation?;
    Some(NodeReply::Beats { generation, beats })
}

/// `None`: the node said nothing, or nothing that can be read.
fn hello(value: Value) -> Option<Hello> {
    let fields: HashMap<String, String> = redis::from_redis_value(value).ok()?;
    let field = |name: &str| fields.get(name);
    Some(Hello {
        name: field("name")?.into(),
        address: field("address")?.into(),
        version: field("version")?.into(),
        wire: [
            field("wire_min")?.parse().ok()?,
            field("wire_max")?.parse().ok()?,
        ],
        keys: field("keys").map_or_else(Arc::default, |keys| keys_of(keys)),
        serving: field("serving")? == "1",
        connections: field("connections")?.parse().ok()?,
    })
}

/// What cannot be read is a key that this build does not know.
fn keys_of(text: &str) -> Arc<[KeyId]> {
    let keys = text.split(',').filter_map(|key| key.parse().ok());
    keys.take(KEYS_MAX).collect()
}
