//! What nodes ask about each other, in Redis.

mod codec;
mod keys;
mod scripts;

use std::sync::atomic::Ordering::Relaxed;

use redis::Value;
use router_core::store::nodes::{NodeQuery, NodeReply};

use self::codec::NodeAnswer;
use crate::keys::KeyNames;
use crate::redis::error::CommandFailure;
use crate::redis::session::RedisSession;
use crate::redis::shared::RedisShared;
use crate::script::{LuaScript, ScriptCall};

/// The scripts.
pub(super) fn scripts() -> Vec<&'static LuaScript> {
    scripts::all()
}

/// How a query is asked.
enum NodeCall {
    /// By a script.
    Script(ScriptCall),
    /// By reading this hash: that is seldom, so it goes beside the hot path.
    Read(String),
}

impl NodeCall {
    fn key(&self) -> &str {
        match self {
            Self::Script(call) => &call.keys[0],
            Self::Read(key) => key,
        }
    }

    async fn run(&self, session: &RedisSession) -> Result<Value, CommandFailure> {
        match self {
            Self::Script(call) => session.run(call).await,
            Self::Read(key) => {
                let read = session.read(key).await;
                read.map_err(|_| CommandFailure::UNAVAILABLE)
            }
        }
    }
}

/// Answers a query about nodes.
pub(crate) async fn execute(
    store: &RedisShared,
    ask: &NodeQuery,
) -> Result<NodeReply, CommandFailure> {
    let session = store.session()?;
    let call = call(store.names(), ask);
    let value = call.run(&session).await?;
    let (key, counters) = (call.key(), &store.intake.counters);
    let Some(answer) = codec::answer(ask, value) else {
        counters.misread(format!("the key {key} was not understood"));
        return Err(CommandFailure::Misread);
    };
    let NodeAnswer {
        reply,
        skipped,
        repaired,
    } = answer;
    if repaired {
        let problem = format!("the field generation of {key} was no number: repaired");
        counters.misread(problem);
    }
    if skipped > 0 {
        counters.skipped.fetch_add(skipped, Relaxed);
        counters.misread(format!("fields of {key} that are no node are passed over"));
    }
    Ok(reply)
}

fn call(names: &KeyNames, ask: &NodeQuery) -> NodeCall {
    let (script, keys, args): (&'static LuaScript, _, _) = match ask {
        NodeQuery::Beat {
            boot,
            beat,
            known_generation,
            fresh_generation,
            flushed,
        } => {
            let known = known_generation.map_or("-".into(), |known| known.to_string());
            let fresh = fresh_generation.to_string();
            let (boot, beat, hour) = (boot.to_string(), beat.to_string(), flushed.number());
            let args = vec![boot, beat, known, fresh, hour.to_string()];
            (
                &scripts::BEAT,
                vec![keys::beats(names), keys::flushed(names)],
                args,
            )
        }
        NodeQuery::Evict { boot, beat } => {
            let args = vec![boot.to_string(), beat.to_string()];
            (
                &scripts::EVICT,
                vec![keys::beats(names), keys::flushed(names)],
                args,
            )
        }
        NodeQuery::Hello { boot, hello } => {
            let args = codec::hello_args(hello);
            (&scripts::HELLO, vec![keys::hello(names, *boot)], args)
        }
        NodeQuery::Describe(boot) => return NodeCall::Read(keys::hello(names, *boot)),
    };
    NodeCall::Script(ScriptCall {
        script,
        keys,
        args: args.into_iter().map(String::into_bytes).collect(),
    })
}
