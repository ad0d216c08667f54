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
//! | file | holds |
//! | --- | --- |
//! | `tasks.rs` | the two tasks |
//! | `due.rs` | the ack that waits for a batch to go with |

mod due;
mod early;
mod tasks;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use bytes::Bytes;
use protocol::lane::{LaneKeys, Packet};
use protocol::{BootId, TenantId};
use router_core::ids::HashKeys;
use router_core::lane::{LaneOutcome, LaneStatus, Outcomes, Parcel, Sender, Stream, window_bytes};
use router_core::{Millis, Nodes};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use self::due::Due;
use super::{Node, lock};

/// Packets of one node that wait to be handled; more are dropped, and sent again by their lane.
const PACKETS_WAITING: usize = 256;

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
    fn add(mut self, status: &LaneStatus) -> Self {
        self.unacked_bytes += status.unacked_bytes;
        self.waiting_bytes += status.waiting_bytes;
        self.resends += status.resends;
        self.resets += status.generation - 1;
        self
    }
}

/// The lanes of a node, by the node at the other end.
pub(super) struct Lanes {
    lanes: RwLock<foldhash::HashMap<BootId, Arc<Lane>>>,
    node: Weak<Node>,
    pub(super) keys: LaneKeys,
    hash_keys: HashKeys,
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
    /// Whether the node at the other end cannot understand this one. Changed under the sender's lock:
    /// what goes in behind it would wait for its deadline.
    closed: AtomicBool,
}

impl Lanes {
    pub fn new(node: Weak<Node>, keys: LaneKeys, hash_keys: HashKeys) -> Self {
        Self {
            lanes: RwLock::default(),
            node,
            keys,
            hash_keys,
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
            let mut sender = Sender::new(own, peer, self.hash_keys);
            sender.set_window(window_bytes(view.others()));
            let (packets, waiting) = mpsc::channel(PACKETS_WAITING);
            let lane = Arc::new(Lane {
                peer,
                sender: Mutex::new(sender),
                due: Mutex::default(),
                work: Notify::new(),
                packets,
                ended: self.ended.child_token(),
                closed: AtomicBool::new(view.terms(peer).is_err()),
            });
            tokio::spawn(tasks::publish(Arc::clone(&node), Arc::clone(&lane)));
            tokio::spawn(tasks::listen(Arc::clone(&node), Arc::clone(&lane), waiting));
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

    /// Follows the view: shares what a subscriber may have among its senders, and closes the lanes to
    /// nodes that cannot understand this one. What was in those comes back.
    pub fn follow(&self, view: &Nodes) -> Outcomes {
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

impl Lane {
    /// Nothing goes in any more, and what is in fails.
    fn end(&self) -> Outcomes {
        self.ended.cancel();
        let mut outcomes = Vec::new();
        lock(&self.sender).fail(&mut outcomes);
        outcomes
    }
}
