//! Being one of several nodes: the task that drives the node machine, and the one that takes what
//! comes from the others.
//!
//! ```text
//!  backplane ─Inbound─▶ hear ─┬─ packet ─▶ its lane's listener
//!                             ├─ event ──▶ shard
//!                             └─ probe, link ─▶ watch ◀─ answers of the store
//!                                                └─ view, lanes, shards
//! ```

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use backplane::InboundMessage;
use bytes::Bytes;
use protocol::lane::{Packet, Terms, Verdict};
use protocol::limits::COMPARE_MS;
use protocol::{BootId, Envelope, ErrorCode};
use router_core::lane::{LaneStatus, Outcomes};
use router_core::membership::{Node as Machine, NodeEffect, NodeInput};
use router_core::shard::ShardInput;
use router_core::store::nodes::NodeHello;
use tokio::sync::mpsc;

use super::lanes::LaneTotals;
use super::peers::ENVELOPE;
use super::{Node, Vital, Work};

/// Inputs of the node machine that wait; more are dropped, and it asks again.
const INPUTS_WAITING: usize = 1024;
/// A difference between the system clock and that of the store that is worth a warning, milliseconds.
const SKEW_MS: i64 = 5000;
/// How often the node says how many connections it has, and compares its clock with the store's.
const HELLO: Duration = Duration::from_secs(10);

/// What the gateway knows of itself that the others may know.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Its name for operators.
    pub name: String,
    /// Where bots and clients connect.
    pub address: String,
}

impl Node {
    /// Watches the other nodes, and is watched by them, for as long as the node lives.
    pub(crate) async fn take_part(
        self: Arc<Self>,
        identity: Identity,
        inbound: mpsc::Receiver<InboundMessage>,
    ) {
        let own = self.view().own;
        if self.backplane.subscribe_node(own).await.is_err() {
            tracing::warn!("the inbox of this node is not subscribed yet");
        }
        let (inputs, waiting) = mpsc::channel(INPUTS_WAITING);
        self.inputs.set(inputs.clone()).expect("it takes part once");
        let hearing = Arc::clone(&self).hear(inbound, inputs.clone());
        let watching = self.watch(identity, inputs, waiting);
        tokio::join!(hearing, watching);
    }

    /// Takes what comes from the others, in its order.
    async fn hear(
        self: Arc<Self>,
        mut inbound: mpsc::Receiver<InboundMessage>,
        inputs: mpsc::Sender<NodeInput>,
    ) {
        while let Some(heard) = inbound.recv().await {
            match heard {
                InboundMessage::Packet(bytes) => self.hear_packet(&bytes),
                InboundMessage::Event {
                    tenant,
                    event,
                    repaired,
                } => {
                    if repaired {
                        self.metrics.cluster.repaired.increment(1);
                        tracing::warn!(%tenant, "the counter of a tenant in redis was no time: repaired");
                    }
                    let index = self.shard_of(&tenant);
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

    fn hear_packet(&self, bytes: &Bytes) {
        let packet = match Packet::from_bytes(bytes, self.lane_keys(), self.frame_bytes_max) {
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
            return self.tell_buried(&packet);
        }
        if packet.data.is_some() && !view.hears(packet.src) {
            self.met(packet.src);
        }
        if packet.ack.as_ref().is_some_and(|ack| ack.buried) {
            self.hint(NodeInput::Evicted);
        }
        self.metrics.cluster.received(bytes.len());
        if !self.lanes.hand(view.own, packet) {
            self.metrics.cluster.dropped.increment(1);
        }
    }

    /// Somebody names a node that is not in the view: the machine looks whether it lives.
    pub(super) fn met(&self, boot: BootId) {
        self.hint(NodeInput::Discovered(boot));
    }

    /// Tells the machine what the store will tell it later. What cannot be told now comes again.
    fn hint(&self, input: NodeInput) {
        if let Some(inputs) = self.inputs.get() {
            drop(inputs.try_send(input));
        }
    }

    /// Nothing of a buried node is handled, and it is told why.
    fn tell_buried(&self, packet: &Packet) {
        let (Some(answer), Some(node)) = (packet.answer_to_buried(), self.me.upgrade()) else {
            return;
        };
        // Of a dead node nothing is known any more.
        let bytes = answer.to_bytes_at(self.lane_keys(), Terms::UNKNOWN);
        tokio::spawn(async move { node.backplane.publish(answer.dst, bytes).await });
    }

    /// Handles one envelope of another node. Says what its lane must be told.
    pub(super) fn inbound(&self, src: BootId, bytes: &Bytes, work: &mut Work) -> Option<Verdict> {
        let envelope = match Envelope::from_bytes(bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                self.report_misread(Some(src), ENVELOPE, &error);
                return Some(Verdict::Refused(ErrorCode::NotSupported));
            }
        };
        let moment = work.take_moment(self);
        let span = self.tracer.go_on(moment.nodes.own, &envelope);
        let _span = span.map(tracing::Span::entered);
        let index = self.shard_of(&envelope.tenant);
        let input = ShardInput::Inbound(Box::new(envelope));
        let decided = self.in_shard(&self.env_at(&moment), index, input, work);
        work.keep(moment);
        // Nobody decided: it was best effort, which nobody asks about.
        decided.flatten()
    }

    /// Tells tenants what became of what they sent to other nodes.
    pub(super) fn settle_remote(&self, outcomes: Outcomes) {
        if outcomes.is_empty() {
            return;
        }
        let mut work = Work::default();
        self.tell_remote(outcomes, &mut work);
        self.finish(&mut work);
    }

    /// The same, to be [finished](Self::finish) by the caller.
    pub(super) fn tell_remote(&self, outcomes: Outcomes, work: &mut Work) {
        let moment = work.take_moment(self);
        for (parcel, outcome) in outcomes {
            let index = self.shard_of(parcel.tenant());
            let input = ShardInput::Decided { parcel, outcome };
            self.in_shard(&self.env_at(&moment), index, input, work);
        }
        work.keep(moment);
    }

    /// Drives the node machine.
    async fn watch(
        self: Arc<Self>,
        identity: Identity,
        inputs: mpsc::Sender<NodeInput>,
        mut waiting: mpsc::Receiver<NodeInput>,
    ) {
        let own = self.view().own;
        let mut machine = Machine::new(own, self.now_ms(), self.hello(&identity));
        self.act(&mut machine, NodeInput::Wake, &inputs);
        let mut hello = tokio::time::interval(HELLO);
        loop {
            let wait_ms = machine.next_wakeup().saturating_sub(self.now_ms());
            let input = tokio::select! {
                Some(input) = waiting.recv() => input,
                _ = hello.tick() => {
                    self.spawn(&inputs, |node| async move { node.look_at_skew().await });
                    NodeInput::Hello(self.hello(&identity))
                }
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => NodeInput::Wake,
            };
            self.act(&mut machine, input, &inputs);
        }
    }

    /// Compares the system clock with that of the store, which all nodes share.
    async fn look_at_skew(&self) -> Option<NodeInput> {
        let skew_ms = self.backplane.clock_skew().await?;
        let seconds = skew_ms as f64 / 1000.0;
        self.metrics.clock_skew.set(seconds);
        if skew_ms.abs() > SKEW_MS && self.skew_line.is_due(self.now_ms()) {
            tracing::warn!(
                seconds,
                "the system clock differs from redis: other nodes may refuse tokens of this one"
            );
        }
        None
    }

    fn hello(&self, identity: &Identity) -> NodeHello {
        NodeHello {
            name: identity.name.as_str().into(),
            address: identity.address.as_str().into(),
            version: env!("CARGO_PKG_VERSION").into(),
            wire: protocol::envelope::WIRE,
            keys: self.lane_keys().ids().into(),
            serving: !self.is_draining(),
            connections: self.connections() as u64,
        }
    }

    fn act(&self, machine: &mut Machine, input: NodeInput, inputs: &mpsc::Sender<NodeInput>) {
        let mut effects = Vec::new();
        machine.handle(self.now_ms(), fastrand::u128(..), input, &mut effects);
        // Always, as its counters move without a word.
        self.view.store(Arc::new(machine.view().clone()));
        for effect in effects {
            match effect {
                NodeEffect::ViewChanged => self.settle_remote(self.lanes.follow(machine.view())),
                NodeEffect::Ask(ask) => self.spawn(inputs, |node| async move {
                    let reply = node.backplane.execute_node(ask.clone()).await;
                    Some(NodeInput::Answered { ask, reply })
                }),
                NodeEffect::SendProbe { number } => {
                    let own = machine.view().own;
                    self.spawn(inputs, move |node| async move {
                        // One that does not come back says so by itself.
                        let _ = node.backplane.probe(own, number).await;
                        None
                    });
                }
                NodeEffect::RenewLink => {
                    tracing::warn!("the subscription is deaf: connecting anew");
                    self.backplane.renew();
                }
                NodeEffect::Joined(boot) => {
                    tracing::info!(%boot, "a node joined");
                    self.lanes.to(machine.view().own, boot);
                    self.joined.notify_waiters();
                }
                NodeEffect::Described(boot) => self.report_described(machine.view(), boot),
                NodeEffect::Evicted(boot) => {
                    tracing::info!(%boot, "a node is gone");
                    self.settle_remote(self.lanes.end(boot));
                    self.tell_shards(|| ShardInput::NodeEvicted(boot));
                }
                NodeEffect::Rejoined { old, new } => self.rejoined(old, new, inputs),
                NodeEffect::Degraded(degraded) => {
                    match degraded {
                        true if self.backplane.state().misread_nodes => {
                            tracing::warn!(
                                "what the store has of the nodes is not understood: degraded"
                            );
                        }
                        true => tracing::warn!("the store does not answer: degraded"),
                        false => tracing::info!("the store answers"),
                    }
                    if !degraded {
                        self.was_well.store(true, Ordering::Release);
                        self.resync();
                    }
                }
                NodeEffect::GenerationChanged => {
                    tracing::warn!("the store lost its data");
                    self.resync();
                }
            }
        }
    }

    /// The others buried this node: it goes on under a new name, with its sockets.
    fn rejoined(&self, old: BootId, new: BootId, inputs: &mpsc::Sender<NodeInput>) {
        tracing::warn!(%old, %new, "this node was buried, and goes on under a new name");
        self.settle_remote(self.lanes.end_all());
        self.spawn(inputs, move |node| async move {
            node.backplane.unsubscribe_node(old);
            // If not now, then before the link is up again.
            let _ = node.backplane.subscribe_node(new).await;
            None
        });
        self.tell_shards(|| ShardInput::Rejoined);
    }

    /// The store is back: every tenant looks whether it missed something, every lane goes on.
    fn resync(&self) {
        self.lanes.resume(self.now_ms());
        self.tell_shards(|| ShardInput::Resync);
    }

    fn tell_shards(&self, input: impl Fn() -> ShardInput) {
        for index in 0..self.shards.len() {
            self.tell_shard(index, input());
        }
    }

    fn tell_shard(&self, index: usize, input: ShardInput) {
        let mut work = Work::default();
        let view = self.view();
        self.in_shard(&self.env(&view), index, input, &mut work);
        self.finish(&mut work);
    }

    /// Does something that takes time, and hands the machine what comes of it.
    fn spawn<F>(&self, inputs: &mpsc::Sender<NodeInput>, what: impl FnOnce(Arc<Node>) -> F)
    where
        F: Future<Output = Option<NodeInput>> + Send + 'static,
    {
        let Some(node) = self.me.upgrade() else {
            return;
        };
        let vital = Vital(Arc::clone(&node));
        let (inputs, doing) = (inputs.clone(), what(node));
        tokio::spawn(async move {
            let _vital = vital;
            if let Some(input) = doing.await {
                // The machine ends with the node: then nobody waits.
                drop(inputs.send(input).await);
            }
        });
    }

    /// Ends the lanes: nobody is there any more to speak or to listen.
    pub(crate) fn end_lanes(&self) {
        self.lanes.stop();
        self.lanes.end_all();
    }

    /// Whether it may take traffic: its store is there, or was, if that is enough.
    pub(crate) fn is_ready(&self, ready_when_degraded: bool) -> bool {
        let was_well = self.was_well.load(Ordering::Acquire);
        !self.view().degraded || (ready_when_degraded && was_well)
    }

    /// How often a tenant compares its directory with the store's, milliseconds.
    pub(crate) fn compare_ms(&self) -> u64 {
        self.round_ms.load(Ordering::Relaxed).max(COMPARE_MS)
    }

    /// The same, taken together; and of lanes that ended.
    pub(crate) fn lane_totals(&self) -> LaneTotals {
        self.lanes.totals(self.now_ms())
    }

    /// How the lanes to the other nodes are.
    pub(crate) fn lane_status(&self) -> Vec<(BootId, LaneStatus)> {
        self.lanes.status(self.now_ms())
    }
}
