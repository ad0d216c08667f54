//! Which faults a seed has, when they begin and end, and how.

use protocol::TenantId;
use router_core::Millis;
use router_core::membership::DEAD_MS;
use router_core::store::{PolicyQuery, StoreRequest};

use crate::agenda::{Arrival, Event, Process};
use crate::dice::Dice;
use crate::faults::Fault;
use crate::machine::Machine;
use crate::outside::Outside;
use crate::profile::Profile;

/// What may go wrong.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Loss,
    Double,
    Reorder,
    Flaky,
    CutOut,
    CutIn,
    Deaf,
    /// Only in profiles.
    Stall,
    Link,
    Clog,
    StoreDown,
    StoreSlow,
    Failover,
    Empty,
    Crash,
    /// One machine dies; who saw that dies when it is buried. Only in profiles.
    Funeral,
    Pause,
    Revoke,
    Suspend,
}

/// The kinds of any seed. What is here twice is twice as likely.
const KINDS: [Kind; 18] = [
    Kind::Loss,
    Kind::Double,
    Kind::Reorder,
    Kind::Flaky,
    Kind::CutOut,
    Kind::CutIn,
    Kind::Deaf,
    Kind::Link,
    Kind::Clog,
    Kind::StoreDown,
    Kind::StoreSlow,
    Kind::Failover,
    Kind::Empty,
    Kind::Crash,
    Kind::Crash,
    Kind::Pause,
    Kind::Revoke,
    Kind::Suspend,
];

/// How long a stall lasts, milliseconds: up to three generations of a lane, which gives up after
/// 7.5 s.
const STALL_MS: (Millis, Millis) = (7000, 26_000);

/// The faults of a run.
pub struct Trouble {
    machines: usize,
    tenants: usize,
    /// The kinds that this seed has.
    kinds: Vec<Kind>,
    profile: &'static Profile,
    /// From one fault to the next, milliseconds on average.
    pace_ms: Millis,
    /// What is broken and will be mended.
    broken: Vec<Fault>,
    /// When all are mended: what a closed way has in its buffer comes no later.
    until_ms: Millis,
    ended: bool,
}

impl Trouble {
    pub fn new(
        dice: &mut Dice,
        profile: &'static Profile,
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
    pub fn next(&mut self, outside: &mut Outside) -> Option<Millis> {
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
            Kind::Loss => Fault::Loss(rate),
            Kind::Double => Fault::Double(rate),
            Kind::Reorder => Fault::Reorder(rate),
            Kind::Flaky => Fault::Flaky(rate / 2),
            Kind::CutOut => Fault::CutOut(machine),
            Kind::CutIn => Fault::CutIn(machine),
            Kind::Deaf => Fault::Deaf(machine),
            Kind::Link => Fault::Link(machine),
            Kind::Clog => Fault::Clog(machine, dice.between(50, 900)),
            Kind::StoreDown => Fault::StoreDown,
            Kind::StoreSlow => Fault::StoreSlow(dice.between(50, 1200)),
            Kind::Failover => Fault::Failover,
            Kind::Empty => Fault::Empty(dice.permille(500)),
            Kind::Stall => Fault::Stall(machine),
            Kind::Crash => Fault::Crash(machine),
            Kind::Funeral => self.funeral(outside, machine),
            Kind::Pause => Fault::Pause(machine),
            Kind::Revoke => Fault::Revoke(tenant),
            Kind::Suspend => Fault::Suspend(tenant),
        };
        outside.later(0, Event::Break(fault));
        Some(1 + outside.dice.below(2 * self.pace_ms))
    }

    /// The others die about when they bury it: what they know of it is lost.
    fn funeral(&self, outside: &mut Outside, dead: usize) -> Fault {
        let after_ms = outside.dice.between(DEAD_MS, DEAD_MS + 2000);
        for machine in 0..self.machines {
            outside.later(after_ms, Event::Break(Fault::Crash(machine)));
        }
        Fault::Crash(dead)
    }

    /// Ends all trouble; returns what has to be mended.
    pub fn end(&mut self) -> Vec<Fault> {
        self.ended = true;
        std::mem::take(&mut self.broken)
    }

    fn for_ms(&mut self, outside: &mut Outside, fault: Fault, ms: Millis) -> Millis {
        self.broken.push(fault);
        outside.later(ms, Event::Mend(fault));
        outside.now_ms + ms
    }

    pub fn break_it(
        &mut self,
        outside: &mut Outside,
        machines: &mut [Machine],
        tenants: &[TenantId],
        fault: Fault,
    ) {
        if self.ended {
            return;
        }
        let (from_ms, to_ms) = *outside.dice.one_of(self.profile.lasts_ms);
        let left_ms = self.until_ms.saturating_sub(outside.now_ms);
        let mut ms = outside.dice.between(from_ms, to_ms).min(left_ms);
        match fault {
            Fault::Loss(rate) => outside.faults.loss = rate,
            Fault::Double(rate) => outside.faults.double = rate,
            Fault::Reorder(rate) => outside.faults.reorder = rate,
            Fault::Flaky(rate) => outside.faults.flaky = rate,
            Fault::Clog(at, slow_ms) => outside.faults.machines[at].clog_ms = slow_ms,
            Fault::StoreSlow(slow_ms) => outside.faults.store_slow_ms = slow_ms,
            Fault::CutOut(at) => outside.faults.machines[at].cut_out_ms = outside.now_ms + ms,
            Fault::CutIn(at) => outside.faults.machines[at].cut_in_ms = outside.now_ms + ms,
            Fault::Deaf(at) => outside.faults.machines[at].deaf_ms = outside.now_ms + ms,
            Fault::StoreDown => outside.faults.store_down_until_ms = outside.now_ms + ms,
            Fault::Stall(at) => {
                outside.faults.machines[at].stalled = true;
                ms = outside.dice.between(STALL_MS.0, STALL_MS.1);
            }
            Fault::Link(at) => drop_link(outside, machines[at].process),
            Fault::Failover => {
                outside.redis.fail_over();
                drop_all_links(outside, machines);
            }
            Fault::Empty(drops) => {
                outside.redis.lose_all();
                if drops {
                    drop_all_links(outside, machines);
                }
            }
            Fault::Crash(at) => {
                if !machines[at].runs {
                    return;
                }
                machines[at].crash(outside);
            }
            Fault::Pause(at) => {
                let ms = outside.dice.between(100, 20_000);
                machines[at].paused_until_ms = outside.now_ms + ms;
                self.for_ms(outside, fault, ms);
                return;
            }
            Fault::Revoke(tenant) => return tell(outside, &tenants[tenant], PolicyQuery::Revoke),
            Fault::Suspend(tenant) => tell(outside, &tenants[tenant], PolicyQuery::Suspend(true)),
        }
        self.for_ms(outside, fault, ms);
    }

    pub fn mend(
        &mut self,
        outside: &mut Outside,
        machines: &mut [Machine],
        tenants: &[TenantId],
        fault: Fault,
    ) {
        if let Some(at) = self.broken.iter().position(|it| *it == fault) {
            self.broken.remove(at);
        } else if !self.ended {
            return;
        }
        match fault {
            Fault::Loss(_) => outside.faults.loss = 0,
            Fault::Double(_) => outside.faults.double = 0,
            Fault::Reorder(_) => outside.faults.reorder = 0,
            Fault::Flaky(_) => outside.faults.flaky = 0,
            Fault::Clog(at, _) => outside.faults.machines[at].clog_ms = 0,
            Fault::StoreSlow(_) => outside.faults.store_slow_ms = 0,
            Fault::Stall(at) => outside.flush(at),
            Fault::Link(at) => raise_link(outside, machines[at].process),
            Fault::Failover | Fault::Empty(_) => {
                for machine in machines {
                    raise_link(outside, machine.process);
                }
            }
            Fault::Crash(at) => {
                if !machines[at].runs {
                    machines[at].start(outside);
                }
            }
            Fault::Pause(at) => {
                machines[at].paused_until_ms = 0;
                outside.later(0, Event::Wake(machines[at].process));
            }
            Fault::Suspend(tenant) => tell(outside, &tenants[tenant], PolicyQuery::Suspend(false)),
            // Their ends are times.
            Fault::CutOut(_)
            | Fault::CutIn(_)
            | Fault::Deaf(_)
            | Fault::StoreDown
            | Fault::Revoke(_) => {}
        }
    }
}

fn drop_all_links(outside: &mut Outside, machines: &[Machine]) {
    for machine in machines {
        drop_link(outside, machine.process);
    }
}

fn drop_link(outside: &mut Outside, process: Process) {
    if std::mem::replace(&mut outside.redis.links[process.machine], false) {
        outside.stalled[process.machine].clear();
        outside.later(1, Event::Arrive(process, Arrival::LinkDown));
    }
}

/// All is subscribed again at once.
fn raise_link(outside: &mut Outside, process: Process) {
    if !std::mem::replace(&mut outside.redis.links[process.machine], true) {
        outside.later(2, Event::Arrive(process, Arrival::LinkUp));
    }
}

/// An operator's order goes to the store, and from there to all.
fn tell(outside: &mut Outside, tenant: &TenantId, query: PolicyQuery) {
    let request = StoreRequest {
        tenant: tenant.clone(),
        now_ms: outside.now_ms,
        query: query.into(),
    };
    let nobody = Process {
        machine: 0,
        life: u64::MAX,
    };
    let (_, event) = outside.redis.execute(nobody, request, outside.now_ms);
    if let Some(event) = event {
        outside.push_event(tenant, &event);
    }
}
