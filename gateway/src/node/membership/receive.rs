//! What comes from the other nodes.

use std::sync::Arc;

use backplane::InboundMessage;
use bytes::Bytes;
use protocol::BootId;
use protocol::lane::{LaneTerms, Packet};
use router_core::NodeView;
use router_core::membership::NodeInput;
use router_core::shard::ShardInput;
use tokio::sync::mpsc;

use crate::node::core::Node;

impl Node {
    /// Takes what comes from the others, in its order.
    pub(super) async fn receive(
        self: Arc<Self>,
        mut inbound: mpsc::Receiver<InboundMessage>,
        inputs: mpsc::Sender<NodeInput>,
    ) {
        while let Some(received) = inbound.recv().await {
            match received {
                InboundMessage::Packet(bytes) => self.receive_packet(&bytes),
                InboundMessage::Event {
                    tenant,
                    event,
                    repaired,
                } => {
                    if repaired {
                        self.metrics.cluster.repaired.increment(1);
                        tracing::warn!(%tenant, "the counter of a tenant in redis was no time: repaired");
                    }
                    let index = self.shards.index_of(&tenant);
                    self.tell_shard(index, ShardInput::Event { tenant, event });
                }
                InboundMessage::Probe { number } => {
                    drop(inputs.try_send(NodeInput::Probe { number }))
                }
                InboundMessage::LinkDown => drop(inputs.send(NodeInput::LinkDown).await),
                InboundMessage::LinkUp => {
                    drop(inputs.send(NodeInput::LinkUp).await);
                    self.resync();
                }
            }
        }
    }

    fn receive_packet(&self, bytes: &Bytes) {
        let packet = match self.lanes.read(bytes) {
            Ok(packet) => packet,
            Err(error) => {
                let src = Packet::claimed_src(bytes);
                return self.report_misread(src, error.reason(), &error);
            }
        };
        let view = self.view();
        if packet.dst != view.own {
            return;
        }
        if view.is_dead(packet.src) {
            return self.tell_evicted(&packet);
        }
        if packet.data.is_some() && !view.hears(packet.src) {
            self.discover(packet.src);
        }
        if packet.is_empty() {
            return self.membership.hint(NodeInput::SaidAnew(packet.src));
        }
        if packet.ack.as_ref().is_some_and(|ack| ack.evicted) {
            self.membership.hint(NodeInput::Evicted);
        }
        self.metrics.cluster.received(bytes.len());
        if !self.lanes.hand(view.own, packet) {
            self.metrics.cluster.dropped.increment(1);
        }
    }

    /// Somebody names a node that is not in the view: the machine looks whether it lives.
    pub(in crate::node) fn discover(&self, boot: BootId) {
        self.membership.hint(NodeInput::Discovered(boot));
    }

    /// Tells the peers to read again what this node says of itself.
    pub(super) fn say_anew(&self, view: &NodeView) {
        let packets = view.peers.iter().map(|(peer, it)| {
            let packet = Packet::empty(view.own, *peer);
            let bytes = match it.terms {
                Ok(terms) => packet.to_bytes_at(&self.lanes.keys(), terms),
                // It knows none of the new secrets, and one of those before.
                Err(_) => packet.to_bytes_at(&self.lanes.former_keys(), LaneTerms::UNKNOWN),
            };
            (*peer, bytes)
        });
        for (peer, bytes) in packets {
            let Some(node) = self.me.upgrade() else {
                return;
            };
            tokio::spawn(async move { node.backplane.publish(peer, bytes).await });
        }
    }

    /// Nothing of an evicted node is handled, and it is told why.
    fn tell_evicted(&self, packet: &Packet) {
        let (Some(answer), Some(node)) = (packet.answer_to_evicted(), self.me.upgrade()) else {
            return;
        };
        // Of a dead node nothing is known any more.
        let bytes = answer.to_bytes_at(&self.lanes.keys(), LaneTerms::UNKNOWN);
        tokio::spawn(async move { node.backplane.publish(answer.dst, bytes).await });
    }
}
