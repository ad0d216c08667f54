//! The task that drives the node machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backplane::InboundMessage;
use protocol::{BootId, UsageHour};
use router_core::membership::{DegradedCause, MembershipMachine as Machine, NodeEffect, NodeInput};
use router_core::shard::ShardInput;
use router_core::store::nodes::{NodeHello, NodeQuery};
use tokio::sync::mpsc;

use super::identity::NodeIdentity;
use crate::node::core::Node;
use crate::node::usage::StoreLoss;
use crate::node::vital::VitalTask;

/// Inputs of the node machine that wait; more are dropped, and it asks again.
const INPUTS_WAITING: usize = 1024;
/// A difference between the system clock and that of the store that is worth a warning, milliseconds.
const SKEW_MS: i64 = 5000;
/// Longest wait for the store when the node leaves.
const LEAVE_WAIT: Duration = Duration::from_secs(2);
/// How often the node says how many connections it has, and compares its clock with the store's.
const HELLO: Duration = Duration::from_secs(10);

impl Node {
    /// Watches the other nodes, and is watched by them, for as long as the node lives.
    pub(crate) async fn take_part(
        self: Arc<Self>,
        identity: NodeIdentity,
        inbound: mpsc::Receiver<InboundMessage>,
    ) {
        let own = self.view().own;
        if self.backplane.subscribe_node(own).await.is_err() {
            tracing::warn!("the inbox of this node is not subscribed yet");
        }
        let (inputs, waiting) = mpsc::channel(INPUTS_WAITING);
        self.membership
            .inputs
            .set(inputs.clone())
            .expect("it takes part once");
        let receiving = Arc::clone(&self).receive(inbound, inputs.clone());
        let watching = self.watch(identity, inputs, waiting);
        tokio::join!(receiving, watching);
    }

    /// Drives the node machine.
    async fn watch(
        self: Arc<Self>,
        identity: NodeIdentity,
        inputs: mpsc::Sender<NodeInput>,
        mut waiting: mpsc::Receiver<NodeInput>,
    ) {
        let own = self.view().own;
        let mut machine = Machine::new(own, self.now_ms(), self.hello(&identity));
        if self.rebalances {
            machine.follow_connections();
        }
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
                () = self.membership.said_anew.notified() => NodeInput::Hello(self.hello(&identity)),
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
        if skew_ms.abs() > SKEW_MS && self.membership.skew_line.is_due(self.now_ms()) {
            tracing::warn!(
                seconds,
                "the system clock differs from redis: other nodes may refuse tokens of this one"
            );
        }
        None
    }

    fn hello(&self, identity: &NodeIdentity) -> NodeHello {
        NodeHello {
            name: identity.name.as_str().into(),
            address: identity.address.as_str().into(),
            peer_address: identity.peer_address.as_str().into(),
            version: env!("CARGO_PKG_VERSION").into(),
            wire: protocol::envelope::WIRE,
            keys: self.lanes.keys().ids().into(),
            serving: !self.is_draining(),
            connections: self.connections.count() as u64,
        }
    }

    fn act(&self, machine: &mut Machine, input: NodeInput, inputs: &mpsc::Sender<NodeInput>) {
        let mut effects = Vec::new();
        machine.handle(self.now_ms(), fastrand::u128(..), input, &mut effects);
        let known = self.view().generation;
        // Always, as its counters move without a word.
        self.membership.set_view(machine.view().clone());
        for effect in effects {
            match effect {
                NodeEffect::ViewChanged => self.settle_remote(self.lanes.follow(machine.view())),
                NodeEffect::Ask(ask) => self.spawn(inputs, |node| async move {
                    let since = Instant::now();
                    let reply = node.backplane.execute_node(ask.clone()).await;
                    node.metrics.latency.store(name_of(&ask), since.elapsed());
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
                    self.membership.joined.notify_waiters();
                }
                NodeEffect::SayAnew => self.say_anew(machine.view()),
                NodeEffect::Described(boot) => self.report_described(machine.view(), boot),
                NodeEffect::Evicted(boot) => {
                    tracing::info!(%boot, "a node is gone");
                    self.settle_remote(self.lanes.end(boot));
                    self.tell_shards(|| ShardInput::NodeEvicted(boot));
                }
                NodeEffect::Rejoined { old, new } => self.rejoin(old, new, inputs),
                NodeEffect::Degraded(degraded) => {
                    match degraded {
                        true if self.backplane.state().misread_nodes => {
                            tracing::warn!(
                                "what the store has of the nodes is not understood: degraded"
                            );
                        }
                        true => tracing::warn!(
                            cause = machine.view().degraded_cause.map(DegradedCause::reason),
                            last_error = self.backplane.state().last_error,
                            "degraded"
                        ),
                        false => tracing::info!("not degraded any more: the store answers"),
                    }
                    if !degraded {
                        self.membership.note_well();
                        self.resync();
                    }
                }
                NodeEffect::Left(is_removed) => {
                    if !is_removed {
                        tracing::warn!(
                            "the entry of this node is not removed: the others wait until it stands still"
                        );
                    }
                    self.membership.left.notify_one();
                }
                NodeEffect::GenerationChanged => {
                    tracing::warn!("the store lost its data");
                    if let (Some(old), Some(new)) = (known, machine.view().generation) {
                        let hour = UsageHour::of(self.unix_ms());
                        self.usage.loss.note(StoreLoss { old, new, hour });
                    }
                    self.resync();
                }
            }
        }
    }

    /// The other nodes evicted this one: it rejoins under a new boot id, with its sockets.
    fn rejoin(&self, old: BootId, new: BootId, inputs: &mpsc::Sender<NodeInput>) {
        tracing::warn!(%old, %new, "this node was evicted, and goes on under a new name");
        self.settle_remote(self.lanes.end_all());
        self.spawn(inputs, move |node| async move {
            node.backplane.unsubscribe_node(old);
            // If not now, then before the link is up again.
            let _ = node.backplane.subscribe_node(new).await;
            None
        });
        self.tell_shards(|| ShardInput::Rejoined);
    }

    /// Leaves the cluster: its entry is removed. At most 2 s.
    pub(in crate::node) async fn leave_cluster(&self) {
        if !self.view().shared {
            return;
        }
        self.membership.hint(NodeInput::Leave);
        if tokio::time::timeout(LEAVE_WAIT, self.membership.left.notified())
            .await
            .is_err()
        {
            tracing::warn!(
                "the store does not answer: the others wait until this node stands still"
            );
        }
    }

    /// Does something that takes time, and hands the machine what comes of it.
    fn spawn<F>(&self, inputs: &mpsc::Sender<NodeInput>, what: impl FnOnce(Arc<Node>) -> F)
    where
        F: Future<Output = Option<NodeInput>> + Send + 'static,
    {
        let Some(node) = self.me.upgrade() else {
            return;
        };
        let vital = VitalTask::new(&node.failed);
        let (inputs, doing) = (inputs.clone(), what(node));
        tokio::spawn(async move {
            let _vital = vital;
            if let Some(input) = doing.await {
                // The machine ends with the node: then nobody waits.
                drop(inputs.send(input).await);
            }
        });
    }

    /// Whether it may take traffic: its store is there, or was, if that is enough.
    pub(crate) fn is_ready(&self, ready_when_degraded: bool) -> bool {
        self.membership.is_ready(ready_when_degraded)
    }
}

/// The name of a query, for metrics.
fn name_of(ask: &NodeQuery) -> &'static str {
    match ask {
        NodeQuery::Beat { .. } => "beat",
        NodeQuery::Evict { .. } => "evict",
        NodeQuery::Hello { .. } => "hello",
        NodeQuery::Describe(_) => "describe",
    }
}
