//! A call of a script as a command.

use redis::Cmd;

use crate::script::ScriptCall;

/// Runs a script that the server has.
pub(super) fn eval_sha(call: &ScriptCall) -> Cmd {
    command("EVALSHA", &call.script.sha, call)
}

/// Runs a script, and lets the server keep it.
pub(super) fn eval_text(call: &ScriptCall) -> Cmd {
    command("EVAL", &call.script.text, call)
}

fn command(verb: &str, script: &str, call: &ScriptCall) -> Cmd {
    let mut command = redis::cmd(verb);
    command.arg(script).arg(call.keys.len());
    command.arg(&call.keys).arg(&call.args);
    command
}
