//! The lanes of a node, by the node at the other end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use protocol::lane::{LaneKeys, Packet, PacketError};
use protocol::{BootId, TenantId};
use router_core::ids::HashKeys;
use router_core::lane::{
    BestEffortStream, LaneOutcome, LaneStatus, Parcel, ParcelOutcomes, Sender, window_bytes,
};
use router_core::{Millis, NodeView};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::lane::Lane;
use super::totals::LaneTotals;
use crate::node::lock::lock;

/// Packets of one node that wait to be handled; more are dropped, and sent again by their lane.
const PACKETS_WAITING: usize = 256;

/// The node that the lanes belong to.
pub(in crate::node) trait LaneHost: Send + Sync {
    /// The nodes as they are seen now.
    fn whole_view(&self) -> Arc<NodeView>;

    /// Starts the tasks of a lane. `packets`: what the node at the other end sends.
    fn start(self: Arc<Self>, lane: Arc<Lane>, packets: mpsc::Receiver<Packet>);
}

/// The lanes of a node, by the node at the other end.
pub(in crate::node) struct LaneTable {
    lanes: RwLock<foldhash::HashMap<BootId, Arc<Lane>>>,
    host: Weak<dyn LaneHost>,
    keys: ArcSwap<LaneKeys>,
    /// What they were before they changed.
    former_keys: ArcSwap<LaneKeys>,
    /// Largest frame of any tenant, bytes: what a packet of another node may carry.
    frame_bytes_max: AtomicUsize,
    hash_keys: HashKeys,
    /// Of those that ended.
    past: Mutex<LaneTotals>,
    ended: CancellationToken,
}

impl LaneTable {
    pub fn new(
        host: Weak<dyn LaneHost>,
        keys: LaneKeys,
        frame_bytes_max: usize,
        hash_keys: HashKeys,
    ) -> Self {
        Self {
            lanes: RwLock::default(),
            host,
            former_keys: ArcSwap::from_pointee(keys.clone()),
            keys: ArcSwap::from_pointee(keys),
            frame_bytes_max: AtomicUsize::new(frame_bytes_max),
            hash_keys,
            past: Mutex::default(),
            ended: CancellationToken::new(),
        }
    }

    /// What packets are signed with.
    pub fn keys(&self) -> Guard<Arc<LaneKeys>> {
        self.keys.load()
    }

    /// What packets were signed with before the last change.
    pub fn former_keys(&self) -> Guard<Arc<LaneKeys>> {
        self.former_keys.load()
    }

    /// Signs and verifies packets with these from now on.
    pub fn set_keys(&self, keys: LaneKeys) {
        self.former_keys.store(self.keys.swap(Arc::new(keys)));
    }

    /// Some tenant may send frames of so many bytes. Fewer than before change nothing: other nodes may send larger
    /// ones still.
    pub fn allow_frames_of(&self, bytes: usize) {
        self.frame_bytes_max.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Reads a packet of another node. Errors: it is not understood.
    pub fn read(&self, bytes: &Bytes) -> Result<Packet, PacketError> {
        let frame_bytes_max = self.frame_bytes_max.load(Ordering::Relaxed);
        Packet::from_bytes(bytes, &self.keys(), frame_bytes_max)
    }

    /// Puts a message onto a lane. Returns it as settled if there is no room, or no such node.
    pub fn push(
        &self,
        now_ms: Millis,
        own: BootId,
        peer: BootId,
        parcel: Parcel,
    ) -> Result<(), (Parcel, LaneOutcome)> {
        let Some(lane) = self.to(own, peer) else {
            return Err((parcel, LaneOutcome::Unsent));
        };
        let mut sender = lock(&lane.sender);
        // It may have ended since it was found: then nobody would settle what goes in.
        if lane.ended.is_cancelled() || lane.closed.load(Ordering::Relaxed) {
            return Err((parcel, LaneOutcome::Unsent));
        }
        let pushed = sender.push(now_ms, parcel);
        drop(sender);
        lane.work.notify_one();
        pushed.map_err(|parcel| (parcel, LaneOutcome::Unsent))
    }

    /// Puts something best effort onto a lane. False: it was dropped.
    pub fn push_best_effort(
        &self,
        own: BootId,
        peer: BootId,
        tenant: &TenantId,
        stream: BestEffortStream,
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
        let host = self.host.upgrade()?;
        let view = host.whole_view();
        if peer == own || view.own != own || view.is_dead(peer) || self.ended.is_cancelled() {
            return None;
        }
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(peer).or_insert_with(|| {
            let mut sender = Sender::new(own, peer, self.hash_keys);
            sender.set_window(window_bytes(view.others()));
            let (packets, waiting) = mpsc::channel(PACKETS_WAITING);
            let lane = Arc::new(Lane {
                peer,
                sender: Mutex::new(sender),
                due: Mutex::default(),
                ack_timer: Mutex::default(),
                work: Notify::new(),
                packets,
                ended: self.ended.child_token(),
                closed: AtomicBool::new(view.terms(peer).is_err()),
            });
            host.start(Arc::clone(&lane), waiting);
            lane
        });
        Some(Arc::clone(lane))
    }

    /// Ends the lane to a node that is evicted.
    pub fn end(&self, peer: BootId) -> ParcelOutcomes {
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.remove(&peer);
        drop(lanes);
        lane.map(|lane| self.end_lane(&lane)).unwrap_or_default()
    }

    fn end_lane(&self, lane: &Lane) -> ParcelOutcomes {
        let outcomes = lane.end();
        let status = lock(&lane.sender).status(0);
        let mut past = lock(&self.past);
        *past = past.add(&status);
        outcomes
    }

    /// Ends all lanes: this node goes on under another name, or not at all.
    pub fn end_all(&self) -> ParcelOutcomes {
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

    /// Follows the view: shares what a subscriber may have among its senders, and closes the lanes to
    /// nodes that cannot understand this one. What was in those comes back.
    pub fn follow(&self, view: &NodeView) -> ParcelOutcomes {
        let mut outcomes = Vec::new();
        for (peer, lane) in self.all() {
            let mut sender = lock(&lane.sender);
            sender.set_window(window_bytes(view.others()));
            let is_closed = view.terms(peer).is_err();
            if is_closed && !lane.closed.swap(is_closed, Ordering::Relaxed) {
                sender.fail(&mut outcomes);
            }
            lane.closed.store(is_closed, Ordering::Relaxed);
        }
        outcomes
    }

    /// Redis is back: what a failed PUBLISH holds need not wait for its timer.
    pub fn resume(&self, now_ms: Millis) {
        for (_, lane) in self.all() {
            lock(&lane.sender).resume(now_ms);
            lane.work.notify_one();
        }
    }

    /// How each lane is.
    pub fn status(&self, now_ms: Millis) -> Vec<(BootId, LaneStatus)> {
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
