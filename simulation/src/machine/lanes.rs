//! The lanes of a process: one pair of ends for every other boot id, until that is evicted.
//!
//! ```text
//!  Publish ─▶ send ─▶ Sender ─take─▶ Packet ~~~▶ packet ─▶ Receiver ─▶ Inbound, Decided ─▶ ack
//!  Decided ◀──── settle ◀─ acked, wake, fail ◀──────── packet ◀~~~~~~~~~~~~~~~~~~~~~~~~┘
//! ```

use bytes::Bytes;
use protocol::envelope::EnvelopeError;
use protocol::lane::{LaneBatch, LaneTerms, Packet, Verdict};
use protocol::limits::{ENVELOPE_OVERHEAD_BYTES, LANE_WINDOW_BYTES_MAX};
use protocol::{BootId, Envelope, ErrorCode, TenantId};
use router_core::lane::{
    BestEffortStream, LaneStatus, Parcel, ParcelOutcomes, Receiver, Sender, window_bytes,
};
use router_core::membership::NodeInput;
use router_core::shard::ShardInput;

use super::SimMachine;
use super::lane_ends::Lane;
use crate::agenda::LanePublish;
use crate::older::{is_older_envelope, is_older_packet, older};
use crate::outside::OutsideWorld;

/// The largest frame of the simulation, bytes.
const FRAME_BYTES: usize = 256 * 1024;

impl SimMachine {
    /// The lane to a node; it begins now if there was none. None to itself, none to the dead.
    pub(super) fn lane(&mut self, boot: BootId) -> Option<&mut Lane> {
        let own = self.nodes.own;
        if boot == own || self.nodes.is_dead(boot) {
            return None;
        }
        let window = window_bytes(self.nodes.others());
        let (numbers, keys) = (&mut self.lane_numbers, self.hash_keys);
        Some(self.lanes.entry(boot).or_insert_with(|| {
            *numbers += 1;
            let mut lane = Lane {
                number: *numbers,
                sender: Sender::new(own, boot, keys),
                receiver: Receiver::default(),
                ack: None,
                telling: false,
            };
            lane.sender.set_window(window);
            lane
        }))
    }

    pub(super) fn resize_lanes(&mut self) {
        let window = window_bytes(self.nodes.others());
        for lane in self.lanes.values_mut() {
            lane.sender.set_window(window);
        }
    }

    /// Puts a message onto a lane. Errors: the parcel, if it cannot go.
    pub(super) fn send(
        &mut self,
        outside: &mut OutsideWorld,
        node: BootId,
        mut parcel: Parcel,
    ) -> Result<(), Parcel> {
        let now_ms = self.clock(outside);
        if self.older {
            parcel.bytes = older(&parcel.bytes);
        }
        let Some(lane) = self.lane(node) else {
            return Err(parcel);
        };
        lane.sender.push(now_ms, parcel)
    }

    pub(super) fn send_best_effort(
        &mut self,
        node: BootId,
        tenant: TenantId,
        stream: BestEffortStream,
        envelope: Bytes,
    ) {
        if let Some(lane) = self.lane(node) {
            lane.sender.push_best_effort(&tenant, stream, envelope);
        }
    }

    /// A packet was pushed.
    pub(super) fn packet(&mut self, outside: &mut OutsideWorld, bytes: &Bytes) {
        let most = FRAME_BYTES + ENVELOPE_OVERHEAD_BYTES;
        if self.older && !is_older_packet(bytes) {
            return outside.observer.fail("ACK-1", "a packet is too new");
        }
        let Ok(packet) = Packet::from_bytes(bytes, &outside.lane_keys, most) else {
            return outside.observer.fail("ACK-1", "a packet is not readable");
        };
        if packet.dst != self.nodes.own {
            return;
        }
        let src = packet.src;
        if self.nodes.is_dead(src) {
            return self.tell_expired(outside, &packet);
        }
        if packet.data.is_some() && !self.nodes.hears(src) {
            self.discovered.push(src);
        }
        let now_ms = self.clock(outside);
        if let Some(ack) = &packet.ack {
            if ack.evicted {
                self.node_input(outside, NodeInput::Evicted);
            }
            let mut out = ParcelOutcomes::new();
            if let Some(lane) = self.lane(src) {
                lane.sender.acked(now_ms, ack, &mut out);
            }
            self.settle(outside, out);
        }
        if let Some(batch) = packet.data.filter(|_| self.nodes.hears(src)) {
            self.batch(outside, src, batch);
        }
    }

    fn batch(&mut self, outside: &mut OutsideWorld, src: BootId, batch: LaneBatch) {
        let Some(lane) = self.lane(src) else { return };
        // Nothing in a batch ends a lane.
        for (number, envelope) in lane.receiver.arrived(batch) {
            let verdict = self.inbound(outside, number.is_some(), &envelope);
            if let (Some(number), Some(lane)) = (number, self.lane(src)) {
                lane.receiver.decided(number, verdict);
            }
        }
        if let Some(lane) = self.lane(src)
            && let Some(ack) = lane.receiver.ack()
        {
            lane.ack = Some(ack);
        }
    }

    /// Nothing of a evicted node is handled, and it is told why.
    fn tell_expired(&self, outside: &mut OutsideWorld, packet: &Packet) {
        if let Some(answer) = packet.answer_to_evicted() {
            let bytes = answer.to_bytes_at(&outside.lane_keys, LaneTerms::UNKNOWN);
            outside.publish(self.process, answer.dst, bytes, None);
        }
    }

    /// One envelope from another node; no verdict = delivered.
    fn inbound(
        &mut self,
        outside: &mut OutsideWorld,
        is_numbered: bool,
        envelope: &Bytes,
    ) -> Option<Verdict> {
        if self.older && !is_older_envelope(envelope) {
            outside.observer.fail("ACK-1", "an envelope is too new");
        }
        let envelope = match Envelope::from_bytes(envelope) {
            Ok(envelope) => envelope,
            Err(EnvelopeError::Version(_)) => {
                return Some(Verdict::Refused(ErrorCode::NotSupported));
            }
            Err(EnvelopeError::Short | EnvelopeError::Malformed) => {
                return Some(Verdict::Refused(ErrorCode::Internal));
            }
        };
        let at = self.shard_of(&envelope.tenant);
        let decided = self.shard(outside, at, ShardInput::Inbound(Box::new(envelope)));
        if decided.is_none() && is_numbered {
            outside
                .observer
                .fail("ACK-1", "a message was not decided within its hold");
        }
        decided.flatten()
    }

    /// Publishes what lanes have.
    pub(super) fn pump_lanes(&mut self, outside: &mut OutsideWorld) {
        let now_ms = self.clock(outside);
        for (boot, lane) in &mut self.lanes {
            let Some((packet, what)) = lane.next(now_ms) else {
                continue;
            };
            let terms = self.nodes.terms(*boot).unwrap_or(LaneTerms::UNKNOWN);
            let bytes = packet.to_bytes_at(&outside.lane_keys, terms);
            outside.publish(self.process, *boot, bytes, Some(what));
            let held = lane.sender.status(now_ms);
            let bytes = held.unacked_bytes + held.waiting_bytes;
            if bytes > LANE_WINDOW_BYTES_MAX {
                outside
                    .observer
                    .fail("BND-1", &format!("a lane holds {bytes} bytes"));
            }
        }
    }

    pub(super) fn published(
        &mut self,
        outside: &mut OutsideWorld,
        what: LanePublish,
        result: Result<(), ()>,
    ) {
        let now_ms = self.clock(outside);
        let mut lanes = self.lanes.values_mut();
        let Some(lane) = lanes.find(|lane| lane.number == what.lane) else {
            return;
        };
        match what.is_data {
            true => lane.sender.published(now_ms, result),
            false => lane.telling = false,
        }
    }

    /// Redis is back: what a failed PUBLISH holds need not wait for its timer.
    pub(super) fn resume_lanes(&mut self, outside: &mut OutsideWorld) {
        let now_ms = self.clock(outside);
        for lane in self.lanes.values_mut() {
            lane.sender.resume(now_ms);
        }
        self.wake_lanes(outside);
    }

    pub(super) fn wake_lanes(&mut self, outside: &mut OutsideWorld) {
        let now_ms = self.clock(outside);
        let mut out = ParcelOutcomes::new();
        for lane in self.lanes.values_mut() {
            if lane.sender.next_wakeup().is_some_and(|due| due <= now_ms) {
                lane.sender.wake(now_ms, &mut out);
            }
        }
        self.settle(outside, out);
    }

    /// A node is dead: what was on the way to it fails, what comes from it is not handled.
    pub(super) fn expire_lane(&mut self, outside: &mut OutsideWorld, boot: BootId) {
        let mut out = ParcelOutcomes::new();
        if let Some(mut lane) = self.lanes.remove(&boot) {
            lane.sender.fail(&mut out);
        }
        self.settle(outside, out);
    }

    /// This node has a new name: its lanes were the old one's.
    pub(super) fn fail_all_lanes(&mut self, outside: &mut OutsideWorld) {
        let mut out = ParcelOutcomes::new();
        for lane in std::mem::take(&mut self.lanes).values_mut() {
            lane.sender.fail(&mut out);
        }
        self.settle(outside, out);
    }

    /// Tells the shards what became of their messages, after every lane is released.
    fn settle(&mut self, outside: &mut OutsideWorld, out: ParcelOutcomes) {
        for (parcel, outcome) in out {
            let at = self.shard_of(parcel.tenant());
            self.shard(outside, at, ShardInput::Decided { parcel, outcome });
        }
    }

    /// How its lanes stand.
    pub fn lane_status(&self, outside: &OutsideWorld) -> Vec<LaneStatus> {
        let now_ms = self.clock(outside);
        let lanes = self.lanes.values();
        lanes.map(|lane| lane.sender.status(now_ms)).collect()
    }
}
