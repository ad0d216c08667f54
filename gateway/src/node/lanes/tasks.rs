//! The two tasks of a lane.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use protocol::lane::{LaneBatch, LaneTerms, Packet};
use router_core::lane::{ParcelOutcomes, Receiver};
use router_core::{Millis, NodeView};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::early::EarlyBatches;
use super::lane::Lane;
use super::table::LaneHost;
use crate::node::core::Node;
use crate::node::lock::lock;
use crate::node::vital::VitalTask;
use crate::node::work::DeferredWork;

/// Packets of one node that are handled before the sockets are written.
const PACKETS_AT_ONCE: usize = 8;
/// Nothing arrived, but what arrived before may be handled now.
const NOTHING_NEW: usize = usize::MAX;

impl LaneHost for Node {
    fn whole_view(&self) -> Arc<NodeView> {
        self.membership.whole_view()
    }

    fn start(self: Arc<Self>, lane: Arc<Lane>, packets: mpsc::Receiver<Packet>) {
        tokio::spawn(publish(Arc::clone(&self), Arc::clone(&lane)));
        tokio::spawn(listen(self, lane, packets));
    }
}

impl Lane {
    /// What must be published now, and when to look again.
    fn next(&self, now_ms: Millis, busy: UnansweredPublish) -> LaneStep {
        let mut outcomes = Vec::new();
        let mut sender = lock(&self.sender);
        sender.wake(now_ms, &mut outcomes);
        let data = if busy.data { None } else { sender.take(now_ms) };
        let is_data = data.is_some();
        let mut due = lock(&self.due);
        let mut alone_ms = due.alone_at().filter(|_| !busy.ack);
        let goes = is_data || alone_ms.is_some_and(|at_ms| at_ms <= now_ms);
        let ack = goes.then(|| due.take()).flatten();
        drop(due);
        alone_ms = alone_ms.filter(|_| !goes);
        let packet = (is_data || ack.is_some()).then(|| sender.packet(data, ack));
        LaneStep {
            packet,
            is_data,
            outcomes,
            wake_ms: sender.next_wakeup().into_iter().chain(alone_ms).min(),
        }
    }
}

/// Which PUBLISH are unanswered.
#[derive(Clone, Copy, Default)]
struct UnansweredPublish {
    data: bool,
    ack: bool,
}

struct LaneStep {
    packet: Option<Packet>,
    is_data: bool,
    outcomes: ParcelOutcomes,
    wake_ms: Option<Millis>,
}

/// Publishes what a lane has, until it ends.
async fn publish(node: Arc<Node>, lane: Arc<Lane>) {
    let _vital = VitalTask::new(&node.failed);
    let mut busy = UnansweredPublish::default();
    let mut unanswered = FuturesUnordered::new();
    // Set only to be earlier: to be woken in vain now and then is cheaper than a timer a packet.
    let mut timer = pin!(sleep(Duration::ZERO));
    let mut wakes_ms = None;
    let mut ended = pin!(lane.ended.cancelled());
    let mut work = pin!(lane.work.notified());
    loop {
        let now_ms = node.now_ms();
        let next = lane.next(now_ms, busy);
        node.settle_remote(next.outcomes);
        if let Some(packet) = next.packet {
            // A closed lane has nothing to say but acks, which are lost on the other end.
            let terms = node.view().terms(lane.peer).unwrap_or(LaneTerms::UNKNOWN);
            if let Some(batch) = &packet.data {
                lock(&lane.ack_timer).published(batch);
            }
            let bytes = packet.to_bytes_at(&node.lanes.keys(), terms);
            node.metrics.cluster.published(bytes.len());
            match next.is_data {
                true => busy.data = true,
                false => busy.ack = true,
            }
            let (node, peer, is_data) = (Arc::clone(&node), lane.peer, next.is_data);
            unanswered.push(async move { (is_data, node.backplane.publish(peer, bytes).await) });
        }
        if let Some(at_ms) = next.wake_ms
            && wakes_ms.is_none_or(|wakes_ms| at_ms < wakes_ms)
        {
            let wait = Duration::from_millis(at_ms.saturating_sub(now_ms));
            timer.as_mut().reset(Instant::now() + wait);
            wakes_ms = Some(at_ms);
        }
        // In this order: a packet is written when its answer is first asked for.
        tokio::select! {
            biased;
            () = &mut ended => return,
            Some((is_data, answer)) = unanswered.next(), if !unanswered.is_empty() => {
                if is_data {
                    busy.data = false;
                    lock(&lane.sender).published(node.now_ms(), answer);
                } else {
                    busy.ack = false;
                }
            }
            () = &mut work => work.set(lane.work.notified()),
            () = &mut timer, if wakes_ms.is_some() => wakes_ms = None,
        }
    }
}

/// Handles what another node sends, one packet after the other, until the lane ends.
async fn listen(node: Arc<Node>, lane: Arc<Lane>, mut packets: mpsc::Receiver<Packet>) {
    let _vital = VitalTask::new(&node.failed);
    let mut receiver = Receiver::default();
    let mut arrived = Vec::with_capacity(PACKETS_AT_ONCE);
    let mut ended = pin!(lane.ended.cancelled());
    let mut early = EarlyBatches::default();
    let mut joined = pin!(node.membership.joined.notified());
    loop {
        let count = tokio::select! {
            count = packets.recv_many(&mut arrived, PACKETS_AT_ONCE) => count,
            () = &mut joined, if !early.is_empty() => NOTHING_NEW,
            () = &mut ended => return,
        };
        if count == 0 {
            return;
        }
        // Before the look at the view, so that no change is missed.
        joined.set(node.membership.joined.notified());
        joined.as_mut().enable();
        let mut work = DeferredWork::default();
        if !early.is_empty() && node.view().hears(lane.peer) {
            for batch in early.take() {
                handle(&node, &lane, &mut receiver, batch, &mut work);
            }
        }
        for packet in arrived.drain(..) {
            let batch = take(&node, &lane, packet, &mut work);
            let Some(batch) = batch else { continue };
            if early.is_empty() && node.view().hears(lane.peer) {
                handle(&node, &lane, &mut receiver, batch, &mut work);
            } else {
                early.keep(batch);
            }
        }
        node.finish(&mut work);
        if let Some(ack) = receiver.ack() {
            let is_hurried = node.is_draining();
            lock(&lane.due).set(node.now_ms(), ack, is_hurried);
            lane.work.notify_one();
        }
    }
}

/// Takes what a packet acknowledges: that is of this node's own lane, and counts whoever says it. Gives
/// the rest.
fn take(node: &Node, lane: &Lane, packet: Packet, work: &mut DeferredWork) -> Option<LaneBatch> {
    if let Some(ack) = packet.ack {
        if let Some(took) = lock(&lane.ack_timer).acked(&ack) {
            node.metrics.latency.lane_ack(took);
        }
        let mut outcomes = Vec::new();
        lock(&lane.sender).acked(node.now_ms(), &ack, &mut outcomes);
        node.tell_remote(outcomes, work);
        lane.work.notify_one();
    }
    packet.data
}

fn handle(
    node: &Node,
    lane: &Lane,
    receiver: &mut Receiver,
    batch: LaneBatch,
    work: &mut DeferredWork,
) {
    lock(&lane.due).came(batch.bytes());
    for (seq, bytes) in receiver.arrived(batch) {
        let verdict = node.inbound(lane.peer, &bytes, work);
        if let Some(seq) = seq {
            receiver.decided(seq, verdict);
        }
    }
}
