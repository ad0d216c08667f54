//! How a conversation is printed: partials are replaced on stderr, answers stay on stdout.

use std::io::{IsTerminal, Write, stderr};

use client::{UnreadableMessage, members_of};
use protocol::t2b::frames::{Delivered, ServerMessage};

use super::parts::is_last_part;
use crate::failure::CommandFailure;
use crate::out::{self, say};
use crate::term;

/// Longest tail of a partial that is shown, characters: it must fit one line.
const PARTIAL_CHARS: usize = 72;

/// Prints frames or texts.
pub struct FramePrinter {
    json: bool,
    partials: bool,
    /// Whether a partial stands on the last line.
    pending: bool,
}

impl FramePrinter {
    /// `json`: one frame a line, instead of texts.
    pub fn new(json: bool) -> Self {
        Self {
            json,
            partials: !json && stderr().is_terminal(),
            pending: false,
        }
    }

    /// A frame that is shown as such or not at all.
    pub fn frame(&self, frame: &ServerMessage) -> Result<(), CommandFailure> {
        if self.json {
            let text = serde_json::to_string(frame).expect("frames have string keys only");
            say!("{}", term::for_stdout(&text))?;
        }
        Ok(())
    }

    /// What there is of an answer.
    pub fn partial(&mut self, partial: &Delivered) -> Result<(), CommandFailure> {
        self.frame(&ServerMessage::MessagePartial(partial.clone()))?;
        let text = members_of(partial).text.unwrap_or_default();
        if self.partials {
            let line = text.replace(['\n', '\t'], " ");
            let skip = line.chars().count().saturating_sub(PARTIAL_CHARS);
            let tail: String = line.chars().skip(skip).collect();
            self.rewrite(&term::dim(&term::escaped(&tail)));
            self.pending = true;
        }
        Ok(())
    }

    /// Whether texts are shown, not frames.
    pub fn is_text(&self) -> bool {
        !self.json
    }

    /// An answer, or a part of one; the parts come in order and make one text.
    pub fn message(&mut self, message: &Delivered) -> Result<(), CommandFailure> {
        if self.json {
            return self.frame(&ServerMessage::Message(message.clone()));
        }
        self.clear();
        let text = members_of(message).text.unwrap_or_default();
        let end = if is_last_part(message) { "\n" } else { "" };
        out::raw(format_args!("{}{end}", term::for_stdout(&text)))
    }

    /// Takes away the partial on the last line, for what comes there next.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.pending) {
            self.rewrite("");
        }
    }

    /// A message whose body cannot be read: the frame as it came.
    pub fn unreadable(&mut self, message: &UnreadableMessage) -> Result<(), CommandFailure> {
        self.clear();
        say!("{}", term::for_stdout(&message.frame))
    }

    fn rewrite(&self, text: &str) {
        let mut out = stderr();
        // A terminal that is gone needs no partials.
        let _ = write!(out, "\r\x1b[2K{text}").and_then(|()| out.flush());
    }
}
