//! Writes the journal of usage, and books what the journals of processes before have.

use std::sync::Arc;

use protocol::UsageHour;
use router_core::membership::NodeInput;

use super::SimMachine;
use super::sim_disk::{GATHER_MS, SimJournal};
use crate::agenda::AgendaEvent;
use crate::outside::OutsideWorld;

impl SimMachine {
    /// A journal of a boot that ended before the run.
    pub(crate) fn find_journal(&mut self, journal: SimJournal) {
        self.disk.bury(journal);
    }

    /// Writes the journal, books what dead processes left, and looks which hours are booked.
    pub(crate) fn gather(&mut self, outside: &mut OutsideWorld) {
        if outside.now_ms >= self.paused_until_ms {
            self.write_journal(outside);
            self.recover(outside);
            self.watch_hours(outside);
            self.rest(outside);
        }
        outside.later(GATHER_MS, AgendaEvent::Gather(self.process));
    }

    pub(crate) fn write_journal(&mut self, outside: &mut OutsideWorld) {
        let (settings, nodes) = (Arc::clone(&self.settings), Arc::clone(&self.nodes));
        let env = self.env(outside, &settings, &nodes);
        for shard in &mut self.shards {
            shard.report_usage(&env, |report| {
                outside
                    .observer
                    .use_1_reported(&report.tenant, &report.added);
                self.disk.own.tenants.insert(report.tenant, report.unbooked);
            });
        }
        self.disk.own.last = Some((nodes.own, env.unix_ms));
        outside.observer.use_1_written(self.process.machine);
    }

    /// Tells the checks what dies with the process: it may have booked that since its last report.
    pub(super) fn tell_unreported(&mut self, outside: &mut OutsideWorld) {
        let (settings, nodes) = (Arc::clone(&self.settings), Arc::clone(&self.nodes));
        let env = self.env(outside, &settings, &nodes);
        let mut last = self.disk.own.tenants.clone();
        for shard in &mut self.shards {
            shard.report_usage(&env, |report| {
                let observer = &mut outside.observer;
                observer.use_1_unreported(&report.tenant, &report.added);
                last.insert(report.tenant, report.unbooked);
            });
        }
        for (tenant, unbooked) in &last {
            let ms = env.unix_ms.saturating_sub(unbooked.timed_unix_ms);
            let time = unbooked.sockets.time(ms);
            outside.observer.use_1_unreported(tenant, &time);
        }
    }

    fn recover(&mut self, outside: &mut OutsideWorld) {
        if let Some((tenant, record)) = self.disk.dead.front()
            && !self.disk.is_asking
        {
            self.disk.is_asking = true;
            outside.book(self.process, tenant.clone(), record.clone());
        }
    }

    /// The store answered about the first record that dead processes left.
    pub(super) fn recovered(&mut self, is_booked: bool) {
        self.disk.is_asking = false;
        if is_booked {
            self.disk.dead.pop_front();
        }
    }

    fn watch_hours(&mut self, outside: &mut OutsideWorld) {
        let (settings, nodes) = (Arc::clone(&self.settings), Arc::clone(&self.nodes));
        let env = self.env(outside, &settings, &nodes);
        let shards = self.shards.iter();
        let oldest = shards.filter_map(|shard| shard.oldest_unbooked(&env));
        let dead = self.disk.dead.iter().map(|(_, record)| record.hour);
        let now = UsageHour::of(env.unix_ms);
        let flushed = oldest.chain(dead).min().unwrap_or(now).min(now);
        self.node_input(outside, NodeInput::Flushed(flushed));
    }

    /// Up to which hour this node knows everything to be booked.
    pub(crate) fn flushed(&self) -> UsageHour {
        self.node.view().flushed()
    }

    /// How much of usage is not booked: tenants of this process, and records of those before.
    pub(crate) fn unbooked(&self) -> (bool, usize) {
        let has_unbooked = self.shards.iter().any(|shard| shard.has_unbooked());
        (has_unbooked, self.disk.dead.len())
    }
}
