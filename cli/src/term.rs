//! Colours for terminals, and escapes: text of strangers must not control the terminal.

use std::borrow::Cow;
use std::env;
use std::fmt::Write;
use std::io::{IsTerminal, stderr, stdout};

/// Whether a person reads stdout.
pub fn is_read() -> bool {
    stdout().is_terminal()
}

/// Text for stderr; on a terminal what steers it is shown [escaped].
pub fn for_stderr(text: &str) -> Cow<'_, str> {
    escaped_if(stderr().is_terminal(), text)
}

/// Text for stdout; on a terminal what steers it is shown [escaped].
pub fn for_stdout(text: &str) -> Cow<'_, str> {
    escaped_if(is_read(), text)
}

fn escaped_if(terminal: bool, text: &str) -> Cow<'_, str> {
    if terminal { escaped(text) } else { text.into() }
}

/// A text of any number of lines: what [`steers`] as `\u001b`, which is also how JSON writes it.
pub fn escaped(text: &str) -> Cow<'_, str> {
    escaped_where(text, |c| steers(c) && c != '\n' && c != '\t')
}

/// A text of others within a line: line breaks and tabs are escaped too, so that it cannot pass for lines of ours.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped_where(text, steers)
}

/// Whether a character controls the terminal, ends a line, or changes the direction of the text around it: then what is
/// shown differs from what is there.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped_where(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_escaped(c) {
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
        for c in "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}".chars() {
            let shown = format!("a\\u{:04x}b", u32::from(c));
            assert_eq!(escaped(&format!("a{c}b")), shown);
        }
        // These belong to words and to emoji.
        assert_eq!(escaped("\u{200c}\u{200d}"), "\u{200c}\u{200d}");
    }

    #[test]
    fn one_line_has_no_line_break() {
        let text = one_line("a\tb\r\nc\u{85}d\u{2028}e");
        assert_eq!(text, "a\\u0009b\\u000d\\u000ac\\u0085d\\u2028e");
        assert_eq!(one_line("wörds"), "wörds");
    }
}
