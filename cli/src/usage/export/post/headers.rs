//! The headers that the receiver wants. Their values are secrets: no error and no log has them.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::export_args::SendingArgs;
use crate::failure::CommandFailure;
use crate::out;

/// Most bytes of the file.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Others may read such a file.
const MODE_OF_OTHERS: u32 = 0o007;
/// A shorter word of a value is no secret, and may be part of any answer.
const SECRET_CHARS_MIN: usize = 8;

/// The headers of every request.
pub(super) struct ReceiverHeaders(pub(super) HeaderMap);

impl ReceiverHeaders {
    /// The headers of the file and of the flags.
    ///
    /// # Errors
    ///
    /// Exit 64: a line or a flag is not a header, and which one.
    pub(super) fn load(args: &SendingArgs) -> Result<Self, CommandFailure> {
        let mut headers = HeaderMap::new();
        if let Some(path) = &args.header_file {
            let text = read(path).map_err(|error| wrong(&path.display(), &error))?;
            for (index, line) in text.lines().enumerate() {
                let line = line.trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let place = format!("{}:{}", path.display(), index + 1);
                add(&mut headers, line).map_err(|rule| wrong(&place, &rule))?;
            }
        }
        for (index, line) in args.header.iter().enumerate() {
            let place = format!("--header {}", index + 1);
            add(&mut headers, line).map_err(|rule| wrong(&place, &rule))?;
        }
        Ok(Self(headers))
    }

    /// A text of the receiver without the values of headers: some receivers repeat what they were sent.
    pub(super) fn censored(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in self.0.values().filter_map(|value| value.to_str().ok()) {
            let words = value.split([' ', ':', ';', ',', '=']);
            for secret in std::iter::once(value).chain(words) {
                if secret.len() >= SECRET_CHARS_MIN {
                    text = text.replace(secret, "***");
                }
            }
        }
        text
    }
}

/// Errors: a rule, without the line.
fn add(headers: &mut HeaderMap, line: &str) -> Result<(), &'static str> {
    let (name, value) = line.split_once(':').ok_or("expected `Name: value`")?;
    let name = HeaderName::try_from(name.trim()).map_err(|_| "the name is not one of a header")?;
    if [HOST, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING].contains(&name) {
        return Err("t2b sets this header itself");
    }
    let value = HeaderValue::try_from(value.trim());
    let mut value = value.map_err(|_| "the value has characters that no header takes")?;
    value.set_sensitive(true);
    headers.append(name, value);
    Ok(())
}

fn read(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    if file.metadata()?.permissions().mode() & MODE_OF_OTHERS != 0 {
        let path = path.display();
        out::tell_warning(&format!(
            "{path}: other users of this machine can read it; run chmod 600 {path}"
        ));
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other("has more than 64 KiB"));
    }
    Ok(text)
}

fn wrong(place: &dyn std::fmt::Display, rule: &dyn std::fmt::Display) -> CommandFailure {
    CommandFailure::usage("header", format!("{place}: {rule}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_header_or_an_error_without_its_value() {
        let mut headers = HeaderMap::new();
        add(&mut headers, "Authorization: Bearer secret").unwrap();
        add(&mut headers, "Stripe-Version:2026-10-28.endive").unwrap();
        assert_eq!(headers["authorization"], "Bearer secret");
        assert_eq!(headers["stripe-version"], "2026-10-28.endive");
        for line in [
            "no colon",
            "a b: c",
            ": c",
            "Host: a",
            "content-type: b",
            "a: \u{1}",
        ] {
            assert!(add(&mut headers, line).is_err(), "{line:?}");
        }
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn an_answer_that_repeats_the_key_is_censored() {
        let mut headers = HeaderMap::new();
        add(&mut headers, "Authorization: Bearer sk_live_0123").unwrap();
        let headers = ReceiverHeaders(headers);
        let text = headers.censored("no such key: sk_live_0123, a Bearer key");
        assert_eq!(text, "no such key: ***, a Bearer key");
    }
}
