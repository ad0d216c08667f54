//! What one end sent and received, and therefore must receive next: the check of every delivery.

use anyhow::{Result, bail, ensure};

use super::template::{GREETING_TEXT, MessageTemplate, NUMBER_DIGITS, digits};

const ACK: &[u8] = br#"{"type":"message_ack""#;
const DELIVERED: &[u8] = br#""status":"delivered""#;
const PRESENCE: &[u8] = br#"{"type":"bot_status""#;
const ID_KEY: &[u8] = br#""id":""#;

/// The book of one end.
#[derive(Debug)]
pub struct EndLedger {
    /// Messages to the peer.
    pub outgoing: MessageTemplate,
    /// Messages from the peer, as they must be.
    pub incoming: MessageTemplate,
    /// Messages sent, and the number of the next.
    pub sent: u64,
    /// Messages received, and the number expected next.
    pub received: u64,
    /// Messages acknowledged, and the number expected next; stays 0 where none is promised.
    pub acked: u64,
    /// Whether the peer's greeting came.
    pub met: bool,
    /// Whether anything but what must come next is a failure.
    pub strict: bool,
    text_at: PlaceHint,
    ack_id_at: PlaceHint,
    delivered_at: PlaceHint,
}

impl EndLedger {
    /// An empty one.
    pub fn new(outgoing: MessageTemplate, incoming: MessageTemplate) -> Self {
        Self {
            outgoing,
            incoming,
            sent: 0,
            received: 0,
            acked: 0,
            met: false,
            strict: false,
            text_at: PlaceHint::default(),
            ack_id_at: PlaceHint::default(),
            delivered_at: PlaceHint::default(),
        }
    }

    /// A frame of T2B or of the raw relay. Errors: it is not what must come next.
    pub fn frame(&mut self, payload: &[u8]) -> Result<()> {
        if self.strict && payload.starts_with(ACK) {
            return self.ack(payload);
        }
        if payload.starts_with(PRESENCE) {
            return Ok(());
        }
        self.message(payload)
    }

    /// A message. Errors: it is not the one that must come next.
    pub fn message(&mut self, payload: &[u8]) -> Result<()> {
        if !self.strict {
            self.met |= find(payload, GREETING_TEXT).is_some();
            return Ok(());
        }
        let expected = self.incoming.text(self.received);
        if !self.text_at.holds(payload, expected) {
            bail!("expected {}, got {}", shown(expected), shown(payload));
        }
        self.received += 1;
        Ok(())
    }

    fn ack(&mut self, payload: &[u8]) -> Result<()> {
        let mut id = [0; ID_KEY.len() + NUMBER_DIGITS];
        let (key, number) = id.split_at_mut(ID_KEY.len());
        key.copy_from_slice(ID_KEY);
        number.copy_from_slice(&digits(self.acked));
        ensure!(
            self.acked < self.sent
                && self.ack_id_at.holds(payload, &id)
                && self.delivered_at.holds(payload, DELIVERED),
            "expected the ack of {}, got {}",
            self.acked,
            shown(payload)
        );
        self.acked += 1;
        Ok(())
    }

    /// Whether all of what `peer` sent is here.
    pub(crate) fn has_all_of(&self, peer: &EndLedger) -> bool {
        self.received == peer.sent
    }
}

/// Where something stood last time: looked for there first, so that checking is cheap.
#[derive(Debug, Default)]
struct PlaceHint(usize);

impl PlaceHint {
    fn holds(&mut self, payload: &[u8], expected: &[u8]) -> bool {
        if payload[self.0.min(payload.len())..].starts_with(expected) {
            return true;
        }
        let found = find(payload, expected);
        self.0 = found.unwrap_or(self.0);
        found.is_some()
    }
}

fn find(payload: &[u8], part: &[u8]) -> Option<usize> {
    payload.windows(part.len()).position(|it| it == part)
}

fn shown(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The frames that a check must refuse.
#[cfg(test)]
mod tests {
    use super::super::template::MessageForm;
    use super::*;

    fn ledger() -> (EndLedger, MessageTemplate) {
        let form = MessageForm {
            names_sender: false,
            has_id: true,
        };
        let outgoing = MessageTemplate::new("a000001", "b000001", form);
        let incoming = || MessageTemplate::new("b000001", "a000001", form);
        let mut ledger = EndLedger::new(outgoing, incoming());
        ledger.strict = true;
        (ledger, incoming())
    }

    #[test]
    fn messages_come_once_and_in_order() {
        let (mut ledger, mut peer) = ledger();
        for number in 0..3 {
            ledger.frame(peer.numbered(number)).unwrap();
        }
        assert!(ledger.frame(peer.numbered(2)).is_err(), "twice");
        assert!(ledger.frame(peer.numbered(4)).is_err(), "one is missing");
        ledger.frame(peer.numbered(3)).unwrap();
        let mut foreign = MessageTemplate::new(
            "b000002",
            "a000001",
            MessageForm {
                names_sender: false,
                has_id: true,
            },
        );
        assert!(
            ledger.frame(foreign.numbered(4)).is_err(),
            "another sender's"
        );
        assert!(ledger.frame(br#"{"type":"error"}"#).is_err());
        ledger.frame(br#"{"type":"bot_status"}"#).unwrap();
        assert_eq!(ledger.received, 4);
    }

    #[test]
    fn acks_come_once_and_in_order_and_say_delivered() {
        let ack = |number: u64, status: &str| {
            format!(
                r#"{{"type":"message_ack","data":{{"messageId":"m","status":"{status}"}},"id":"{number:010}"}}"#
            )
        };
        let (mut ledger, _) = ledger();
        assert!(
            ledger.frame(ack(0, "delivered").as_bytes()).is_err(),
            "nothing was sent"
        );
        ledger.sent = 3;
        ledger.frame(ack(0, "delivered").as_bytes()).unwrap();
        assert!(
            ledger.frame(ack(0, "delivered").as_bytes()).is_err(),
            "twice"
        );
        assert!(
            ledger.frame(ack(2, "delivered").as_bytes()).is_err(),
            "out of order"
        );
        assert!(ledger.frame(ack(1, "duplicate").as_bytes()).is_err());
        ledger.frame(ack(1, "delivered").as_bytes()).unwrap();
        assert_eq!(ledger.acked, 2);
    }

    #[test]
    fn only_a_greeting_is_heard_before_it_is_strict() {
        let (mut ledger, mut peer) = ledger();
        ledger.strict = false;
        ledger.frame(br#"{"type":"error"}"#).unwrap();
        ledger.frame(peer.numbered(7)).unwrap();
        assert!(!ledger.met);
        ledger.frame(peer.greeting()).unwrap();
        assert!(ledger.met);
        assert_eq!(ledger.received, 0);
    }
}
