//! The Lua scripts: each is one question of the store. Their heads say what they take and give.

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

macro_rules! scripts {
    ($($name:ident = $($part:literal)+;)+) => {
        $(pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!($(include_str!(concat!("scripts/", $part)), "\n"),+).to_owned())
        });)+

        /// Every script, to be loaded into a server.
        pub(crate) fn all() -> impl Iterator<Item = &'static Script> {
            [$(LazyLock::force(&$name)),+].into_iter()
        }
    };
}

// Those of a tenant begin with `step.lua`.
scripts! {
    LOAD = "step.lua" "load.lua";
    VERSION = "step.lua" "version.lua";
    ENTER = "step.lua" "enter.lua";
    CLAIM = "step.lua" "claim.lua";
    ASSERT = "step.lua" "assert.lua";
    RELEASE = "step.lua" "release.lua";
    REAP = "step.lua" "reap.lua";
    FORGET = "step.lua" "forget.lua";
    POLICY = "step.lua" "policy.lua";
    BEAT = "beat.lua";
    BURY = "bury.lua";
    HELLO = "hello.lua";
}
