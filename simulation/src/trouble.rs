//! The faults of a seed: which ones, when each begins and when it ends.

use protocol::TenantId;
use router_core::Millis;
use router_core::membership::DEAD_MS;
use router_core::store::{PolicyQuery, StoreRequest};

use crate::agenda::{AgendaEvent, MachineProcess, ProcessArrival};
use crate::assignment;
use crate::dice::SeededDice;
use crate::faults::{FaultKind, TroubleKind};
use crate::machine::SimMachine;
use crate::outside::OutsideWorld;
use crate::profile::RunProfile;

/// The kinds of any seed. What is here twice is twice as likely.
const KINDS: [TroubleKind; 18] = [
    TroubleKind::Loss,
    TroubleKind::Double,
    TroubleKind::Reorder,
    TroubleKind::Flaky,
    TroubleKind::CutOut,
    TroubleKind::CutIn,
    TroubleKind::Muted,
    TroubleKind::Link,
    TroubleKind::Clog,
    TroubleKind::StoreDown,
    TroubleKind::StoreSlow,
    TroubleKind::Failover,
    TroubleKind::Empty,
    TroubleKind::Crash,
    TroubleKind::Crash,
    TroubleKind::Pause,
    TroubleKind::Revoke,
    TroubleKind::Suspend,
];

/// How long a stall lasts, milliseconds: up to three generations of a lane, which gives up after
/// 7.5 s.
const STALL_MS: (Millis, Millis) = (7000, 26_000);

/// The faults of a run.
pub(crate) struct RunTroubles {
    machines: usize,
    tenants: usize,
    /// The kinds that this seed has.
    kinds: Vec<TroubleKind>,
    profile: &'static RunProfile,
    /// From one fault to the next, milliseconds on average.
    pace_ms: Millis,
    /// What is broken and will be mended.
    broken: Vec<FaultKind>,
    /// When all are mended: what a closed way has in its buffer comes no later.
    until_ms: Millis,
    ended: bool,
}

impl RunTroubles {
    pub fn new(
        dice: &mut SeededDice,
        profile: &'static RunProfile,
        machines: usize,
        tenants: usize,
        until_ms: Millis,
    ) -> Self {
        let mut kinds = match dice.below(10) {
            0 => Vec::new(),
            1..4 => (0..2).map(|_| *dice.one_of(&KINDS)).collect(),
            4..8 => (0..5).map(|_| *dice.one_of(&KINDS)).collect(),
            _ => KINDS.to_vec(),
        };
        if kinds.is_empty() {
            kinds.extend(profile.kinds);
        }
        Self {
            machines,
            tenants,
            kinds,
            profile,
            pace_ms: dice.between(500, 6000),
            broken: Vec::new(),
            until_ms,
            ended: false,
        }
    }

    /// Plans the next fault; says when to plan another one.
    pub fn next(&mut self, outside: &mut OutsideWorld) -> Option<Millis> {
        let dice = &mut outside.dice;
        let special = self.profile.kinds;
        let kinds = match special.is_empty() || dice.permille(500) {
            true => &self.kinds,
            false => special,
        };
        if kinds.is_empty() || self.ended {
            return None;
        }
        let kind = *dice.one_of(kinds);
        let machine = dice.below(self.machines as u64) as usize;
        let tenant = dice.below(self.tenants as u64) as usize;
        let rate = dice.between(5, 400);
        let fault = match kind {
            TroubleKind::Loss => FaultKind::Loss(rate),
            TroubleKind::Double => FaultKind::Double(rate),
            TroubleKind::Reorder => FaultKind::Reorder(rate),
            TroubleKind::Flaky => FaultKind::Flaky(rate / 2),
            TroubleKind::CutOut => FaultKind::CutOut(machine),
            TroubleKind::CutIn => FaultKind::CutIn(machine),
            TroubleKind::Muted => FaultKind::Muted(machine),
            TroubleKind::Link => FaultKind::Link(machine),
            TroubleKind::Clog => FaultKind::Clog(machine, dice.between(50, 900)),
            TroubleKind::StoreDown => FaultKind::StoreDown,
            TroubleKind::StoreSlow => FaultKind::StoreSlow(dice.between(50, 1200)),
            TroubleKind::Failover => FaultKind::Failover,
            TroubleKind::Empty => FaultKind::Empty(dice.permille(500)),
            TroubleKind::Stall => FaultKind::Stall(machine),
            TroubleKind::Crash => FaultKind::Crash(machine),
            TroubleKind::WitnessCrash => self.witness_crash(outside, machine),
            TroubleKind::Pause => FaultKind::Pause(machine),
            TroubleKind::Revoke => FaultKind::Revoke(tenant),
            TroubleKind::Suspend => FaultKind::Suspend(tenant),
        };
        outside.later(0, AgendaEvent::Break(fault));
        Some(1 + outside.dice.below(2 * self.pace_ms))
    }

    /// The others die about when they evict it: what they know of it is lost.
    fn witness_crash(&self, outside: &mut OutsideWorld, dead: usize) -> FaultKind {
        let after_ms = outside.dice.between(DEAD_MS, DEAD_MS + 2000);
        for machine in 0..self.machines {
            outside.later(after_ms, AgendaEvent::Break(FaultKind::Crash(machine)));
        }
        FaultKind::Crash(dead)
    }

    /// Ends all trouble; returns what has to be mended.
    pub fn end(&mut self) -> Vec<FaultKind> {
        self.ended = true;
        std::mem::take(&mut self.broken)
    }

    fn for_ms(&mut self, outside: &mut OutsideWorld, fault: FaultKind, ms: Millis) -> Millis {
        self.broken.push(fault);
        outside.later(ms, AgendaEvent::Mend(fault));
        outside.now_ms + ms
    }

    pub(crate) fn break_it(
        &mut self,
        outside: &mut OutsideWorld,
        machines: &mut [SimMachine],
        tenants: &[TenantId],
        fault: FaultKind,
    ) {
        if self.ended {
            return;
        }
        let (from_ms, to_ms) = *outside.dice.one_of(self.profile.lasts_ms);
        let left_ms = self.until_ms.saturating_sub(outside.now_ms);
        let mut ms = outside.dice.between(from_ms, to_ms).min(left_ms);
        match fault {
            FaultKind::Loss(rate) => outside.faults.loss = rate,
            FaultKind::Double(rate) => outside.faults.double = rate,
            FaultKind::Reorder(rate) => outside.faults.reorder = rate,
            FaultKind::Flaky(rate) => outside.faults.flaky = rate,
            FaultKind::Clog(at, slow_ms) => outside.faults.machines[at].clog_ms = slow_ms,
            FaultKind::StoreSlow(slow_ms) => outside.faults.store_slow_ms = slow_ms,
            FaultKind::CutOut(at) => outside.faults.machines[at].cut_out_ms = outside.now_ms + ms,
            FaultKind::CutIn(at) => outside.faults.machines[at].cut_in_ms = outside.now_ms + ms,
            FaultKind::Muted(at) => outside.faults.machines[at].muted_ms = outside.now_ms + ms,
            FaultKind::StoreDown => outside.faults.store_down_until_ms = outside.now_ms + ms,
            FaultKind::Stall(at) => {
                outside.faults.machines[at].stalled = true;
                ms = outside.dice.between(STALL_MS.0, STALL_MS.1);
            }
            FaultKind::Link(at) => drop_link(outside, machines[at].process),
            FaultKind::Failover => {
                outside.redis.fail_over();
                outside.observer.use_1_lost();
                drop_all_links(outside, machines);
            }
            FaultKind::Empty(drops) => {
                outside.redis.lose_all();
                outside.observer.use_1_lost();
                if drops {
                    drop_all_links(outside, machines);
                }
            }
            FaultKind::Crash(at) => {
                if !machines[at].runs {
                    return;
                }
                machines[at].crash(outside);
            }
            FaultKind::Pause(at) => {
                let ms = outside.dice.between(100, 20_000);
                machines[at].paused_until_ms = outside.now_ms + ms;
                self.for_ms(outside, fault, ms);
                return;
            }
            FaultKind::Revoke(tenant) => {
                return tell(outside, &tenants[tenant], PolicyQuery::Revoke);
            }
            FaultKind::Suspend(tenant) => {
                tell(outside, &tenants[tenant], PolicyQuery::Suspend(true))
            }
        }
        self.for_ms(outside, fault, ms);
    }

    pub fn mend(
        &mut self,
        outside: &mut OutsideWorld,
        machines: &mut [SimMachine],
        tenants: &[TenantId],
        fault: FaultKind,
    ) {
        if let Some(at) = self.broken.iter().position(|it| *it == fault) {
            self.broken.remove(at);
        } else if !self.ended {
            return;
        }
        match fault {
            FaultKind::Loss(_) => outside.faults.loss = 0,
            FaultKind::Double(_) => outside.faults.double = 0,
            FaultKind::Reorder(_) => outside.faults.reorder = 0,
            FaultKind::Flaky(_) => outside.faults.flaky = 0,
            FaultKind::Clog(at, _) => outside.faults.machines[at].clog_ms = 0,
            FaultKind::StoreSlow(_) => outside.faults.store_slow_ms = 0,
            FaultKind::Stall(at) => outside.flush(at),
            FaultKind::Link(at) => raise_link(outside, machines[at].process),
            FaultKind::Failover | FaultKind::Empty(_) => {
                for machine in machines {
                    raise_link(outside, machine.process);
                }
            }
            FaultKind::Crash(at) => {
                if !machines[at].runs {
                    machines[at].start(outside);
                }
            }
            FaultKind::Pause(at) => {
                machines[at].paused_until_ms = 0;
                outside.later(0, AgendaEvent::Wake(machines[at].process));
            }
            FaultKind::Suspend(tenant) => {
                tell(outside, &tenants[tenant], PolicyQuery::Suspend(false))
            }
            // Their ends are times.
            FaultKind::CutOut(_)
            | FaultKind::CutIn(_)
            | FaultKind::Muted(_)
            | FaultKind::StoreDown
            | FaultKind::Revoke(_) => {}
        }
    }
}

/// An operator assigns terms to one of the tenants, and later others.
pub(crate) fn assign(outside: &mut OutsideWorld, tenants: &[TenantId]) {
    let at = outside.dice.below(tenants.len() as u64) as usize;
    let assigned = assignment::draw(&mut outside.dice);
    let now_ms = outside.now_ms;
    let observer = &mut outside.observer;
    observer.trace(now_ms, || {
        format!("operator assigns to tenant {at}: {assigned:?}")
    });
    observer.assigned(at, assigned.clone());
    tell(outside, &tenants[at], PolicyQuery::Assign(assigned));
    let again_ms = outside.dice.between(500, 9000);
    outside.later(again_ms, AgendaEvent::Assign);
}

fn drop_all_links(outside: &mut OutsideWorld, machines: &[SimMachine]) {
    for machine in machines {
        drop_link(outside, machine.process);
    }
}

fn drop_link(outside: &mut OutsideWorld, process: MachineProcess) {
    if std::mem::replace(&mut outside.redis.links[process.machine], false) {
        outside.stalled[process.machine].clear();
        outside.later(1, AgendaEvent::Arrive(process, ProcessArrival::LinkDown));
    }
}

/// All is subscribed again at once.
fn raise_link(outside: &mut OutsideWorld, process: MachineProcess) {
    if !std::mem::replace(&mut outside.redis.links[process.machine], true) {
        outside.later(2, AgendaEvent::Arrive(process, ProcessArrival::LinkUp));
    }
}

/// An operator's order goes to the store, and from there to all.
fn tell(outside: &mut OutsideWorld, tenant: &TenantId, query: PolicyQuery) {
    let request = StoreRequest {
        tenant: tenant.clone(),
        now_ms: outside.now_ms,
        query: query.into(),
    };
    let nobody = MachineProcess {
        machine: 0,
        life: u64::MAX,
    };
    let (_, event) = outside.redis.execute(nobody, request, outside.now_ms);
    if let Some(event) = event {
        outside.push_event(tenant, &event);
    }
}
