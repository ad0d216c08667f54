//! Colours for terminals, and escapes: text of strangers must not control the terminal.

use std::borrow::Cow;
use std::env;
use std::fmt::Write;
use std::io::{IsTerminal, stderr, stdout};

/// Whether a person reads stdout.
pub fn is_read() -> bool {
    stdout().is_terminal()
}

/// Text for stderr; on a terminal control characters are shown escaped.
pub fn for_stderr(text: &str) -> Cow<'_, str> {
    escaped_if(stderr().is_terminal(), text)
}

/// Text for stdout; on a terminal control characters are shown escaped.
pub fn for_stdout(text: &str) -> Cow<'_, str> {
    escaped_if(is_read(), text)
}

fn escaped_if(terminal: bool, text: &str) -> Cow<'_, str> {
    if terminal { escaped(text) } else { text.into() }
}

/// Every control character but newline and tab as `\u001b`, which is also how JSON writes it.
pub fn escaped(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(steers) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if steers(c) {
            write!(out, "\\u{:04x}", u32::from(c)).expect("a String takes everything");
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// For errors, on stderr.
pub fn red(text: &str) -> String {
    coloured(stderr().is_terminal(), "31;1", text)
}

/// For warnings, on stderr.
pub fn yellow(text: &str) -> String {
    coloured(stderr().is_terminal(), "33;1", text)
}

/// For what matters less, on stderr.
pub fn dim(text: &str) -> String {
    coloured(stderr().is_terminal(), "2", text)
}

/// For names, on stdout.
pub fn bold(text: &str) -> String {
    coloured(is_read(), "1", text)
}

/// For what is well, on stdout.
pub fn green(text: &str) -> String {
    coloured(is_read(), "32", text)
}

fn coloured(terminal: bool, code: &str, text: &str) -> String {
    let wanted = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown() {
        assert_eq!(escaped("a\tb\nc"), "a\tb\nc");
        assert_eq!(escaped("\x1b[2Jä\r\u{9b}"), "\\u001b[2Jä\\u000d\\u009b");
    }
}
