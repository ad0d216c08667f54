//! A whole run: machines, peers and their surroundings, from the first event to the last check.
//!
//! ```text
//!  0 s ── faults and peers ── S-17 s ── peers only ── S-4 s ── quiet ── S-2 s: looked at ── one word to each bot ── S
//! ```
//!
//! `world/ending.rs` has the looks at the end.
//!
//! The look waits until no connection was closed for a second, for ten seconds at most.

mod ending;

use std::sync::Arc;

use protocol::lane::LaneKeys;
use protocol::limits::{CLOCK_SKEW_MAX_MS, SLOW_CONSUMER_MS, USAGE_CLOSE_MS};
use protocol::{BootId, Limits, PlanName, Secret, TenantId, UsageCounts, UsageHour, UsageMeter};
use router_core::auth::Keyring;
use router_core::store::UsageRecord;
use router_core::terms::TenantSettings;
use router_core::{Millis, Settings};

use crate::agenda::{AgendaEvent, EventAgenda, MachineProcess, ProcessArrival};
use crate::assignment;
use crate::checks::RunObserver;
use crate::dice::SeededDice;
use crate::faults::{ActiveFaults, FaultKind};
use crate::machine::SimMachine;
use crate::machine::sim_disk::SimJournal;
use crate::outside::OutsideWorld;
use crate::peers::SimPeers;
use crate::profile::{FRUGAL_TENANT, NOISY_TENANT, RunProfile, frugal_plan, noisy_limits};
use crate::redis::Redis;
use crate::trouble::{RunTroubles, assign};

/// The hour of usage that ends while a run goes on, or is closed.
const HOUR: UsageHour = UsageHour::of(1_763_695_000_000);
/// When that hour ends, or is closed, in a run: milliseconds from its start.
const HOUR_MS: Millis = 20_000;
/// How often every machine is looked at, milliseconds.
const LOOK_MS: Millis = 500;
/// From the last fault to the look, milliseconds.
pub const HEAL_MS: Millis = 15_000;
/// For how much of that time peers go on.
const BUSY_MS: Millis = 13_000;
/// From the last close to the look, milliseconds.
const SETTLE_MS: Millis = 1_000;
/// For the last word to each bot, milliseconds.
const LAST_MS: Millis = 2_000;

/// A run.
pub(crate) struct RunWorld {
    pub machines: Vec<SimMachine>,
    pub peers: SimPeers,
    pub outside: OutsideWorld,
    trouble: RunTroubles,
    end_ms: Millis,
}

/// When a run begins, Unix milliseconds: so that [`HOUR`] ends, or is closed for readers, in the middle of it.
fn start_ms(seed: u64) -> Millis {
    let closed_ms = HOUR.end_ms() + USAGE_CLOSE_MS + CLOCK_SKEW_MAX_MS;
    let event_ms = match seed.is_multiple_of(2) {
        true => HOUR.end_ms(),
        false => closed_ms,
    };
    event_ms - HOUR_MS
}

fn tenants(dice: &mut SeededDice, profile: &RunProfile) -> Vec<TenantId> {
    let has_odd_one = profile.is_noisy || profile.is_frugal;
    let count = dice.between(1, 3).max(1 + u64::from(has_odd_one));
    let names = (0..count).map(|n| TenantId::parse(&format!("tenant-{n}")));
    names.map(|name| name.expect("it is a name")).collect()
}

fn settings(dice: &mut SeededDice, profile: &RunProfile, tenants: &[TenantId]) -> Settings {
    let mut limits = Limits::default();
    if dice.permille(700) {
        limits.takeovers_per_minute = 0;
    }
    let mut settings = Settings {
        usage_flush_ms: 1000,
        // Tenants come and go within a run.
        tenant_linger_ms: 5000,
        ..Settings::default()
    };
    if profile.is_noisy {
        let own = TenantSettings {
            limits: noisy_limits(),
            ..TenantSettings::default()
        };
        settings.tenants.insert(tenants[NOISY_TENANT].clone(), own);
    }
    if profile.is_assigned {
        settings.plans = assignment::plans(&limits);
    }
    settings.limits = Arc::new(limits);
    if profile.is_frugal {
        let name = PlanName::parse("frugal").expect("it is a name");
        let plan = frugal_plan(&settings.limits);
        settings.plans.insert(name.clone(), plan);
        let own = TenantSettings {
            plan: Some(name),
            ..TenantSettings::default()
        };
        settings.tenants.insert(tenants[FRUGAL_TENANT].clone(), own);
    }
    settings
}

fn outside(
    (dice, start_ms): (SeededDice, Millis),
    profile: &RunProfile,
    machines: usize,
    tracing: bool,
) -> OutsideWorld {
    let secret = Secret::new("0123456789abcdefghijklmnopqrstuvwxyz".to_owned());
    let mut outside = OutsideWorld {
        now_ms: start_ms,
        dice,
        agenda: EventAgenda::default(),
        faults: ActiveFaults::none(machines),
        redis: Redis::new(machines),
        stalled: (0..machines).map(|_| Vec::new()).collect(),
        observer: RunObserver::new(start_ms, tracing),
        keyring: Keyring::new(std::slice::from_ref(&secret)).expect("it is long"),
        lane_keys: LaneKeys::new(&[secret]),
        conns: 0,
    };
    outside.faults.buffers = profile.buffers;
    outside.faults.answers_late_ms = profile.answers_late_ms;
    outside.observer.is_noisy = profile.is_noisy;
    outside.observer.is_frugal = profile.is_frugal;
    outside
}

impl RunWorld {
    /// The world of a seed, for so many seconds of its time.
    pub fn new(seed: u64, seconds: u64, tracing: bool) -> Self {
        let mut dice = SeededDice::new(seed);
        let machines = dice.between(2, 4) as usize;
        let profile = RunProfile::of(seed);
        let tenants = tenants(&mut dice, profile);
        let settings = Arc::new(settings(&mut dice, profile, &tenants));
        let start_ms = start_ms(seed);
        let end_ms = start_ms + seconds.max(25) * 1000;
        let healed_ms = end_ms - LAST_MS - HEAL_MS;
        let trouble = RunTroubles::new(&mut dice, profile, machines, tenants.len(), healed_ms);
        let peers = SimPeers::new(&mut dice, profile, tenants);
        let mut outside = outside((dice, start_ms), profile, machines, tracing);
        outside.observer.tenant_of = peers.all.iter().map(|peer| peer.tenant).collect();
        let machines = (0..machines)
            .map(|at| SimMachine::new(&mut outside, at, Arc::clone(&settings)))
            .collect();
        for at in 0..peers.all.len() {
            let after_ms = 1500 + outside.dice.below(1500);
            outside.later(after_ms, AgendaEvent::Act(at));
        }
        outside.later(4000, AgendaEvent::NextFault);
        if profile.is_assigned {
            outside.later(3000, AgendaEvent::Assign);
        }
        outside.later(1000, AgendaEvent::Replicate);
        outside.later(LOOK_MS, AgendaEvent::Look);
        let mut world = Self {
            machines,
            peers,
            outside,
            trouble,
            end_ms,
        };
        world.leave_journals();
        world
    }

    /// Every machine has a journal of a process that ended before the run, of the hour that ends or is
    /// closed.
    fn leave_journals(&mut self) {
        for at in 0..self.machines.len() {
            for tenant in self.peers.tenants.clone() {
                let boot = BootId::from_bits(self.outside.dice.entropy());
                let counts: UsageCounts = [(UsageMeter::HttpRequests, 1 + at as u64)]
                    .into_iter()
                    .collect();
                let record = UsageRecord {
                    boot,
                    seq: 7,
                    hour: HOUR,
                    counts,
                };
                self.outside.observer.use_1_reported(&tenant, &counts);
                let journal = SimJournal::of(boot, tenant, record);
                self.machines[at].find_journal(journal);
            }
        }
    }

    /// Runs to the end, or to the first broken guarantee.
    pub fn run(&mut self) {
        let look_ms = self.end_ms - LAST_MS;
        let healed_ms = look_ms - HEAL_MS;
        self.pass(healed_ms);
        self.heal();
        self.peers.is_noisy = false;
        self.pass(healed_ms + BUSY_MS);
        self.peers.busy = false;
        self.outside.faults.answers_late_ms = 0;
        self.pass(look_ms);
        self.pass_until_settled(look_ms + SLOW_CONSUMER_MS);
        self.look_at_all();
        self.last_word();
        self.look_at_ledger();
    }

    fn is_over(&self) -> bool {
        self.outside.observer.failure.is_some()
    }

    fn pass(&mut self, until_ms: Millis) {
        while !self.is_over() {
            let Some((at_ms, event)) = self.outside.agenda.next(until_ms) else {
                break;
            };
            self.outside.now_ms = at_ms;
            self.outside.observer.now_ms = at_ms;
            self.happen(event);
        }
        self.outside.now_ms = until_ms.max(self.outside.now_ms);
    }

    /// Until no connection was closed for [`SETTLE_MS`]: one that is closed for being slow is still in the
    /// directory for a moment.
    fn pass_until_settled(&mut self, latest_ms: Millis) {
        while !self.is_over() && self.outside.now_ms < latest_ms {
            let settled_ms = self.outside.observer.last_close_ms + SETTLE_MS;
            if self.outside.now_ms >= settled_ms {
                break;
            }
            self.pass(settled_ms.min(latest_ms));
        }
    }

    fn happen(&mut self, event: AgendaEvent) {
        let outside = &mut self.outside;
        match event {
            AgendaEvent::Execute(from, question, back_ms) => {
                outside.execute(from, question, back_ms)
            }
            AgendaEvent::Publish(to, packet) => outside.push_packet(to, &packet),
            AgendaEvent::Subscribe(process, boot) => outside.redis.subscribe(process, boot),
            AgendaEvent::Arrive(process, arrival) => self.arrive(process, arrival),
            AgendaEvent::Wake(process) => {
                if let Some(machine) = running(&mut self.machines, process) {
                    machine.wake(outside);
                }
            }
            AgendaEvent::Act(peer) => self.peers.act(outside, &self.machines, peer),
            AgendaEvent::Read(process, key) => {
                let Some(machine) = running(&mut self.machines, process) else {
                    return;
                };
                let Some((peer, frames, closed)) = machine.read(key) else {
                    return;
                };
                machine.tell_room(outside, key);
                for frame in frames {
                    self.peers.heard(outside, peer, key, &frame);
                }
                if closed {
                    self.peers.hung_up(outside, peer, key);
                }
            }
            AgendaEvent::HangUp(peer, key) => self.peers.hung_up(outside, peer, key),
            AgendaEvent::Break(fault) => self.break_it(fault),
            AgendaEvent::Mend(fault) => self.mend(fault),
            AgendaEvent::NextFault => {
                if let Some(next_ms) = self.trouble.next(outside) {
                    outside.later(next_ms, AgendaEvent::NextFault);
                }
            }
            AgendaEvent::Replicate => {
                outside.redis.replicate();
                let next_ms = outside.dice.between(200, 2500);
                outside.later(next_ms, AgendaEvent::Replicate);
            }
            AgendaEvent::Look => self.look(),
            AgendaEvent::Assign if self.peers.busy => assign(outside, &self.peers.tenants),
            AgendaEvent::Assign => {}
            AgendaEvent::Gather(process) => {
                if let Some(machine) = running(&mut self.machines, process) {
                    machine.gather(outside);
                }
            }
        }
    }

    fn arrive(&mut self, process: MachineProcess, arrival: ProcessArrival) {
        if let Some(machine) = running(&mut self.machines, process) {
            return machine.arrive(&mut self.outside, arrival);
        }
        // Nobody is there to take a connection.
        if let ProcessArrival::Open(key, peer, ..) = arrival {
            self.peers.hung_up(&mut self.outside, peer, key);
        }
    }

    fn look(&mut self) {
        let now_ms = self.outside.now_ms;
        for machine in &mut self.machines {
            let troubled = self
                .outside
                .faults
                .troubles(machine.process.machine, now_ms);
            let paused = machine.paused_until_ms > now_ms;
            if !machine.runs || machine.nodes.degraded || troubled || paused {
                machine.well_since_ms = now_ms;
                continue;
            }
            let observer = &mut self.outside.observer;
            observer.gho_1(machine, &self.peers.tenants, now_ms);
        }
        self.look_at_usage();
        self.outside.later(LOOK_MS, AgendaEvent::Look);
    }

    /// As a reader of the ledger would, at any node that is well.
    fn look_at_usage(&mut self) {
        let now_ms = self.outside.now_ms;
        let well = self.machines.iter();
        let well = well.filter(|it| it.runs && !it.nodes.degraded);
        let Some(flushed) = well.map(SimMachine::flushed).min() else {
            return;
        };
        for tenant in &self.peers.tenants {
            let hours = self.outside.redis.usage(tenant, now_ms);
            let observer = &mut self.outside.observer;
            observer.use_1_look(tenant, &hours, (now_ms, flushed));
        }
    }

    fn break_it(&mut self, fault: FaultKind) {
        let now_ms = self.outside.now_ms;
        let observer = &mut self.outside.observer;
        observer.trace(now_ms, || format!("breaks: {fault:?}"));
        for machine in &mut self.machines {
            machine.well_since_ms = now_ms;
        }
        let Self {
            trouble,
            outside,
            machines,
            peers,
            ..
        } = self;
        trouble.break_it(outside, machines, &peers.tenants, fault);
    }

    fn mend(&mut self, fault: FaultKind) {
        let now_ms = self.outside.now_ms;
        let observer = &mut self.outside.observer;
        observer.trace(now_ms, || format!("mends: {fault:?}"));
        for machine in &mut self.machines {
            machine.well_since_ms = now_ms;
        }
        let Self {
            trouble,
            outside,
            machines,
            peers,
            ..
        } = self;
        trouble.mend(outside, machines, &peers.tenants, fault);
    }

    fn heal(&mut self) {
        for fault in self.trouble.end() {
            self.mend(fault);
        }
        self.outside.faults.heal();
    }
}

/// The machine of a process, if that still runs.
fn running(machines: &mut [SimMachine], process: MachineProcess) -> Option<&mut SimMachine> {
    let machine = &mut machines[process.machine];
    (machine.runs && machine.process == process).then_some(machine)
}
