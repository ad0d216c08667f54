//! What is not understood of other nodes, and when the log tells of it.

use std::collections::BTreeMap;

use protocol::BootId;
use protocol::lane::PacketError;
use router_core::Millis;

/// How often packets of one node that are not understood are worth a line of the log, milliseconds.
const MISREAD_MS: Millis = 10_000;
/// Most senders that this is remembered of; more are told of as if they were one.
const SENDERS_MAX: usize = 64;
/// The metric label of an envelope that is not understood.
pub(in crate::node) const ENVELOPE: &str = "envelope";
/// The metric labels of all that is not understood.
pub(crate) const MISREAD: [&str; PacketError::REASONS.len() + 1] = {
    let [size, wire, secret, signature, malformed] = PacketError::REASONS;
    [size, wire, secret, signature, malformed, ENVELOPE]
};

/// When the log last told of packets that are not understood, by their sender if that is readable.
#[derive(Debug, Default)]
pub(super) struct MisreadLog(BTreeMap<Option<BootId>, Millis>);

impl MisreadLog {
    /// Whether a line of the log is due for this sender. It is told then.
    pub(super) fn is_due(&mut self, src: Option<BootId>, now_ms: Millis) -> bool {
        let is_full = self.0.len() >= SENDERS_MAX && !self.0.contains_key(&src);
        if is_full {
            self.0.retain(|_, told_ms| now_ms < *told_ms + MISREAD_MS);
        }
        let src = src.filter(|src| self.0.len() < SENDERS_MAX || self.0.contains_key(&Some(*src)));
        let told_ms = self.0.get(&src);
        let is_due = told_ms.is_none_or(|told_ms| now_ms >= *told_ms + MISREAD_MS);
        if is_due {
            self.0.insert(src, now_ms);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sender_is_told_of_once_in_a_period_and_few_are_remembered() {
        let mut misread = MisreadLog::default();
        let [a, b] = [1, 2].map(|bits| Some(BootId::from_bits(bits)));
        for src in [a, b, None] {
            assert!(misread.is_due(src, 0) && !misread.is_due(src, MISREAD_MS - 1));
        }
        assert!(misread.is_due(a, MISREAD_MS));
        let mut misread = MisreadLog::default();
        let many = (0..1000).map(|bits| Some(BootId::from_bits(bits)));
        let told = many.filter(|src| misread.is_due(*src, 0)).count();
        assert_eq!(told, SENDERS_MAX + 1, "the last line is for all others");
        assert!(misread.0.len() <= SENDERS_MAX + 1);
        assert!(misread.is_due(Some(BootId::from_bits(5000)), MISREAD_MS));
        assert_eq!(misread.0.len(), 1);
    }
}
