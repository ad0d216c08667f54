//! Lua scripts, and calls of them. Their heads say what they take and give.
//!
//! A script begins with what Redis is to know of it before it runs. So all that Redis refuses it
//! refuses at the start, and nothing is left half written.

/// A script and the name that Redis gives it.
#[derive(Debug)]
pub(crate) struct LuaScript {
    /// What runs.
    pub(crate) text: String,
    /// SHA-1 of the text, in hex.
    pub(crate) sha: String,
}

impl LuaScript {
    pub(crate) fn new(text: String) -> Self {
        let sha = redis::Script::new(&text).get_hash().to_owned();
        Self { text, sha }
    }
}

/// Not run by a full Redis.
pub(crate) const GROWS: &str = "#!lua\n";
/// Run by a full Redis too: it takes little or nothing, and nothing can be freed without it.
pub(crate) const WHEN_FULL: &str = "#!lua flags=allow-oom\n";

/// One call of a script.
#[derive(Debug)]
pub(crate) struct ScriptCall {
    pub(crate) script: &'static LuaScript,
    /// All in one hash slot, which in a Cluster says where the script runs: at least one.
    pub(crate) keys: Vec<String>,
    /// Texts, or whatever bytes the script takes.
    pub(crate) args: Vec<Vec<u8>>,
}

/// Declares scripts of a module: name, when Redis runs it, and its parts, which are files.
macro_rules! scripts {
    ($($name:ident, $head:ident = $($part:literal)+;)+) => {
        $(pub(super) static $name: std::sync::LazyLock<$crate::script::LuaScript> =
            std::sync::LazyLock::new(|| {
                let text = concat!($(include_str!($part), "\n"),+);
                $crate::script::LuaScript::new([$crate::script::$head, text].concat())
            });)+

        /// Every script of the module, to be loaded into a server.
        pub(super) fn all() -> Vec<&'static $crate::script::LuaScript> {
            vec![$(std::sync::LazyLock::force(&$name)),+]
        }
    };
}

pub(crate) use scripts;
