//! Which faults a seed has, when they begin and end, and how.

use protocol::TenantId;
use router_core::Millis;
use router_core::store::{Ask, Request};

use crate::agenda::{Arrival, Event, Process};
use crate::dice::Dice;
use crate::faults::Fault;
use crate::machine::Machine;
use crate::outside::Outside;

/// How many kinds of fault there are.
const KINDS: u64 = 18;

/// The faults of a run.
pub struct Trouble {
    machines: usize,
    tenants: usize,
    /// The kinds that this seed has.
    kinds: Vec<u64>,
    /// From one fault to the next, milliseconds on average.
    pace_ms: Millis,
    /// What is broken and will be mended.
    broken: Vec<Fault>,
    ended: bool,
}

impl Trouble {
    pub fn new(dice: &mut Dice, machines: usize, tenants: usize) -> Self {
        let kinds = match dice.below(10) {
            0 => Vec::new(),
            1..4 => (0..2).map(|_| dice.below(KINDS)).collect(),
            4..8 => (0..5).map(|_| dice.below(KINDS)).collect(),
            _ => (0..KINDS).collect(),
        };
        Self {
            machines,
            tenants,
            kinds,
            pace_ms: dice.between(500, 6000),
            broken: Vec::new(),
            ended: false,
        }
    }

    /// Plans the next fault; says when to plan another one.
    pub fn next(&mut self, outside: &mut Outside) -> Option<Millis> {
        if self.kinds.is_empty() || self.ended {
            return None;
        }
        let dice = &mut outside.dice;
        let kind = *dice.one_of(&self.kinds);
        let machine = dice.below(self.machines as u64) as usize;
        let tenant = dice.below(self.tenants as u64) as usize;
        let rate = dice.between(5, 400);
        let fault = match kind {
            0 => Fault::Loss(rate),
            1 => Fault::Double(rate),
            2 => Fault::Reorder(rate),
            3 => Fault::Flaky(rate / 2),
            4 => Fault::CutOut(machine),
            5 => Fault::CutIn(machine),
            6 => Fault::Deaf(machine),
            7 => Fault::Link(machine),
            8 => Fault::Clog(machine, dice.between(50, 900)),
            9 => Fault::StoreDown,
            10 => Fault::StoreSlow(dice.between(50, 1200)),
            11 => Fault::Failover,
            12 => Fault::Empty(dice.permille(500)),
            13 | 14 => Fault::Crash(machine),
            15 => Fault::Pause(machine),
            16 => Fault::Revoke(tenant),
            _ => Fault::Suspend(tenant),
        };
        outside.later(0, Event::Break(fault));
        Some(1 + outside.dice.below(2 * self.pace_ms))
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
        // Short ones are as interesting as long ones.
        let most_ms = *outside.dice.one_of(&[300, 1500, 4000, 12_000]);
        let ms = outside.dice.between(50, most_ms);
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
            Fault::Revoke(tenant) => return tell(outside, &tenants[tenant], Ask::Revoke),
            Fault::Suspend(tenant) => tell(outside, &tenants[tenant], Ask::Suspend(true)),
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
            Fault::Suspend(tenant) => tell(outside, &tenants[tenant], Ask::Suspend(false)),
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
fn tell(outside: &mut Outside, tenant: &TenantId, ask: Ask) {
    let request = Request {
        tenant: tenant.clone(),
        ask,
        known_ver: 0,
        now_ms: outside.now_ms,
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
