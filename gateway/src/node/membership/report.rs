//! What the log says of the other nodes: who cannot be understood, and whose secrets differ.

use std::fmt::Display;

use protocol::BootId;
use protocol::lane::KeyId;
use router_core::NodeView;

use crate::node::core::Node;
use crate::node::lock::lock;

impl Node {
    /// Counts what another node sent and this one does not understand; tells the log of it now and
    /// then, with the node. `src`: who sent it, as far as that can be read.
    pub(in crate::node) fn report_misread(
        &self,
        src: Option<BootId>,
        reason: &'static str,
        error: &dyn Display,
    ) {
        self.metrics.cluster.misread(reason);
        if !lock(&self.membership.misread).is_due(src, self.now_ms()) {
            return;
        }
        let view = self.view();
        let peer = src.and_then(|src| view.peers.get(&src));
        let hello = peer.and_then(|peer| peer.hello.as_ref());
        tracing::warn!(
            %error,
            boot = src.map(tracing::field::display),
            name = hello.map(|hello| hello.name.as_str()),
            address = hello.map(|hello| hello.address.as_str()),
            version = hello.map(|hello| hello.version.as_str()),
            "a packet of another node is not understood"
        );
    }

    /// Tells the log if a peer does not fit this node, each time that it is described.
    pub(super) fn report_described(&self, view: &NodeView, boot: BootId) {
        let Some(peer) = view.peers.get(&boot) else {
            return;
        };
        let Some(hello) = &peer.hello else { return };
        let (name, address) = (hello.name.as_str(), hello.address.as_str());
        let (ours, theirs) = (key_list(&view.keys), key_list(&hello.keys));
        if let Err(reason) = peer.terms {
            tracing::warn!(
                %boot, name, address, %reason,
                version = %hello.version, wire = ?hello.wire, secrets = theirs, own_secrets = ours,
                "a node cannot be reached: messages for it are refused"
            );
            return;
        }
        let gap = view.secret_gap(peer);
        if gap.is_wrong_order() {
            tracing::warn!(
                %boot, name, address, secrets = theirs, own_secrets = ours,
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
