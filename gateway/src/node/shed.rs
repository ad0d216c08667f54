//! Gives memory back when it runs short: the largest holder loses first.
//!
//! | runs short | loses | until |
//! | --- | --- | --- |
//! | the common part of the outbound pool: seven eighths | the tenant with the most bytes: its sockets with the longest queues, 4408 | three quarters |
//! | the common part of the assembly pool: seven eighths | the same for messages under way, 1013 | three quarters |
//! | the budget of a tenant or client id: nothing left for 10 s | its own sockets with the longest queues, 4408 | half |
//!
//! The ticker does it, one shard at a time, so that a push never waits for it. Until then other
//! tenants push into the reserve of the pool.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::{CloseCode, TenantId};

use super::core::Node;
use super::entry::ConnectionEntry;
use super::tenant_budgets::{SocketOwner, TenantBudgets};
use super::work::DeferredWork;
use crate::ws::{Budget, BudgetPool};

/// Tenants that lose in one look at a pool, at most: the next look comes 50 ms later.
const TENANTS_MAX: usize = 16;

/// Which memory runs short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScarceMemory {
    Outbound,
    Assembly,
}

impl ScarceMemory {
    fn budget(self, own: &TenantBudgets) -> &Budget {
        match self {
            ScarceMemory::Outbound => &own.outbound,
            ScarceMemory::Assembly => &own.assembly,
        }
    }

    /// What a connection would give back.
    fn held(self, entry: &ConnectionEntry) -> usize {
        match self {
            ScarceMemory::Outbound => entry.socket.backlog().1 + entry.socket.kernel_bytes(),
            ScarceMemory::Assembly => entry.socket.assembling(),
        }
    }

    fn close(self, entry: &ConnectionEntry) -> bool {
        match self {
            ScarceMemory::Outbound => entry.socket.shed(CloseCode::SlowConsumer),
            ScarceMemory::Assembly => entry.socket.shed(CloseCode::TryLater),
        }
    }

    fn word(self) -> &'static str {
        match self {
            ScarceMemory::Outbound => "outbound",
            ScarceMemory::Assembly => "assembly",
        }
    }
}

impl Node {
    /// Takes from the largest holders what the pools are short of.
    pub(super) fn shed_excess(&self) {
        for (short, pool) in [
            (ScarceMemory::Outbound, &self.pools.outbound),
            (ScarceMemory::Assembly, &self.pools.assembly),
        ] {
            if pool.excess() > 0 {
                self.shed_largest(short, pool);
            }
        }
    }

    fn shed_largest(&self, short: ScarceMemory, pool: &BudgetPool) {
        let mut holders = self.holders(short, pool.share());
        // What is closed is given back when its task comes to it, so what was shed is counted here.
        let mut excess = pool.excess();
        while excess > 0
            && let Some((used, tenant)) = holders.pop()
        {
            self.shed_tenant(short, &tenant, None, excess);
            // A tenant may hold memory that no socket can give back: bodies of HTTP requests. Those
            // end by themselves, and a smaller holder does not lose a socket for them.
            excess = excess.saturating_sub(used - pool.share());
        }
    }

    /// The largest holders, the largest last; those below their share are left alone.
    fn holders(&self, short: ScarceMemory, share: u64) -> Vec<(u64, TenantId)> {
        let mut holders = Vec::new();
        for cell in self.shards.cells() {
            let state = cell.lock();
            #[expect(clippy::iter_over_hash_type, reason = "sorted below")]
            for (tenant, own) in &state.budgets {
                let used = short.budget(own).used();
                if used > share {
                    holders.push((used, tenant.clone()));
                }
            }
        }
        holders.sort_unstable();
        holders.drain(..holders.len().saturating_sub(TENANTS_MAX));
        holders
    }

    /// Budgets above these connections have had no room for long: their slowest sockets lose.
    pub(super) fn shed_for(&self, starved: Vec<Arc<ConnectionEntry>>) {
        let mut shed = BTreeSet::new();
        for entry in starved {
            // One look a tenant: thousands of its sockets may starve at once.
            if entry
                .owner
                .get()
                .is_some_and(|owner| shed.insert(owner.tenant().clone()))
            {
                self.shed_above(&entry);
            }
        }
    }

    fn shed_above(&self, entry: &ConnectionEntry) {
        let budget = entry.socket.budget();
        if let (Some(owner), Some(tight)) = (entry.owner.get(), budget.tight()) {
            self.shed_tenant(
                ScarceMemory::Outbound,
                owner.tenant(),
                Some(tight),
                tight.beyond_half(),
            );
        }
    }

    /// Closes a tenant's sockets, those that hold most first, until so much is given back. `of`: only
    /// those whose bytes count for this budget.
    fn shed_tenant(
        &self,
        short: ScarceMemory,
        tenant: &TenantId,
        of: Option<&Budget>,
        wanted: u64,
    ) {
        let mut work = DeferredWork::default();
        let (mut freed, mut closed) = (0, 0u64);
        for (held, entry) in self.sockets_of(short, tenant, of).into_iter().rev() {
            if freed >= wanted {
                break;
            }
            freed += held as u64;
            closed += u64::from(short.close(&entry));
            work.touch(&entry);
        }
        self.finish(&mut work);
        if closed > 0 {
            match short {
                ScarceMemory::Outbound => self.metrics.shed_outbound.increment(closed),
                ScarceMemory::Assembly => self.metrics.shed_assembly.increment(closed),
            }
            if self.shed_log.is_new(tenant, self.now_ms()) {
                let pool = short.word();
                tracing::warn!(%tenant, pool, closed, freed, "memory ran short: sockets closed");
            }
        }
    }

    /// A tenant's sockets that hold something, those that hold most last.
    fn sockets_of(
        &self,
        short: ScarceMemory,
        tenant: &TenantId,
        of: Option<&Budget>,
    ) -> Vec<(usize, Arc<ConnectionEntry>)> {
        let state = self.shards.lock_of(tenant);
        let of_tenant = state.connections.values().filter(|entry| {
            let counts = of.is_none_or(|of| entry.socket.budget().counts_for(of));
            let is_own = |owner: &SocketOwner| owner.tenant() == tenant;
            entry.owner.get().is_some_and(is_own) && counts
        });
        let mut sockets: Vec<(usize, Arc<ConnectionEntry>)> = of_tenant
            .map(|entry| (short.held(entry), Arc::clone(entry)))
            .filter(|(held, _)| *held > 0)
            .collect();
        sockets.sort_by_key(|(held, entry)| (*held, entry.key));
        sockets
    }
}
