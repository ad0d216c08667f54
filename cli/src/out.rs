//! Printing: every line of stdout and stderr passes through here.
//!
//! | error | on stdout | on stderr |
//! | --- | --- | --- |
//! | broken pipe | the command exits with 0 | ignored |
//! | any other, like a full disk | the command exits with 1 | ignored |
//!
//! The code is 0 and not 141, which stands for SIGPIPE: the reader has what it wants, and
//! `t2b bots | head -1` succeeds in a script with `set -o pipefail`.

use std::fmt::{Arguments, Display};
use std::io::{self, Write, stderr, stdout};

use crate::failure::CommandFailure;
use crate::term;

/// Prints a line on stdout, given like that of `println!`. Errors: it cannot be written.
macro_rules! say {
    ($($line:tt)*) => { $crate::out::raw(format_args!("{}\n", format_args!($($line)*))) };
}
pub(crate) use say;

/// Tells a person a line, on stderr, given like that of `eprintln!`; lost if nobody reads it.
macro_rules! tell {
    ($($line:tt)*) => { $crate::out::note(format_args!("{}\n", format_args!($($line)*))) };
}
pub(crate) use tell;

/// Prints a text on stdout, as it is. Errors: it cannot be written.
pub fn raw(text: Arguments<'_>) -> Result<(), CommandFailure> {
    let mut out = stdout().lock();
    written(out.write_fmt(text).and_then(|()| out.flush()))
}

/// Prints facts for a program, one object a line. Errors: they cannot be written.
pub fn json(facts: &serde_json::Value) -> Result<(), CommandFailure> {
    say!("{}", term::for_stdout(&facts.to_string()))
}

/// What it means for a command that something was written to stdout, or was not.
pub fn written(done: io::Result<()>) -> Result<(), CommandFailure> {
    done.map_err(|error| match error.kind() == io::ErrorKind::BrokenPipe {
        true => CommandFailure::unread(),
        false => CommandFailure::failed("stdout", error),
    })
}

/// Writes a text to stderr, as it is.
pub fn note(text: Arguments<'_>) {
    // There is no other place to say that this one is gone.
    let _ = stderr().lock().write_fmt(text);
}

/// Tells an error, on stderr.
pub fn tell_error(reason: &str, text: &str) {
    let text = term::for_stderr(text);
    tell!("{} {reason}: {text}", term::red("error:"));
}

/// Tells a warning, on stderr.
pub fn tell_warning(text: &str) {
    let text = term::for_stderr(text);
    tell!("{} {text}", term::yellow("warning:"));
}

/// Tells which command is next, on stderr.
pub fn tell_next(command: impl Display) {
    let command = command.to_string();
    let command = term::for_stderr(&command);
    tell!("{} {command}", term::dim("next:"));
}

/// A number of things: `1 node`, `2 nodes`.
pub fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}
