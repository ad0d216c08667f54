//! Tries, before a connection is used, whether the user may do what the other scripts do.

use crate::script::ScriptCall;

crate::script::scripts! {
    CHECK, WHEN_FULL = "check.lua";
}

/// `name`: a key that nobody uses, and a channel that nobody listens to.
pub(super) fn call(publish: &str, name: String) -> ScriptCall {
    ScriptCall {
        script: &CHECK,
        args: vec![publish.into(), name.clone().into_bytes()],
        keys: vec![name],
    }
}
