//! A few node machines, one store and the time between them: what `dead_nodes.rs` plays with.
//!
//! Questions and answers take time and get lost, processes stop and go on, subscriptions go deaf,
//! the store loses data or comes back with older data. After every event the promises are checked.

use std::collections::{BTreeMap, BTreeSet};

use protocol::BootId;
use router_core::env::Millis;
use router_core::membership::{DEGRADED_MS, NodeEffect, NodeInput};
use router_core::store::nodes::{NodeQuery, NodeReply, NodesModel};

use crate::node_machine::{Event, Machine};

/// How many machines there are.
pub const NODES: usize = 3;
/// GHO-1: for how much healthy time a view may still hold who beats no more, milliseconds.
const GHOST_MS: Millis = 8000;
/// How long everybody must have missed a beat before an eviction, milliseconds: the six seconds, less
/// one slow answer.
const SILENCE_MS: Millis = 4000;
/// After this a question counts as unanswered, milliseconds.
const TIMEOUT_MS: Millis = 500;
/// Most time one way while nothing is wrong, milliseconds.
const WAY_MS: u64 = 100;
/// How late a wake-up may come, milliseconds.
const LATE_MS: u64 = 30;

/// What is done to the world. The first number is whose turn it is, times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    Pass(Millis),
    /// The process stands still, then goes on.
    Pause(usize, Millis),
    /// The process is gone for good.
    Stop(usize),
    /// Its questions do not reach the store.
    Cut(usize, Millis),
    /// Nobody's do.
    Outage(Millis),
    /// Its probes do not come back.
    Deaf(usize, Millis),
    /// Its subscription's connection drops, and comes back.
    Relink(usize, Millis),
    /// One in a hundred questions or answers, times this, is lost.
    Loss(u64),
    /// A way takes up to this much longer.
    Slow(u64),
    LoseData,
    /// The replica is as old as this moment.
    Replicate,
    /// The replica takes over.
    Failover,
}

pub struct World {
    now_ms: Millis,
    random: u64,
    loss_percent: u64,
    slow_ms: u64,
    store: NodesModel,
    /// An older store, with its `beaten_ms`.
    replica: (NodesModel, BTreeMap<BootId, Millis>),
    machines: Vec<Machine>,
    events: BTreeMap<(Millis, u64), (usize, Event)>,
    number: u64,
    /// When each boot's last beat was executed that no failover threw away.
    beaten_ms: BTreeMap<BootId, Millis>,
    /// When each boot last beat again after a silence.
    woke_ms: BTreeMap<BootId, Millis>,
    /// Who was evicted, or is so new that a failover threw its entry away: dead for good.
    vanished: BTreeSet<BootId>,
    pub evictions: usize,
    pub rejoins: usize,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut world = Self {
            now_ms: 1_763_695_000_000,
            random: seed,
            loss_percent: 0,
            slow_ms: 0,
            store: NodesModel::default(),
            replica: Default::default(),
            machines: Vec::new(),
            events: BTreeMap::new(),
            number: 0,
            beaten_ms: BTreeMap::new(),
            woke_ms: BTreeMap::new(),
            vanished: BTreeSet::new(),
            evictions: 0,
            rejoins: 0,
        };
        for i in 0..NODES {
            let name = format!("node-{i}");
            let boot = BootId::from_bits(i as u128 + 1);
            world.machines.push(Machine::new(world.now_ms, boot, &name));
        }
        world
    }

    pub fn run(&mut self, op: Op) {
        let now_ms = self.now_ms;
        match op {
            Op::Pass(ms) => self.pass(ms),
            Op::Pause(i, ms) => self.pause_until(i, now_ms + ms),
            Op::Stop(i) => self.pause_until(i, Millis::MAX),
            Op::Cut(i, ms) => self.machines[i].cut_until_ms = now_ms + ms,
            Op::Outage(ms) => {
                for machine in &mut self.machines {
                    machine.cut_until_ms = now_ms + ms;
                }
            }
            Op::Deaf(i, ms) => self.deafen(i, ms),
            Op::Relink(i, ms) => {
                self.deafen(i, ms);
                self.later(i, 0, Event::Input(NodeInput::LinkDown));
                self.later(i, ms, Event::Input(NodeInput::LinkUp));
            }
            Op::Loss(percent) => self.loss_percent = percent,
            Op::Slow(ms) => self.slow_ms = ms,
            Op::LoseData => {
                self.store = NodesModel::default();
                self.trouble_all();
            }
            Op::Replicate => self.replica = (self.store.clone(), self.beaten_ms.clone()),
            Op::Failover => self.fail_over(),
        }
    }

    /// Ends every fault, and checks that 20 s later all who run see each other and no one else.
    pub fn heal(&mut self) {
        self.loss_percent = 0;
        self.slow_ms = 0;
        for i in 0..NODES {
            self.machines[i].cut_until_ms = self.now_ms;
            self.machines[i].deaf_until_ms = self.now_ms;
            if self.machines[i].paused_until_ms != Millis::MAX {
                self.machines[i].paused_until_ms = self.now_ms;
            }
        }
        // The last connection that is down comes back within 20 s.
        self.pass(20_000);
        for i in 0..NODES {
            self.later(i, 0, Event::Input(NodeInput::LinkUp));
        }
        self.pass(20_000);
        let running = |machine: &&Machine| machine.paused_until_ms != Millis::MAX;
        let boots = self.machines.iter().filter(running);
        let boots: BTreeSet<BootId> = boots.map(|machine| machine.node.view().own).collect();
        for machine in self.machines.iter().filter(running) {
            let view = machine.node.view();
            assert!(!view.degraded, "{} is degraded for ever", view.own);
            let mut seen: BTreeSet<BootId> = view.peers.keys().copied().collect();
            seen.insert(view.own);
            assert_eq!(seen, boots, "{} sees others", view.own);
            let mut terms = view.peers.values().map(|peer| peer.terms);
            let described = terms.all(|terms| terms.is_ok_and(|terms| terms.wire == 2));
            assert!(described, "{} does not know its peers", view.own);
        }
    }

    fn pause_until(&mut self, i: usize, until_ms: Millis) {
        let machine = &mut self.machines[i];
        machine.paused_until_ms = machine.paused_until_ms.max(until_ms);
        machine.well_since_ms = machine.well_since_ms.max(until_ms);
    }

    fn deafen(&mut self, i: usize, ms: Millis) {
        self.machines[i].deaf_until_ms = self.now_ms + ms;
        self.trouble(i, ms);
    }

    fn fail_over(&mut self) {
        let (store, beaten_ms) = self.replica.clone();
        let boots = self.beaten_ms.keys().copied();
        let lost = boots.filter(|boot| store.beat_of(*boot).is_none());
        self.vanished.extend(lost);
        self.store = store;
        self.beaten_ms = beaten_ms;
        self.trouble_all();
    }

    fn trouble_all(&mut self) {
        (0..NODES).for_each(|i| self.trouble(i, 0));
    }

    fn pass(&mut self, ms: Millis) {
        let end_ms = self.now_ms + ms;
        loop {
            let wakes = (0..NODES).map(|i| (self.machines[i].next_ms(), i));
            let (wake_ms, i) = wakes.min().expect("there are machines");
            let event_ms = self.events.first_key_value().map(|(key, _)| key.0);
            let event_ms = event_ms.unwrap_or(Millis::MAX);
            if wake_ms.min(event_ms) > end_ms {
                break;
            }
            self.now_ms = self.now_ms.max(wake_ms.min(event_ms));
            if event_ms <= wake_ms {
                let (_, (i, event)) = self.events.pop_first().expect("it was seen");
                self.happen(i, event);
            } else {
                self.wake(i);
            }
            self.check();
        }
        self.now_ms = end_ms;
    }

    /// Wakes a machine; after a pause what lay in its buffers comes too, before or after that.
    fn wake(&mut self, i: usize) {
        let wake_first = self.below(2) == 0;
        if wake_first {
            self.give(i, NodeInput::Wake);
        }
        let mut backlog = std::mem::take(&mut self.machines[i].backlog);
        while !backlog.is_empty() {
            let at = self.below(backlog.len() as u64) as usize;
            self.happen(i, backlog.swap_remove(at));
        }
        if !wake_first {
            self.give(i, NodeInput::Wake);
        }
    }

    fn happen(&mut self, i: usize, event: Event) {
        let paused = self.machines[i].paused_until_ms > self.now_ms;
        match event {
            Event::Input(input) if paused => self.machines[i].backlog.push(Event::Input(input)),
            Event::Input(input) => self.give(i, input),
            Event::Execute(ask, way_back_ms) => {
                // It may lie in a buffer of the process that stands still.
                if paused && self.below(2) == 0 {
                    let event = Event::Execute(ask, way_back_ms);
                    self.machines[i].backlog.push(event);
                    return;
                }
                let reply = self.execute(i, &ask);
                if let Some(ms) = way_back_ms {
                    self.later(i, ms, Event::Input(NodeInput::Answered { ask, reply }));
                }
            }
        }
    }

    fn give(&mut self, i: usize, input: NodeInput) {
        let entropy = u128::from(self.next()) << 64 | u128::from(self.next());
        let machine = &mut self.machines[i];
        let mut fx = Vec::new();
        machine.node.handle(self.now_ms, entropy, input, &mut fx);
        for effect in fx {
            match effect {
                NodeEffect::Ask(ask) => self.ask(i, ask),
                NodeEffect::SendProbe { number } => {
                    let ms = self.way() + self.way();
                    if self.now_ms >= self.machines[i].deaf_until_ms {
                        self.later(i, ms, Event::Input(NodeInput::Probe { number }));
                    }
                }
                NodeEffect::Joined(boot) => {
                    let known = self.machines[i].gone.contains(&boot);
                    assert!(!known, "{boot} came back on node {i}");
                }
                NodeEffect::Evicted(boot) => self.on_evicted(i, boot),
                NodeEffect::Rejoined { old, .. } => {
                    self.rejoins += 1;
                    assert!(self.vanished.contains(&old), "{old} was there");
                    self.machines[i].gone.insert(old);
                }
                NodeEffect::Degraded(_)
                | NodeEffect::Described(_)
                | NodeEffect::SayAnew
                | NodeEffect::RenewLink
                | NodeEffect::GenerationChanged
                | NodeEffect::Left(_)
                | NodeEffect::ViewChanged => {}
            }
        }
        let late_ms = self.below(LATE_MS);
        let machine = &mut self.machines[i];
        machine.wake_ms = machine.node.next_wakeup().max(self.now_ms) + late_ms;
    }

    fn ask(&mut self, i: usize, ask: NodeQuery) {
        let cut = self.now_ms < self.machines[i].cut_until_ms;
        let (there_ms, back_ms) = (self.way(), self.way());
        let lost = cut || self.below(100) < self.loss_percent;
        let answer_lost = self.below(100) < self.loss_percent;
        if lost || answer_lost {
            let reply = NodeReply::Unavailable;
            let input = NodeInput::Answered {
                ask: ask.clone(),
                reply,
            };
            self.later(i, TIMEOUT_MS, Event::Input(input));
            self.trouble(i, TIMEOUT_MS);
        }
        if !lost {
            let back_ms = (!answer_lost).then_some(back_ms);
            self.later(i, there_ms, Event::Execute(ask, back_ms));
        }
        if there_ms.max(back_ms) > WAY_MS {
            self.trouble(i, there_ms + back_ms);
        }
    }

    fn execute(&mut self, i: usize, ask: &NodeQuery) -> NodeReply {
        let reply = self.store.execute(self.now_ms, ask);
        match (ask, &reply) {
            (NodeQuery::Beat { boot, .. }, NodeReply::Beats { .. }) => {
                if self.silent_ms(*boot) >= SILENCE_MS {
                    self.woke_ms.insert(*boot, self.now_ms);
                }
                self.beaten_ms.insert(*boot, self.now_ms);
            }
            (NodeQuery::Evict { boot, .. }, NodeReply::Evict(true)) => {
                self.evictions += 1;
                let again = self.vanished.contains(boot) || self.machines[i].gone.contains(boot);
                assert!(
                    again || self.silent_ms(*boot) >= SILENCE_MS,
                    "node {i} evicted {boot}"
                );
                self.vanished.insert(*boot);
            }
            _ => {}
        }
        reply
    }

    fn on_evicted(&mut self, i: usize, boot: BootId) {
        let silent = self.silent_ms(boot) >= SILENCE_MS;
        // It was, when the store was read; the answer took its time.
        let woke_ms = self.woke_ms.get(&boot).copied().unwrap_or_default();
        let silent = silent || self.now_ms - woke_ms <= DEGRADED_MS;
        let just = self.vanished.contains(&boot) || silent;
        assert!(just, "{boot} is gone from node {i} but beats");
        self.machines[i].gone.insert(boot);
    }

    fn silent_ms(&self, boot: BootId) -> Millis {
        self.now_ms - self.beaten_ms.get(&boot).copied().unwrap_or_default()
    }

    fn check(&mut self) {
        let now_ms = self.now_ms;
        for (i, machine) in self.machines.iter_mut().enumerate() {
            let view = machine.node.view();
            if view.degraded {
                machine.well_since_ms = machine.well_since_ms.max(now_ms);
            }
            for boot in view.peers.keys() {
                assert!(!machine.gone.contains(boot), "{boot} returned to node {i}");
                assert!(!view.is_dead(*boot) && view.is_live(*boot));
                let since_ms = machine.well_since_ms;
                let beaten_ms = self.beaten_ms.get(boot).copied();
                let since_ms = since_ms.max(beaten_ms.unwrap_or_default());
                let ghost = now_ms.saturating_sub(since_ms) >= GHOST_MS;
                assert!(!ghost, "GHO-1: node {i} still sees {boot}");
            }
            for boot in &machine.gone {
                assert!(view.is_dead(*boot), "node {i} forgot {boot}");
            }
        }
    }

    fn trouble(&mut self, i: usize, ms: Millis) {
        let machine = &mut self.machines[i];
        machine.well_since_ms = machine.well_since_ms.max(self.now_ms + ms);
    }

    fn later(&mut self, i: usize, ms: Millis, event: Event) {
        self.number += 1;
        self.events
            .insert((self.now_ms + ms, self.number), (i, event));
    }

    fn way(&mut self) -> Millis {
        let slow_ms = self.slow_ms;
        1 + self.below(WAY_MS) + self.below(slow_ms + 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
