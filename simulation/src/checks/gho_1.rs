//! GHO-1: a dead node's entries are gone from every healthy node's view within 8 s of its healthy
//! time.

use std::collections::BTreeSet;

use protocol::{BootId, TenantId};
use router_core::Millis;

use super::RunObserver;
use crate::machine::SimMachine;

/// The promise, and what a look every half second adds, milliseconds.
const GHOST_MS: Millis = 8_500;

impl RunObserver {
    pub(crate) fn gho_1(&mut self, machine: &SimMachine, tenants: &[TenantId], now_ms: Millis) {
        self.now_ms = now_ms;
        let well_ms = now_ms.saturating_sub(machine.well_since_ms);
        if well_ms < GHOST_MS {
            return;
        }
        for tenant in tenants {
            let Some(replica) = machine.replica(tenant) else {
                continue;
            };
            let holders = replica.bots.iter().filter_map(|it| it.holder.as_ref());
            let boots = holders.map(|holder| holder.boot);
            let boots: BTreeSet<BootId> =
                boots.chain(replica.conns.iter().map(|it| it.1)).collect();
            for boot in boots {
                let ended_ms = self.boots.get(&boot).and_then(|(_, ended_ms)| *ended_ms);
                if ended_ms.is_some_and(|at_ms| at_ms + GHOST_MS <= now_ms) {
                    let node = machine.process.machine;
                    self.fail("GHO-1", &format!("node {node} still has what {boot} held"));
                }
            }
        }
    }
}
