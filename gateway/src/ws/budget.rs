//! Byte budgets: how much memory all connections of a client id, a tenant or a node may hold at once.
//!
//! ```text
//!  socket ─▶ client id ─▶ tenant ─▶ pool of the node
//! ```
//!
//! A budget is a counter with a limit and something above it: what a tenant takes, its node's pool
//! gives too. It allocates nothing; it only says no. The last part of a [`BudgetPool`] is a reserve for
//! tenants that hold less than a share: those who hold more cannot make it say no to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A shared limit of bytes; clones count together.
#[derive(Debug, Clone)]
pub struct Budget(Arc<BudgetNode>);

#[derive(Debug)]
struct BudgetNode {
    used: AtomicU64,
    limit: AtomicU64,
    above: ParentBudget,
}

#[derive(Debug)]
enum ParentBudget {
    Nothing,
    Budget(Budget),
    Pool(BudgetPool),
}

/// What all tenants of a node share; clones count together.
#[derive(Debug, Clone)]
pub(crate) struct BudgetPool(Arc<PoolInner>);

#[derive(Debug)]
struct PoolInner {
    used: AtomicU64,
    limit: u64,
    /// Which part of `limit` every holder may take from.
    common: u64,
    share: u64,
}

impl BudgetPool {
    /// Makes a pool of `limit` bytes, half of it a reserve for holders of at most `share` bytes.
    pub fn new(limit: u64, share: u64) -> Self {
        Self::with_reserve(limit, limit / 2, share)
    }

    /// Makes a pool of which so much is a reserve for holders of at most `share`.
    pub(crate) fn with_reserve(limit: u64, reserve: u64, share: u64) -> Self {
        Self(Arc::new(PoolInner {
            used: AtomicU64::new(0),
            limit,
            common: limit - reserve,
            share,
        }))
    }

    /// Takes `bytes` for a holder that has `held` of them then.
    fn try_take(&self, bytes: u64, held: u64) -> bool {
        let most = match held <= self.0.share {
            true => self.0.limit,
            false => self.0.common,
        };
        raise(&self.0.used, bytes, most)
    }

    /// Bytes that must be shed now: all but three quarters of the common part, once seven eighths
    /// of it are used; 0 before.
    pub(crate) fn excess(&self) -> u64 {
        let eighth = self.0.common / 8;
        let used = self.used();
        match used > 7 * eighth {
            true => used - 6 * eighth,
            false => 0,
        }
    }

    /// What a holder may have when the common part is used up, bytes.
    pub fn share(&self) -> u64 {
        self.0.share
    }

    /// Bytes taken and not given back.
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Whether so many eighths of what a holder of `held` bytes can have are not used.
    fn has_left(&self, eighths: u64, held: u64) -> bool {
        held <= self.0.share || self.used() <= self.0.common - self.0.common / 8 * eighths
    }
}

/// Adds `bytes` unless there would be more than `most`.
fn raise(used: &AtomicU64, bytes: u64, most: u64) -> bool {
    let raised = used.try_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
        used.checked_add(bytes).filter(|total| *total <= most)
    });
    raised.is_ok()
}

impl Budget {
    /// Makes a budget of `limit` bytes; what it grants is also taken from `parent`.
    pub fn new(limit: u64, parent: Option<Budget>) -> Self {
        Self::under(
            limit,
            parent.map_or(ParentBudget::Nothing, ParentBudget::Budget),
        )
    }

    /// Makes a holder of a pool that takes at most `limit` bytes.
    pub(crate) fn in_pool(limit: u64, pool: &BudgetPool) -> Self {
        Self::under(limit, ParentBudget::Pool(pool.clone()))
    }

    fn under(limit: u64, above: ParentBudget) -> Self {
        Self(Arc::new(BudgetNode {
            used: AtomicU64::new(0),
            limit: AtomicU64::new(limit),
            above,
        }))
    }

    /// Grants at most so many bytes from now on. What is taken stays.
    pub(crate) fn set_limit(&self, limit: u64) {
        self.0.limit.store(limit, Ordering::Relaxed);
    }

    fn limit(&self) -> u64 {
        self.0.limit.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, or nothing at all if this budget or what is above it has not that much left.
    pub(crate) fn try_take(&self, bytes: u64) -> bool {
        self.take_up_to(bytes, 8)
    }

    /// The same, of so many eighths of each budget; a pool has its own rule.
    fn take_up_to(&self, bytes: u64, eighths: u64) -> bool {
        let most = self.limit() - self.limit() / 8 * (8 - eighths);
        if !raise(&self.0.used, bytes, most) {
            return false;
        }
        let above = match &self.0.above {
            ParentBudget::Nothing => true,
            ParentBudget::Budget(parent) => parent.take_up_to(bytes, eighths),
            ParentBudget::Pool(pool) => pool.try_take(bytes, self.used()),
        };
        if !above {
            self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        above
    }

    /// Takes one place, if there is one left.
    pub fn place(&self) -> Option<SocketPlace> {
        self.try_take(1).then(|| SocketPlace(self.clone()))
    }

    /// Takes `bytes` that are used already, whether there is room for them or not.
    pub(crate) fn take_anyway(&self, bytes: u64) {
        self.0.used.fetch_add(bytes, Ordering::Relaxed);
        match &self.0.above {
            ParentBudget::Nothing => {}
            ParentBudget::Budget(parent) => parent.take_anyway(bytes),
            ParentBudget::Pool(pool) => drop(pool.0.used.fetch_add(bytes, Ordering::Relaxed)),
        }
    }

    /// Gives back `bytes` that were taken.
    pub fn give(&self, bytes: u64) {
        let before = self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "gave back {bytes} of {before} bytes");
        match &self.0.above {
            ParentBudget::Nothing => {}
            ParentBudget::Budget(parent) => parent.give(bytes),
            ParentBudget::Pool(pool) => drop(pool.0.used.fetch_sub(bytes, Ordering::Relaxed)),
        }
    }

    /// Whether half of it is left, and of all that is above it.
    pub(crate) fn has_half(&self) -> bool {
        self.has_left(4)
    }

    /// Whether a quarter of it is left, and of all that is above it: enough that it makes sense to
    /// try again.
    pub fn has_room(&self) -> bool {
        self.has_left(2)
    }

    fn has_left(&self, eighths: u64) -> bool {
        self.is_below(eighths)
            && match &self.0.above {
                ParentBudget::Nothing => true,
                ParentBudget::Budget(parent) => parent.has_left(eighths),
                ParentBudget::Pool(pool) => pool.has_left(eighths, self.used()),
            }
    }

    fn is_below(&self, eighths: u64) -> bool {
        self.used() <= self.limit() - self.limit() / 8 * eighths
    }

    /// The lowest budget on the way up that is more than half used, if one is.
    pub fn tight(&self) -> Option<&Budget> {
        match (self.is_below(4), &self.0.above) {
            (false, _) => Some(self),
            (true, ParentBudget::Budget(parent)) => parent.tight(),
            (true, ParentBudget::Nothing | ParentBudget::Pool(_)) => None,
        }
    }

    /// Whether what is taken from this budget is also taken from `other`.
    pub(crate) fn counts_for(&self, other: &Budget) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || matches!(&self.0.above, ParentBudget::Budget(parent) if parent.counts_for(other))
    }

    /// Bytes beyond half of it.
    pub(crate) fn beyond_half(&self) -> u64 {
        self.used().saturating_sub(self.limit() / 2)
    }

    /// Bytes taken and not given back.
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }
}

/// One unit of a [`Budget`] that counts places; given back when dropped.
#[derive(Debug)]
pub struct SocketPlace(Budget);

impl Drop for SocketPlace {
    fn drop(&mut self) {
        self.0.give(1);
    }
}

/// What one holder has taken from a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub(crate) struct BudgetCharge {
    budget: Budget,
    bytes: u64,
}

impl BudgetCharge {
    /// Makes a charge of nothing.
    pub fn new(budget: Budget) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Makes the charge `bytes` in all; false, and unchanged, if the budget has not that much left.
    pub fn set(&mut self, bytes: u64) -> bool {
        self.set_up_to(bytes, 8)
    }

    /// The same, but an eighth of every budget is left to others.
    pub(crate) fn set_sparing(&mut self, bytes: u64) -> bool {
        self.set_up_to(bytes, 7)
    }

    fn set_up_to(&mut self, bytes: u64, eighths: u64) -> bool {
        if bytes > self.bytes {
            if !self.budget.take_up_to(bytes - self.bytes, eighths) {
                return false;
            }
        } else if bytes < self.bytes {
            self.budget.give(self.bytes - bytes);
        }
        self.bytes = bytes;
        true
    }

    /// Makes the charge `bytes` in all, whether there is room for them or not.
    pub(crate) fn set_anyway(&mut self, bytes: u64) {
        if bytes > self.bytes {
            self.budget.take_anyway(bytes - self.bytes);
        } else if bytes < self.bytes {
            self.budget.give(self.bytes - bytes);
        }
        self.bytes = bytes;
    }

    /// What it is taken from.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Bytes charged.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for BudgetCharge {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_takes_from_its_parent_and_both_can_refuse() {
        let node = Budget::new(100, None);
        let (one, two) = (
            Budget::new(80, Some(node.clone())),
            Budget::new(80, Some(node.clone())),
        );
        assert!(one.try_take(80));
        assert!(!one.try_take(1), "own limit");
        assert!(!two.try_take(21), "the parent's limit");
        assert_eq!((one.used(), two.used(), node.used()), (80, 0, 80));
        assert!(two.try_take(20));
        one.give(80);
        assert_eq!(node.used(), 20);
        assert!(!two.try_take(u64::MAX), "no overflow");
    }

    #[test]
    fn large_holders_cannot_take_the_reserve_of_small_ones() {
        let pool = BudgetPool::new(100, 10);
        let large = Budget::in_pool(80, &pool);
        while large.try_take(5) {}
        assert_eq!((large.used(), pool.used()), (50, 50), "half");
        let small: Vec<Budget> = (0..6).map(|_| Budget::in_pool(80, &pool)).collect();
        for budget in &small[..5] {
            assert!(
                budget.try_take(10) && !budget.try_take(1),
                "its share, no more"
            );
            assert!(budget.has_half() && !large.has_room());
        }
        assert!(!small[5].try_take(1), "the pool is full");
        large.take_anyway(40);
        assert_eq!(pool.used(), 140);
        large.give(40);
        assert_eq!((pool.used(), pool.excess()), (100, 100 - 36));
    }

    #[test]
    fn sparing_charges_leave_an_eighth_to_the_others() {
        let tenant = Budget::new(80, None);
        let client = Budget::new(800, Some(tenant.clone()));
        let (mut one, mut two) = (BudgetCharge::new(client.clone()), BudgetCharge::new(client));
        assert!(one.set_sparing(70) && !one.set_sparing(71));
        assert!(two.set(10) && !two.set(11));
        assert_eq!(tenant.used(), 80);
    }

    #[test]
    fn the_lowest_tight_budget_is_found() {
        let tenant = Budget::new(100, None);
        let client = Budget::new(40, Some(tenant.clone()));
        let other = Budget::new(100, Some(tenant.clone()));
        assert!(client.tight().is_none());
        assert!(other.try_take(60));
        let tight = client.tight().unwrap();
        assert!(other.counts_for(tight) && tight.counts_for(&tenant));
        assert!(client.try_take(21));
        let tight = client.tight().unwrap();
        assert!(!other.counts_for(tight));
        assert_eq!((tight.beyond_half(), tenant.beyond_half()), (1, 31));
    }

    #[test]
    fn a_charge_is_given_back_when_dropped() {
        let budget = Budget::new(10, None);
        let mut charge = BudgetCharge::new(budget.clone());
        assert!(charge.set(7) && charge.set(3) && !charge.set(11));
        assert_eq!((charge.bytes(), budget.used()), (3, 3));
        drop(charge);
        assert_eq!(budget.used(), 0);
    }
}
