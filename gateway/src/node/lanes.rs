//! The lanes to the other nodes: for each a machine, a task that publishes and a task that listens.
//!
//! ```text
//!  perform ──push──▶ Lane ──notify──▶ publisher ──PUBLISH──▶ the other node's inbox
//!  inbound ─packet─▶ listener ─▶ shards ─▶ sockets, then the ack ──▶ publisher
//! ```
//!
//! The publisher has at most one batch and one bare ack unanswered; what gathers meanwhile is the
//! next. What a lane settles is taken out under its lock and handled after its release.
//!
//! An ack goes with the next batch: who is written to often answers at once. It goes alone after
//! [`ACK_WAIT_MS`], or at once if somebody waits for what it says.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use protocol::lane::{Ack, LaneKeys, Packet};
use protocol::limits::LANE_BATCH_BYTES;
use protocol::{BootId, TenantId};
use router_core::Millis;
use router_core::effect::Receipt;
use router_core::lane::{Parcel, Receiver, Sender, Settled, Status, Stream, window_bytes};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Node, Vital, Work, lock};

/// Packets of one node that wait to be handled; more are dropped, and sent again by their lane.
const PACKETS_WAITING: usize = 256;

/// Packets of one node that are handled before the sockets are written.
const PACKETS_AT_ONCE: usize = 8;
/// How long an ack that says nothing urgent waits for a batch to go with, milliseconds.
const ACK_WAIT_MS: Millis = 1;

/// What became of parcels.
pub(super) type Outcomes = Vec<(Receipt, Settled)>;

/// Lanes taken together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LaneTotals {
    /// Published and not acknowledged.
    pub unacked_bytes: usize,
    /// Not yet published.
    pub waiting_bytes: usize,
    /// Messages published again, those of lanes that ended included.
    pub resends: u64,
    /// Times that a lane failed, at its end too.
    pub resets: u64,
}

impl LaneTotals {
    fn add(mut self, status: &Status) -> Self {
        self.unacked_bytes += status.unacked_bytes;
        self.waiting_bytes += status.waiting_bytes;
        self.resends += status.resends;
        self.resets += status.generation - 1;
        self
    }
}

/// The lanes of a node, by the node at the other end.
pub(super) struct Lanes {
    lanes: RwLock<HashMap<BootId, Arc<Lane>>>,
    node: Weak<Node>,
    pub(super) keys: LaneKeys,
    /// Of those that ended.
    past: Mutex<LaneTotals>,
    ended: CancellationToken,
}

/// Both ends of the pipe to another node.
pub(super) struct Lane {
    peer: BootId,
    sender: Mutex<Sender>,
    due: Mutex<Due>,
    work: Notify,
    packets: mpsc::Sender<Packet>,
    ended: CancellationToken,
}

/// The ack that is due.
#[derive(Default)]
struct Due {
    /// The newest; it says all that an older one would.
    ack: Option<Ack>,
    /// When it goes alone.
    at_ms: Millis,
    /// Bytes that came since the last one left.
    bytes: usize,
}

impl Due {
    /// The window of the other end is not kept closed for a millisecond, and no refusal waits.
    fn set(&mut self, now_ms: Millis, ack: Ack, is_hurried: bool) {
        let is_urgent =
            is_hurried || ack.gap || !ack.verdicts.is_empty() || self.bytes >= LANE_BATCH_BYTES;
        let at_ms = if is_urgent {
            now_ms
        } else {
            now_ms + ACK_WAIT_MS
        };
        self.at_ms = match self.ack {
            Some(_) => self.at_ms.min(at_ms),
            None => at_ms,
        };
        self.ack = Some(ack);
    }

    fn take(&mut self) -> Option<Ack> {
        self.bytes = 0;
        self.ack.take()
    }
}

impl Lanes {
    pub fn new(node: Weak<Node>, keys: LaneKeys) -> Self {
        Self {
            lanes: RwLock::default(),
            node,
            keys,
            past: Mutex::default(),
            ended: CancellationToken::new(),
        }
    }

    /// Puts a message onto a lane. Returns it as settled if there is no room, or no such node.
    pub fn push(
        &self,
        now_ms: Millis,
        own: BootId,
        peer: BootId,
        receipt: Receipt,
        bytes: Bytes,
    ) -> Option<(Receipt, Settled)> {
        let Some(lane) = self.to(own, peer) else {
            return Some((receipt, Settled::Unsent));
        };
        let parcel = Parcel {
            tenant: receipt.tenant().clone(),
            bytes,
            receipt,
        };
        let mut sender = lock(&lane.sender);
        // It may have ended since it was found: then nobody would settle what goes in.
        if lane.ended.is_cancelled() {
            return Some((parcel.receipt, Settled::Unsent));
        }
        let pushed = sender.push(now_ms, parcel);
        drop(sender);
        lane.work.notify_one();
        pushed.err().map(|receipt| (receipt, Settled::Unsent))
    }

    /// Puts something best effort onto a lane. False: it was dropped.
    pub fn push_best_effort(
        &self,
        own: BootId,
        peer: BootId,
        tenant: TenantId,
        stream: Stream,
        bytes: Bytes,
    ) -> bool {
        let Some(lane) = self.to(own, peer) else {
            return false;
        };
        let taken = lock(&lane.sender).push_best_effort(tenant, stream, bytes);
        lane.work.notify_one();
        taken
    }

    /// Hands a packet of another node to the task that listens to it. False: too many wait.
    pub fn hand(&self, own: BootId, packet: Packet) -> bool {
        let lane = self.to(own, packet.src);
        lane.is_some_and(|lane| lane.packets.try_send(packet).is_ok())
    }

    /// The lane to a node; it begins now if there was none.
    pub fn to(&self, own: BootId, peer: BootId) -> Option<Arc<Lane>> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&peer) {
            return Some(Arc::clone(lane));
        }
        drop(lanes);
        let node = self.node.upgrade()?;
        let view = node.view();
        if peer == own || view.own != own || view.is_dead(peer) || self.ended.is_cancelled() {
            return None;
        }
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(peer).or_insert_with(|| {
            let mut sender = Sender::new(own, peer);
            sender.set_window(window_bytes(view.others()));
            let (packets, waiting) = mpsc::channel(PACKETS_WAITING);
            let lane = Arc::new(Lane {
                peer,
                sender: Mutex::new(sender),
                due: Mutex::default(),
                work: Notify::new(),
                packets,
                ended: self.ended.child_token(),
            });
            tokio::spawn(publish(Arc::clone(&node), Arc::clone(&lane)));
            tokio::spawn(listen(Arc::clone(&node), Arc::clone(&lane), waiting));
            lane
        });
        Some(Arc::clone(lane))
    }

    /// Ends the lane to a node that is buried.
    pub fn end(&self, peer: BootId) -> Outcomes {
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.remove(&peer);
        drop(lanes);
        lane.map(|lane| self.end_lane(&lane)).unwrap_or_default()
    }

    fn end_lane(&self, lane: &Lane) -> Outcomes {
        let outcomes = lane.end();
        let status = lock(&lane.sender).status(0);
        let mut past = lock(&self.past);
        *past = past.add(&status);
        outcomes
    }

    /// Ends all lanes: this node goes on under another name, or not at all.
    pub fn end_all(&self) -> Outcomes {
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        let ended: Vec<Arc<Lane>> = lanes.drain().map(|(_, lane)| lane).collect();
        drop(lanes);
        let ended = ended.iter().flat_map(|lane| self.end_lane(lane));
        ended.collect()
    }

    /// No lane begins any more.
    pub fn stop(&self) {
        self.ended.cancel();
    }

    /// Shares what a subscriber may have among so many senders.
    pub fn set_windows(&self, others: usize) {
        for (_, lane) in self.all() {
            lock(&lane.sender).set_window(window_bytes(others));
        }
    }

    /// Redis is back: what a failed PUBLISH holds need not wait for its timer.
    pub fn resume(&self, now_ms: Millis) {
        for (_, lane) in self.all() {
            lock(&lane.sender).resume(now_ms);
            lane.work.notify_one();
        }
    }

    /// How each lane is.
    pub fn status(&self, now_ms: Millis) -> Vec<(BootId, Status)> {
        let all = self.all().into_iter();
        let status = all.map(|(peer, lane)| (peer, lock(&lane.sender).status(now_ms)));
        status.collect()
    }

    /// All lanes together.
    pub fn totals(&self, now_ms: Millis) -> LaneTotals {
        let all = self.status(now_ms).into_iter();
        all.fold(*lock(&self.past), |sum, (_, status)| sum.add(&status))
    }

    fn all(&self) -> Vec<(BootId, Arc<Lane>)> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = lanes.iter().map(|(id, it)| (*id, Arc::clone(it))).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }
}

impl Lane {
    /// Nothing goes in any more, and what is in fails.
    fn end(&self) -> Outcomes {
        self.ended.cancel();
        let mut outcomes = Vec::new();
        lock(&self.sender).fail(&mut outcomes);
        outcomes
    }

    /// What must be published now, and when to look again.
    fn next(&self, now_ms: Millis, busy: Busy) -> Next {
        let mut outcomes = Vec::new();
        let mut sender = lock(&self.sender);
        sender.wake(now_ms, &mut outcomes);
        let data = if busy.data { None } else { sender.take(now_ms) };
        let is_data = data.is_some();
        let mut due = lock(&self.due);
        let goes_alone = !busy.ack && due.at_ms <= now_ms;
        let ack = (is_data || goes_alone).then(|| due.take()).flatten();
        let is_waiting = due.ack.is_some() && !busy.ack;
        let due_ms = is_waiting.then_some(due.at_ms);
        drop(due);
        let packet = (is_data || ack.is_some()).then(|| sender.packet(data, ack));
        Next {
            packet,
            is_data,
            outcomes,
            wake_ms: sender.next_wakeup().into_iter().chain(due_ms).min(),
        }
    }
}

/// Which PUBLISH are unanswered.
#[derive(Clone, Copy, Default)]
struct Busy {
    data: bool,
    ack: bool,
}

struct Next {
    packet: Option<Packet>,
    is_data: bool,
    outcomes: Outcomes,
    wake_ms: Option<Millis>,
}

/// Publishes what a lane has, until it ends.
async fn publish(node: Arc<Node>, lane: Arc<Lane>) {
    let _vital = Vital(Arc::clone(&node));
    let mut busy = Busy::default();
    let mut unanswered = FuturesUnordered::new();
    // Set only to be earlier: to be woken in vain now and then is cheaper than a timer a packet.
    let mut timer = pin!(sleep(Duration::ZERO));
    let mut wakes_ms = None;
    loop {
        let now_ms = node.now_ms();
        let next = lane.next(now_ms, busy);
        node.settle_remote(next.outcomes);
        if let Some(packet) = next.packet {
            let bytes = packet.to_bytes(node.lane_keys());
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
            () = lane.ended.cancelled() => return,
            Some((is_data, answer)) = unanswered.next(), if !unanswered.is_empty() => {
                if is_data {
                    busy.data = false;
                    lock(&lane.sender).published(node.now_ms(), answer);
                } else {
                    busy.ack = false;
                }
            }
            () = lane.work.notified() => {}
            () = &mut timer, if wakes_ms.is_some() => wakes_ms = None,
        }
    }
}

/// Handles what another node sends, one packet after the other, until the lane ends.
async fn listen(node: Arc<Node>, lane: Arc<Lane>, mut packets: mpsc::Receiver<Packet>) {
    let _vital = Vital(Arc::clone(&node));
    let mut receiver = Receiver::default();
    let mut arrived = Vec::with_capacity(PACKETS_AT_ONCE);
    loop {
        let count = tokio::select! {
            count = packets.recv_many(&mut arrived, PACKETS_AT_ONCE) => count,
            () = lane.ended.cancelled() => return,
        };
        if count == 0 {
            return;
        }
        let mut work = Work::default();
        for packet in arrived.drain(..) {
            take(&node, &lane, &mut receiver, packet, &mut work);
        }
        node.finish(&mut work);
        if let Some(ack) = receiver.ack() {
            let is_hurried = node.is_draining();
            lock(&lane.due).set(node.now_ms(), ack, is_hurried);
            lane.work.notify_one();
        }
    }
}

fn take(node: &Node, lane: &Lane, receiver: &mut Receiver, packet: Packet, work: &mut Work) {
    if let Some(ack) = packet.ack {
        let mut outcomes = Vec::new();
        lock(&lane.sender).acked(node.now_ms(), &ack, &mut outcomes);
        node.tell_remote(outcomes, work);
        lane.work.notify_one();
    }
    // An ack is of this node's own lane: it counts whoever says it.
    let heard = packet.data.filter(|_| node.view().hears(lane.peer));
    let Some(batch) = heard else { return };
    lock(&lane.due).bytes += batch.bytes();
    for (seq, bytes) in receiver.arrived(batch) {
        let verdict = node.inbound(&bytes, work);
        if let Some(seq) = seq {
            receiver.decided(seq, verdict);
        }
    }
}
