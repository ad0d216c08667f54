//! One machine of the cluster: its process, with everything that the shell of the product holds.
//!
//! | file | does |
//! | --- | --- |
//! | `perform.rs` | performs what sessions and shards want, in order, inside the shard's hold |
//! | `lanes.rs`, `lane_ends.rs` | packets in and out; what became of messages goes back to the shards |
//! | `usage.rs`, `sim_disk.rs` | the journals of usage |
//! | `sockets.rs`, `machine_socket.rs` | queues, slow readers, closing |
//!
//! It decides nothing: it carries inputs to machines and effects from them. What it does is what
//! the gateway's shell does, without threads: each arrival is handled to its end.

mod lane_ends;
mod lanes;
mod machine_socket;
mod perform;
pub(crate) mod sim_disk;
mod sockets;
mod usage;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use protocol::envelope::WIRE;
use protocol::{BootId, TenantId};
use router_core::env::Env;
use router_core::ids::HashKeys;
use router_core::membership::{MembershipMachine, NodeEffect, NodeInput, NodeView};
use router_core::session::SessionInput;
use router_core::shard::{Replica, Shard, ShardInput};
use router_core::store::nodes::NodeHello;
use router_core::{ConnKey, Millis, Settings};

use crate::agenda::{AgendaEvent, MachineProcess, ProcessArrival};
use crate::assignment::TermsFigures;
use crate::older::OLDER_WIRE;
use crate::outside::OutsideWorld;
use lane_ends::Lane;
use machine_socket::MachineSocket;
use sim_disk::{GATHER_MS, SimDisk};

/// A machine.
pub struct SimMachine {
    pub process: MachineProcess,
    /// Whether a process runs.
    pub runs: bool,
    pub paused_until_ms: Millis,
    backlog: VecDeque<ProcessArrival>,
    /// By how much its clock is ahead of the truth.
    skew_ms: Millis,
    /// Whether it reads and writes as a build before ours.
    older: bool,
    settings: Arc<Settings>,
    node: MembershipMachine,
    pub nodes: Arc<NodeView>,
    shards: Vec<Shard>,
    pub sockets: BTreeMap<ConnKey, MachineSocket>,
    lanes: BTreeMap<BootId, Lane>,
    lane_numbers: u64,
    hash_keys: HashKeys,
    /// What sessions are told once no shard is held.
    words: VecDeque<(ConnKey, Box<SessionInput>)>,
    /// Nodes that somebody named and nobody knows.
    discovered: Vec<BootId>,
    wake_ms: Option<Millis>,
    disk: SimDisk,
    /// Whether it was ever well: before that the balancer sends it nobody.
    pub ready: bool,
    /// Since when nothing has gone wrong for it.
    pub well_since_ms: Millis,
}

impl SimMachine {
    pub fn new(outside: &mut OutsideWorld, machine: usize, settings: Arc<Settings>) -> Self {
        let process = MachineProcess { machine, life: 0 };
        let boot = BootId::from_bits(1);
        let mut own = Self {
            process,
            runs: false,
            paused_until_ms: 0,
            backlog: VecDeque::new(),
            skew_ms: 0,
            older: is_older(machine),
            settings,
            node: MembershipMachine::new(boot, 0, hello(machine)),
            nodes: Arc::new(NodeView::alone(boot)),
            shards: Vec::new(),
            sockets: BTreeMap::new(),
            lanes: BTreeMap::new(),
            lane_numbers: 0,
            hash_keys: HashKeys(0, 0),
            words: VecDeque::new(),
            discovered: Vec::new(),
            wake_ms: None,
            disk: SimDisk::default(),
            ready: false,
            well_since_ms: 0,
        };
        own.start(outside);
        own
    }

    /// A process starts.
    pub fn start(&mut self, outside: &mut OutsideWorld) {
        self.process.life += 1;
        self.runs = true;
        self.paused_until_ms = 0;
        self.backlog.clear();
        self.skew_ms = outside.dice.below(4000);
        let now_ms = self.clock(outside);
        let boot = BootId::from_bits(outside.dice.entropy());
        self.node = MembershipMachine::new(boot, now_ms, hello(self.process.machine));
        self.nodes = Arc::new(self.node.view().clone());
        let shards = outside.dice.between(1, 2);
        self.hash_keys = HashKeys(outside.dice.bits(), outside.dice.bits());
        let shard = |_| Shard::new(self.hash_keys);
        self.shards = (0..shards).map(shard).collect();
        self.discovered.clear();
        self.wake_ms = None;
        self.ready = false;
        self.well_since_ms = outside.now_ms;
        outside.redis.start(self.process);
        self.disk.start();
        outside.later(GATHER_MS, AgendaEvent::Gather(self.process));
        outside.observer.boots.insert(boot, (self.process, None));
        outside.later(3, AgendaEvent::Subscribe(self.process, boot));
        self.wake_up(outside);
    }

    /// It dies. Peers see their sockets drop.
    pub(crate) fn crash(&mut self, outside: &mut OutsideWorld) {
        self.runs = false;
        self.tell_unreported(outside);
        outside.redis.end(self.process.machine);
        outside.observer.process_ends(self.process, outside.now_ms);
        for (key, socket) in std::mem::take(&mut self.sockets) {
            let after_ms = outside.dice.between(1, 30);
            outside.later(after_ms, AgendaEvent::HangUp(socket.peer, key));
        }
        self.lanes.clear();
        self.words.clear();
        self.backlog.clear();
    }

    /// Its own clock, Unix milliseconds.
    fn clock(&self, outside: &OutsideWorld) -> Millis {
        outside.now_ms + self.skew_ms
    }

    pub fn shard_of(&self, tenant: &TenantId) -> usize {
        let sum: usize = tenant.as_str().bytes().map(usize::from).sum();
        sum % self.shards.len()
    }

    /// What it makes of a tenant.
    pub fn replica(&self, tenant: &TenantId) -> Option<Replica> {
        self.shards[self.shard_of(tenant)].replica(tenant, &self.nodes)
    }

    /// Something arrives. A process that stands still finds it later.
    pub fn arrive(&mut self, outside: &mut OutsideWorld, arrival: ProcessArrival) {
        if outside.now_ms < self.paused_until_ms || !self.backlog.is_empty() {
            return self.backlog.push_back(arrival);
        }
        self.take(outside, arrival);
        self.rest(outside);
    }

    /// Handles what is due, and what waited while it stood still.
    pub fn wake(&mut self, outside: &mut OutsideWorld) {
        if outside.now_ms < self.paused_until_ms {
            return;
        }
        if self.wake_ms.is_some_and(|at_ms| at_ms <= outside.now_ms) {
            self.wake_ms = None;
        }
        while let Some(arrival) = self.backlog.pop_front() {
            self.take(outside, arrival);
            self.talk(outside);
            // Publishers run beside: what they take up before the next packet is theirs.
            if outside.dice.permille(500) {
                self.pump_lanes(outside);
            }
        }
        self.wake_up(outside);
    }

    fn wake_up(&mut self, outside: &mut OutsideWorld) {
        let now_ms = self.clock(outside);
        if self.node.next_wakeup() <= now_ms {
            self.node_input(outside, NodeInput::Wake);
        }
        for at in 0..self.shards.len() {
            while self.shards[at]
                .next_wakeup()
                .is_some_and(|due| due <= now_ms)
            {
                self.shard(outside, at, ShardInput::Wake);
            }
        }
        self.wake_sessions(outside);
        self.wake_lanes(outside);
        self.rest(outside);
    }

    fn take(&mut self, outside: &mut OutsideWorld, arrival: ProcessArrival) {
        match arrival {
            ProcessArrival::Replied(ticket, reply) => {
                let tenant = ticket.tenant.clone();
                let at = self.shard_of(&tenant);
                self.shard(outside, at, ShardInput::Reply { ticket, reply });
                self.tell_terms(outside, &tenant);
            }
            ProcessArrival::NodeReplied(answer) => {
                let (ask, reply) = *answer;
                self.node_input(outside, NodeInput::Answered { ask, reply });
            }
            ProcessArrival::Told(tenant, event) => {
                let at = self.shard_of(&tenant);
                let told = ShardInput::Event {
                    tenant: tenant.clone(),
                    event,
                };
                self.shard(outside, at, told);
                self.tell_terms(outside, &tenant);
            }
            ProcessArrival::Packet(bytes) => self.packet(outside, &bytes),
            ProcessArrival::Probe(number) => self.node_input(outside, NodeInput::Probe { number }),
            ProcessArrival::Published(what, result) => self.published(outside, what, result),
            ProcessArrival::LinkDown => self.node_input(outside, NodeInput::LinkDown),
            ProcessArrival::LinkUp => {
                self.node_input(outside, NodeInput::LinkUp);
                self.resync(outside);
            }
            ProcessArrival::Open(key, peer, opened, manner) => {
                self.open(outside, key, peer, *opened, manner);
            }
            ProcessArrival::Text(key, text, said) => self.text(outside, key, text, said),
            ProcessArrival::Gone(key) => self.gone(outside, key),
            ProcessArrival::Booked(is_booked) => self.recovered(is_booked),
        }
    }

    /// Tells the checks which allowance it applies to a tenant. Only answers and events of the store change it.
    fn tell_terms(&self, outside: &mut OutsideWorld, tenant: &TenantId) {
        if outside.observer.assignments == 0 {
            return;
        }
        if let Some(replica) = self.replica(tenant) {
            let allowed = TermsFigures::applied(&replica.terms).messages;
            let observer = &mut outside.observer;
            observer.quota_applied(self.process, tenant, allowed);
        }
    }

    /// After every arrival: what sessions are owed, what lanes have, when to wake again.
    fn rest(&mut self, outside: &mut OutsideWorld) {
        for boot in std::mem::take(&mut self.discovered) {
            self.node_input(outside, NodeInput::Discovered(boot));
        }
        self.talk(outside);
        self.pump_lanes(outside);
        let due_ms = self.next_wakeup();
        let at_ms = due_ms.saturating_sub(self.skew_ms).max(outside.now_ms);
        if self.wake_ms.is_none_or(|wake_ms| at_ms < wake_ms) {
            self.wake_ms = Some(at_ms);
            outside.agenda.add(at_ms, AgendaEvent::Wake(self.process));
        }
    }

    /// On its own clock.
    fn next_wakeup(&self) -> Millis {
        let heartbeat_ms = self.settings.heartbeat_ms;
        let shards = self.shards.iter().filter_map(Shard::next_wakeup);
        let sockets = self.sockets.values();
        let sockets = sockets.filter_map(|socket| socket.next_wakeup(heartbeat_ms));
        let lanes = self.lanes.values();
        let lanes = lanes.filter_map(|lane| lane.sender.next_wakeup());
        let all = shards.chain(sockets).chain(lanes);
        all.fold(self.node.next_wakeup(), Millis::min)
    }

    fn node_input(&mut self, outside: &mut OutsideWorld, input: NodeInput) {
        let now_ms = self.clock(outside);
        let entropy = outside.dice.entropy();
        let mut effects = Vec::new();
        self.node.handle(now_ms, entropy, input, &mut effects);
        for effect in effects {
            self.node_effect(outside, effect);
        }
    }

    fn node_effect(&mut self, outside: &mut OutsideWorld, effect: NodeEffect) {
        let (now_ms, machine) = (outside.now_ms, self.process.machine);
        match effect {
            NodeEffect::ViewChanged => {
                self.nodes = Arc::new(self.node.view().clone());
                self.resize_lanes();
            }
            NodeEffect::Ask(ask) => outside.ask_node(self.process, ask),
            NodeEffect::SendProbe { number } => outside.probe(self.process, number),
            NodeEffect::Joined(boot) => {
                outside
                    .observer
                    .trace(now_ms, || format!("node {machine} sees {boot}"));
                self.lane(boot);
            }
            NodeEffect::Evicted(boot) => {
                outside
                    .observer
                    .trace(now_ms, || format!("node {machine}: {boot} is gone"));
                self.expire_lane(outside, boot);
                self.all_shards(outside, || ShardInput::NodeEvicted(boot));
            }
            NodeEffect::Rejoined { old, new } => {
                outside
                    .observer
                    .trace(now_ms, || format!("node {machine} was {old}, is {new}"));
                outside.observer.rejoined(self.process, old, new, now_ms);
                outside.later(3, AgendaEvent::Subscribe(self.process, new));
                self.fail_all_lanes(outside);
                self.all_shards(outside, || ShardInput::Rejoined);
            }
            NodeEffect::Degraded(degraded) => {
                outside
                    .observer
                    .trace(now_ms, || format!("node {machine}, degraded: {degraded}"));
                if !degraded {
                    self.ready = true;
                    self.resync(outside);
                }
            }
            // A machine of the simulation never says anything else of itself.
            NodeEffect::RenewLink
            | NodeEffect::Described(_)
            | NodeEffect::SayAnew
            | NodeEffect::Left(_) => {}
            NodeEffect::GenerationChanged => self.resync(outside),
        }
    }

    /// The store is back: every lane goes on, every tenant looks whether it missed something.
    fn resync(&mut self, outside: &mut OutsideWorld) {
        self.resume_lanes(outside);
        self.all_shards(outside, || ShardInput::Resync);
    }

    fn all_shards(&mut self, outside: &mut OutsideWorld, input: impl Fn() -> ShardInput) {
        for at in 0..self.shards.len() {
            self.shard(outside, at, input());
        }
    }

    fn env<'a>(
        &self,
        outside: &mut OutsideWorld,
        settings: &'a Settings,
        nodes: &'a NodeView,
    ) -> Env<'a> {
        Env {
            now_ms: self.clock(outside),
            unix_ms: self.clock(outside),
            entropy: outside.dice.entropy(),
            settings,
            nodes,
            round_ms: 0,
        }
    }
}

/// Every other machine runs a build before ours.
fn is_older(machine: usize) -> bool {
    machine % 2 == 1
}

fn hello(machine: usize) -> NodeHello {
    NodeHello {
        name: format!("node-{machine}").into(),
        address: "127.0.0.1:1".into(),
        peer_address: "127.0.0.1:9464".into(),
        version: "0.1.0".into(),
        wire: match is_older(machine) {
            true => OLDER_WIRE,
            false => WIRE,
        },
        keys: Arc::default(),
        serving: true,
        connections: 0,
    }
}
