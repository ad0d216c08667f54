//! What a person decided about reported rows, into the state file.

use std::io::{BufRead, stdin};

use super::row_key::RowSpace;
use super::rules;
use super::state::StateFile;
use crate::export_args::{DecisionArgs, ExportUsageArgs};
use crate::failure::CommandFailure;
use crate::out::{self, say};

/// Stands for ids on standard input.
const STDIN: &str = "-";

impl DecisionArgs {
    /// Whether there is no decision.
    pub(super) fn is_empty(&self) -> bool {
        self.acknowledge.is_empty() && self.resend.is_empty()
    }
}

/// Checks all decisions, then writes them.
///
/// # Errors
///
/// Exit 64: the file does not exist or is another receiver's, an id is not one of its rows, or a row that is to be sent
/// again was not sent. Nothing is written then.
pub(super) fn write(args: &ExportUsageArgs, state: &mut StateFile) -> Result<(), CommandFailure> {
    let wrong = |text: String| CommandFailure::usage("decision", text);
    let receiver = rules::name(args.kind);
    let (Some(head), Some(space)) = (state.head(), state.space()) else {
        return Err(wrong("--state: there is no such file".to_owned()));
    };
    if head.receiver != receiver {
        let text = format!(
            "--state: the file's receiver is {}, not {receiver}",
            head.receiver
        );
        return Err(wrong(text));
    }
    let known = ids(&args.decisions.acknowledge)?;
    let unsent = ids(&args.decisions.resend)?;
    for id in known.iter().chain(&unsent) {
        if space.parse(id).is_none() {
            return Err(wrong(format!("{id}: not the id of a row of this file")));
        }
    }
    let was_sent = |id: &String| is_sent(state, &space, id);
    if let Some(id) = unsent.iter().find(|id| !was_sent(id)) {
        return Err(wrong(format!(
            "--resend: {id} is not a row that was sent and not acknowledged"
        )));
    }
    if let Some(id) = unsent.iter().find(|id| known.contains(id)) {
        return Err(wrong(format!("{id}: both --acknowledge and --resend")));
    }
    let (acknowledged, resent) = (known.len() as u64, unsent.len() as u64);
    state.acknowledge(known)?;
    state.release(unsent)?;
    let (acknowledged, resent) = (out::count(acknowledged, "row"), out::count(resent, "row"));
    say!("acknowledged: {acknowledged}; to be sent again: {resent}")
}

fn is_sent(state: &StateFile, space: &RowSpace, id: &str) -> bool {
    let key = space.parse(id);
    key.is_some_and(|key| state.sent_ms(&key).is_some())
}

/// The ids of a flag, those of standard input among them.
fn ids(given: &[String]) -> Result<Vec<String>, CommandFailure> {
    let mut ids = Vec::new();
    for id in given {
        if id != STDIN {
            ids.push(id.clone());
            continue;
        }
        for line in stdin().lock().lines() {
            let line = line.map_err(|error| CommandFailure::failed("stdin", error))?;
            let id = line.trim();
            ids.extend((!id.is_empty()).then(|| id.to_owned()));
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
