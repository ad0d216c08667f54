//! The form of every message: the same for all servers, the recipient at a fixed place.
//!
//! ```text
//!  {"type":"message","data":{"to":"b000001","text":"0000000042 from a000001 to b000001 xxx…"}}
//!                                  TO_AT ^^^        ^^^ the number, from 0, of this sender
//! ```
//!
//! What another protocol puts around it (a `PUB` line, an MQTT head) is part of the template, so that
//! sending costs the generator the same for every server.

use std::ops::Range;

/// Bytes of every name.
pub const NAME_BYTES: usize = 7;
/// Where the recipient's name stands in a message.
pub(crate) const TO_AT: usize = r#"{"type":"message","data":{"to":""#.len();
/// Bytes of every message.
pub(crate) const MESSAGE_BYTES: usize = 200;

/// Digits of a message's number.
pub const NUMBER_DIGITS: usize = 10;
/// Stands in the number's place before numbers are counted.
const GREETING: &[u8; NUMBER_DIGITS] = b"greetings!";
/// How a greeting is told from a message.
pub(crate) const GREETING_TEXT: &[u8] = br#""text":"greetings!"#;

/// What a message is besides its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageForm {
    /// Whether it names its sender, as bots do.
    pub names_sender: bool,
    /// Whether it has an `id`, by which its ack is known.
    pub has_id: bool,
}

/// A message with a number to be filled in.
#[derive(Debug)]
pub struct MessageTemplate {
    bytes: Vec<u8>,
    number_at: usize,
    id_at: Option<usize>,
    /// The `text` member, with its name and quotes.
    text: Range<usize>,
}

impl MessageTemplate {
    /// From one end of a pair to the other.
    pub fn new(from: &str, to: &str, form: MessageForm) -> Self {
        let sender = match form.names_sender {
            true => format!(r#""from":"{from}","#),
            false => String::new(),
        };
        let zero = "0".repeat(NUMBER_DIGITS);
        let head = format!(r#"{{"type":"message","data":{{"to":"{to}",{sender}"#);
        let mut text = format!(r#"{head}"text":"{zero} from {from} to {to} "#);
        let tail = match form.has_id {
            true => format!(r#""}},"id":"{zero}"}}"#),
            false => r#""}}"#.to_owned(),
        };
        text.push_str(&"x".repeat(MESSAGE_BYTES - text.len() - tail.len()));
        let text_end = text.len() + 1;
        text.push_str(&tail);
        Self {
            number_at: head.len() + r#""text":""#.len(),
            id_at: form
                .has_id
                .then(|| text.len() - NUMBER_DIGITS - r#""}"#.len()),
            text: head.len()..text_end,
            bytes: text.into_bytes(),
        }
    }

    /// The same between two runs of bytes.
    pub fn between(mut self, before: &[u8], after: &[u8]) -> Self {
        self.bytes = [before, &self.bytes, after].concat();
        self.number_at += before.len();
        self.id_at = self.id_at.map(|at| at + before.len());
        self.text = self.text.start + before.len()..self.text.end + before.len();
        self
    }

    /// All of it, with this number.
    pub fn numbered(&mut self, number: u64) -> &[u8] {
        self.fill(&digits(number))
    }

    /// All of it, as a greeting.
    pub fn greeting(&mut self) -> &[u8] {
        self.fill(GREETING)
    }

    /// The `text` member of the message of this number.
    pub fn text(&mut self, number: u64) -> &[u8] {
        let text = self.text.clone();
        &self.numbered(number)[text]
    }

    fn fill(&mut self, number: &[u8; NUMBER_DIGITS]) -> &[u8] {
        for at in [Some(self.number_at), self.id_at].into_iter().flatten() {
            self.bytes[at..at + NUMBER_DIGITS].copy_from_slice(number);
        }
        &self.bytes
    }
}

/// A number with leading zeros.
pub fn digits(mut number: u64) -> [u8; NUMBER_DIGITS] {
    let mut digits = [b'0'; NUMBER_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_size_its_recipient_and_its_number() {
        for (names_sender, has_id) in [(false, false), (true, false), (false, true), (true, true)] {
            let form = MessageForm {
                names_sender,
                has_id,
            };
            let mut template = MessageTemplate::new("a000001", "b000001", form);
            let bytes = template.numbered(1234).to_vec();
            assert_eq!(bytes.len(), MESSAGE_BYTES);
            assert_eq!(&bytes[TO_AT..TO_AT + NAME_BYTES], b"b000001");
            let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            let text = value["data"]["text"].as_str().unwrap().to_owned();
            assert!(text.starts_with("0000001234 from a000001 to b000001 x"));
            assert_eq!(value["id"].as_str(), has_id.then_some("0000001234"));
            assert_eq!(
                value["data"]["from"].as_str(),
                names_sender.then_some("a000001")
            );
            let member = format!(r#""text":"{text}""#);
            assert_eq!(template.text(1234), member.as_bytes());
            let mut wrapped = template.between(b"PUB x 200\r\n", b"\r\n");
            assert_eq!(wrapped.text(1234), member.as_bytes());
            assert!(wrapped.numbered(1234).ends_with(b"}\r\n"));
        }
    }

    #[test]
    fn a_greeting_is_told_from_a_message() {
        let form = MessageForm {
            names_sender: false,
            has_id: false,
        };
        let mut template = MessageTemplate::new("a000001", "b000001", form);
        let is_greeting = |bytes: &[u8]| {
            bytes
                .windows(GREETING_TEXT.len())
                .any(|it| it == GREETING_TEXT)
        };
        assert!(is_greeting(template.greeting()));
        assert!(!is_greeting(template.numbered(7)));
    }
}
