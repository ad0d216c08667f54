//! What the log says of the other nodes: who cannot be understood, and whose secrets differ.

use std::collections::BTreeMap;
use std::fmt::Display;

use protocol::BootId;
use protocol::lane::{KeyId, PacketError};
use router_core::{Millis, Nodes};

use super::{Node, lock};

/// How often packets of one node that are not understood are worth a line of the log, milliseconds.
const MISREAD_MS: Millis = 10_000;
/// Most senders that this is remembered of; more are told of as if they were one.
const SENDERS_MAX: usize = 64;
/// The metric label of an envelope that is not understood.
pub(super) const ENVELOPE: &str = "envelope";
/// The metric labels of all that is not understood.
pub(crate) const MISREAD: [&str; PacketError::REASONS.len() + 1] = {
    let [size, wire, secret, signature, malformed] = PacketError::REASONS;
    [size, wire, secret, signature, malformed, ENVELOPE]
};

/// When the log last told of packets that are not understood, by their sender if that is readable.
#[derive(Debug, Default)]
pub(super) struct Misread(BTreeMap<Option<BootId>, Millis>);

impl Misread {
    /// Whether a line of the log is due for this sender. It is told then.
    fn is_due(&mut self, src: Option<BootId>, now_ms: Millis) -> bool {
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

impl Node {
    /// Counts what another node sent and this one does not understand; tells the log of it now and
    /// then, with the node. `src`: who sent it, as far as that can be read.
    pub(super) fn report_misread(
        &self,
        src: Option<BootId>,
        reason: &'static str,
        error: &dyn Display,
    ) {
        self.metrics.cluster.misread(reason);
        if !lock(&self.misread).is_due(src, self.now_ms()) {
            return;
        }
        let view = self.view();
        let peer = src.and_then(|src| view.peers.get(&src));
        let hello = peer.and_then(|peer| peer.hello.as_ref());
        tracing::warn!(
            %error,
            boot = src.map(tracing::field::display),
            node = hello.map(|hello| hello.name.as_str()),
            address = hello.map(|hello| hello.address.as_str()),
            version = hello.map(|hello| hello.version.as_str()),
            "a packet of another node is not understood"
        );
    }

    /// Tells the log if a peer does not fit this node, each time that it is described.
    pub(super) fn report_described(&self, view: &Nodes, boot: BootId) {
        let Some(peer) = view.peers.get(&boot) else {
            return;
        };
        let Some(hello) = &peer.hello else { return };
        let (node, address) = (hello.name.as_str(), hello.address.as_str());
        let (ours, theirs) = (key_list(&view.keys), key_list(&hello.keys));
        if let Err(reason) = peer.terms {
            tracing::warn!(
                %boot, node, address, %reason,
                version = %hello.version, wire = ?hello.wire, secrets = theirs, own_secrets = ours,
                "a node cannot be reached: messages for it are refused"
            );
            return;
        }
        let gap = view.secret_gap(peer);
        if gap.is_wrong_order() {
            tracing::warn!(
                %boot, node, address, secrets = theirs, own_secrets = ours,
                refuses_ours = gap.ours_unknown_there, we_refuse_theirs = gap.theirs_unknown_here,
                "secrets are rotated in the wrong order: credentials of one node are refused by another"
            );
        }
    }
}

/// The ids of secrets, as operators see them.
pub(crate) fn key_list(keys: &[KeyId]) -> String {
    let keys: Vec<String> = keys.iter().map(KeyId::to_string).collect();
    keys.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sender_is_told_of_once_in_a_period_and_few_are_remembered() {
        let mut misread = Misread::default();
        let [a, b] = [1, 2].map(|bits| Some(BootId::from_bits(bits)));
        for src in [a, b, None] {
            assert!(misread.is_due(src, 0) && !misread.is_due(src, MISREAD_MS - 1));
        }
        assert!(misread.is_due(a, MISREAD_MS));
        let mut misread = Misread::default();
        let many = (0..1000).map(|bits| Some(BootId::from_bits(bits)));
        let told = many.filter(|src| misread.is_due(*src, 0)).count();
        assert_eq!(told, SENDERS_MAX + 1, "the last line is for all others");
        assert!(misread.0.len() <= SENDERS_MAX + 1);
        assert!(misread.is_due(Some(BootId::from_bits(5000)), MISREAD_MS));
        assert_eq!(misread.0.len(), 1);
    }
}
