//! The looks at the end of a run, when nothing breaks any more.

use router_core::Millis;

use super::{LAST_MS, RunWorld};
use crate::machine::SimMachine;
use crate::machine::sim_disk::GATHER_MS;

/// Longest time until all usage is booked at the end, milliseconds.
const BOOK_MS: Millis = 15_000;

impl RunWorld {
    /// Every guarantee that holds when all is quiet.
    pub(super) fn look_at_all(&mut self) {
        if self.is_over() {
            return;
        }
        let now_ms = self.outside.now_ms;
        self.outside.observer.now_ms = now_ms;
        let boots: Vec<_> = self.machines.iter().map(|it| it.nodes.own).collect();
        for machine in &self.machines {
            let node = machine.process.machine;
            let view = &machine.nodes;
            let sees_all = boots.iter().all(|boot| view.is_live(*boot));
            if view.degraded || !sees_all || view.others() + 1 != boots.len() {
                let what = format!("node {node} sees {:?}", view.peers.keys());
                self.outside.observer.fail("HEALED", &what);
            }
            let lanes = machine.lane_status(&self.outside);
            if lanes
                .iter()
                .any(|lane| lane.unacked > 0 || lane.waiting_bytes > 0)
            {
                let what = format!("node {node} has lanes that owe: {lanes:?}");
                self.outside.observer.fail("HEALED", &what);
            }
        }
        for (at, tenant) in self.peers.tenants.iter().enumerate() {
            let stored = self.outside.redis.snapshot(tenant, now_ms);
            self.outside.observer.healed_store(at, &stored, now_ms);
            for machine in &self.machines {
                self.outside
                    .observer
                    .healed_replica(machine, tenant, &stored);
            }
        }
        self.outside.observer.ack_1_all(now_ms - 1000);
        if self.outside.observer.assignments > 0 {
            self.look_at_terms();
        }
    }

    /// What operators assigned to tenants holds on every node that has them.
    fn look_at_terms(&mut self) {
        let outside = &mut self.outside;
        for (at, tenant) in self.peers.tenants.iter().enumerate() {
            let stored = outside.redis.snapshot(tenant, outside.now_ms);
            let stored = stored.policy.assigned.as_deref();
            outside.observer.terms_stored(at, stored);
            for machine in &self.machines {
                if let Some(replica) = machine.replica(tenant) {
                    let node = (machine.process.machine, at);
                    let observer = &mut outside.observer;
                    observer.terms_applied(node, stored, &replica.terms);
                }
            }
        }
    }

    /// Waits until all usage is booked, and compares the ledger with what happened.
    pub(super) fn look_at_ledger(&mut self) {
        let latest_ms = self.outside.now_ms + BOOK_MS;
        let is_booked = |machine: &SimMachine| machine.unbooked() == (false, 0);
        while !self.is_over() && !self.machines.iter().all(is_booked) {
            if self.outside.now_ms >= latest_ms {
                let what = "some usage is never booked";
                return self.outside.observer.fail("USE-1", what);
            }
            self.pass(self.outside.now_ms + GATHER_MS / 2);
        }
        if self.is_over() {
            return;
        }
        for machine in &mut self.machines {
            machine.write_journal(&mut self.outside);
        }
        let now_ms = self.outside.now_ms;
        for (at, tenant) in self.peers.tenants.iter().enumerate() {
            let hours = self.outside.redis.usage(tenant, now_ms);
            let observer = &mut self.outside.observer;
            observer.use_1_booked((at, tenant), &hours);
        }
    }

    /// A client on every node writes to every bot that is online: all must be delivered.
    pub(super) fn last_word(&mut self) {
        let mut clients = Vec::new();
        for tenant in 0..self.peers.tenants.len() {
            for at in 0..self.machines.len() {
                let client = self.peers.add_client(tenant);
                self.outside.observer.tenant_of.push(tenant);
                let process = self.machines[at].process;
                self.peers.connect_to(&mut self.outside, process, client);
                clients.push((client, tenant));
            }
        }
        self.pass(self.outside.now_ms + LAST_MS / 2);
        let mut probes = Vec::new();
        for (client, tenant) in clients {
            let homes = self.outside.observer.homes_of(tenant);
            let bots: Vec<String> = homes.keys().map(|bot| (*bot).to_owned()).collect();
            for bot in bots {
                probes.push(self.peers.probe(&mut self.outside, client, &bot));
            }
        }
        self.pass(self.outside.now_ms + LAST_MS / 2);
        for tag in probes {
            let sent = tag.map(|tag| &self.outside.observer.sent[tag]);
            let answer = sent.and_then(|sent| sent.answers.first());
            // A bot that does not read is there all the same.
            let is_there = answer.is_some_and(|it| it == "delivered" || it == "recipient_busy");
            if !is_there && !self.outside.observer.is_spent(sent, answer) {
                let what = format!("a bot is not reachable: {sent:?}");
                return self.outside.observer.fail("HEALED", &what);
            }
        }
    }
}
