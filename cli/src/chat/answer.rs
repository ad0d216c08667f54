//! Prints an answer, or finds the failure that it reports.

use protocol::t2b::frames::Delivered;

use super::show::FramePrinter;
use crate::failure::CommandFailure;

/// Shows a message, or gives the failure that it reports: as text that is told on stderr only.
pub(super) fn shown(
    show: &mut FramePrinter,
    message: &Delivered,
) -> Result<Option<CommandFailure>, CommandFailure> {
    let trouble = trouble_of(message);
    match trouble.is_some() && show.is_text() {
        true => show.clear(),
        false => show.message(message)?,
    }
    Ok(trouble)
}

/// The failure that an answer reports: see `bot/mod.rs`.
fn trouble_of(answer: &Delivered) -> Option<CommandFailure> {
    let error = answer.body.get("error")?.as_object()?;
    let (reason, text) = (
        error.get("reason")?.as_str()?,
        error.get("message")?.as_str()?,
    );
    Some(CommandFailure::failed(reason, text))
}
