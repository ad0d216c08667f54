//! What crosses from one node to the other: taken, handled, and acknowledged, as the gateway's
//! `lanes.rs` does, but at once.
//!
//! Packets are handed over as they are: to write, sign, check and read one is a step of its own
//! ([`work`](crate::work)), because most of that is SHA-256, for which callgrind's processor has no
//! instructions and real ones do.

use anyhow::{Context, Result};
use protocol::Envelope;
use protocol::lane::LaneAck;
use router_core::shard::ShardInput;

use super::{BareCluster, shard_of};

impl BareCluster {
    /// Carries everything that waits on the lane from node `from` to the other one, and the acks
    /// back. Returns how many messages that were.
    pub fn cross(&mut self, from: usize) -> Result<usize> {
        let to = 1 - from;
        let mut crossed = 0;
        while let Some(batch) = self.nodes[from].sender.take(self.world.now_ms) {
            let packet = self.nodes[from].sender.packet(Some(batch), None);
            self.nodes[from].sender.published(self.world.now_ms, Ok(()));
            let batch = packet.data.context("the batch is lost")?;
            for (number, envelope) in self.nodes[to].receiver.arrived(batch) {
                let envelope = Envelope::from_bytes(&envelope)?;
                let shard = shard_of(&envelope.tenant);
                let decided = self.shard(to, shard, ShardInput::Inbound(Box::new(envelope)));
                if let Some(number) = number {
                    let verdict = decided.context("nothing was decided")?;
                    self.nodes[to].receiver.decided(number, verdict);
                }
                crossed += 1;
            }
            if let Some(ack) = self.nodes[to].receiver.ack() {
                self.acknowledge(from, to, ack)?;
            }
        }
        Ok(crossed)
    }

    fn acknowledge(&mut self, from: usize, to: usize, ack: LaneAck) -> Result<()> {
        let packet = self.nodes[to].sender.packet(None, Some(ack));
        let ack = packet.ack.context("the ack is lost")?;
        let mut outcomes = Vec::new();
        self.nodes[from]
            .sender
            .acked(self.world.now_ms, &ack, &mut outcomes);
        for (parcel, outcome) in outcomes {
            let shard = shard_of(parcel.tenant());
            self.shard(from, shard, ShardInput::Decided { parcel, outcome });
        }
        Ok(())
    }
}
