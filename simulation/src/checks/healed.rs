//! Fifteen seconds after the last fault: nothing is held, owed or undecided, every replica is what
//! the store says, the store says what is true, and everybody reaches everybody.

use std::collections::BTreeMap;

use protocol::{BootId, ConnectionId, TenantId};
use router_core::Millis;
use router_core::shard::Replica;
use router_core::store::DirectorySnapshot;

use super::RunObserver;
use crate::machine::SimMachine;

/// The guarantee's name in failures.
const HEALED: &str = "HEALED";

impl RunObserver {
    /// One tenant's replica on one node.
    pub(crate) fn healed_replica(
        &mut self,
        machine: &SimMachine,
        tenant: &TenantId,
        stored: &DirectorySnapshot,
    ) {
        let node = machine.process.machine;
        let Some(replica) = machine.replica(tenant) else {
            return;
        };
        let undone = [
            ("deliveries", replica.deliveries),
            ("flows", replica.flows),
            ("undecided messages", replica.undecided as usize),
            ("owed", replica.owed),
        ];
        for (what, count) in undone {
            if count > 0 {
                let what = format!("node {node} has {count} {what} of {tenant}");
                self.fail(HEALED, &what);
            }
        }
        if let Some(what) = difference(&replica, stored) {
            self.fail(HEALED, &format!("node {node}, {tenant}: {what}"));
        }
    }

    /// What the store says of a tenant, against what peers were told.
    pub(crate) fn healed_store(
        &mut self,
        tenant: usize,
        stored: &DirectorySnapshot,
        now_ms: Millis,
    ) {
        self.now_ms = now_ms;
        let open = self.conns.values();
        let open = open.filter(|conn| !conn.closed && conn.greeted && conn.tenant == tenant);
        let mut held: BTreeMap<String, ConnectionId> = BTreeMap::new();
        let mut conns: BTreeMap<ConnectionId, BootId> = BTreeMap::new();
        let mut twice = None;
        for conn in open {
            let mut lives = self.boots.iter();
            let own = lives.find(|(_, (of, ended))| *of == conn.process && ended.is_none());
            if let Some((boot, _)) = own {
                conns.insert(conn.id, *boot);
            }
            for bot in conn.bots.keys() {
                if held.insert(bot.clone(), conn.id).is_some() {
                    twice = Some(bot.clone());
                }
            }
        }
        if let Some(bot) = twice {
            return self.fail(HEALED, &format!("{bot} of tenant {tenant} has two homes"));
        }
        let stored_conns = stored.conns.iter().map(|(id, it)| (*id, it.boot));
        let stored_conns: BTreeMap<ConnectionId, BootId> = stored_conns.collect();
        if stored_conns != conns {
            let what = format!("tenant {tenant}: the store has {stored_conns:?}, not {conns:?}");
            return self.fail(HEALED, &what);
        }
        let stored_held = stored.bots.iter().filter_map(|bot| {
            let conn = bot.holder.as_ref()?.conn;
            Some((bot.info.id.as_str().to_owned(), conn))
        });
        let stored_held: BTreeMap<String, ConnectionId> = stored_held.collect();
        if stored_held != held {
            let what = format!("tenant {tenant}: the store has {stored_held:?}, not {held:?}");
            self.fail(HEALED, &what);
        }
    }
}

fn difference(replica: &Replica, stored: &DirectorySnapshot) -> Option<String> {
    if replica.ver != stored.ver {
        return Some(format!("ver {}, not {}", replica.ver, stored.ver));
    }
    let bots = stored.bots.iter();
    let bots = bots.map(|bot| (bot.info.id.clone(), bot.epoch, bot.holder.clone()));
    let own = replica.bots.iter();
    let own = own.map(|bot| (bot.id.clone(), bot.epoch, bot.holder.clone()));
    let (bots, own): (Vec<_>, Vec<_>) = (bots.collect(), own.collect());
    if bots != own {
        return Some(format!("bots {own:?}, not {bots:?}"));
    }
    let conns = stored.conns.iter().map(|(id, it)| (*id, it.boot));
    let conns: Vec<(ConnectionId, BootId)> = conns.collect();
    (conns != replica.conns).then(|| format!("conns {:?}, not {conns:?}", replica.conns))
}
