//! The Lua scripts: each is one question of the store. Their heads say what they take and give.
//!
//! A script begins with what Redis is to know of it before it runs. So all that Redis refuses it
//! refuses at the start, and nothing is left half written.

use std::sync::LazyLock;

/// A script and the name that Redis gives it.
#[derive(Debug)]
pub(crate) struct Script {
    /// What runs.
    pub(crate) text: String,
    /// SHA-1 of the text, in hex.
    pub(crate) sha: String,
}

impl Script {
    fn new(text: String) -> Self {
        let sha = redis::Script::new(&text).get_hash().to_owned();
        Self { text, sha }
    }
}

/// Not run by a full Redis.
const GROWS: &str = "#!lua\n";
/// Run by a full Redis too: it takes little or nothing, and nothing can be freed without it.
const WHEN_FULL: &str = "#!lua flags=allow-oom\n";

macro_rules! scripts {
    ($($name:ident, $head:ident = $($part:literal)+;)+) => {
        $(pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            let text = concat!($(include_str!(concat!("scripts/", $part)), "\n"),+);
            Script::new([$head, text].concat())
        });)+

        /// Every script, to be loaded into a server.
        pub(crate) fn all() -> impl Iterator<Item = &'static Script> {
            [$(LazyLock::force(&$name)),+].into_iter()
        }
    };
}

// Those of a tenant begin with `step.lua`.
scripts! {
    LOAD, WHEN_FULL = "step.lua" "load.lua";
    VERSION, WHEN_FULL = "step.lua" "version.lua";
    ENTER, GROWS = "step.lua" "enter.lua";
    CLAIM, GROWS = "step.lua" "claim.lua";
    ASSERT, WHEN_FULL = "step.lua" "assert.lua";
    RELEASE, WHEN_FULL = "step.lua" "release.lua";
    REAP, WHEN_FULL = "step.lua" "reap.lua";
    FORGET, WHEN_FULL = "step.lua" "forget.lua";
    POLICY, WHEN_FULL = "step.lua" "policy.lua";
    BEAT, WHEN_FULL = "beat.lua";
    BURY, WHEN_FULL = "bury.lua";
    HELLO, WHEN_FULL = "hello.lua";
    CHECK, WHEN_FULL = "check.lua";
}
