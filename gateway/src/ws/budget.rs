//! Byte budgets: how much memory all connections of a tenant, or of a node, may hold at once.
//!
//! A budget is a counter with a limit and, if it has one, a parent: what a tenant takes, its node
//! takes too. It reserves nothing and allocates nothing; it only says no.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A shared limit of bytes; clones count together.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    used: AtomicU64,
    limit: u64,
    parent: Option<Budget>,
}

impl Budget {
    /// Makes a budget of `limit` bytes; what it grants is also taken from `parent`.
    pub fn new(limit: u64, parent: Option<Budget>) -> Self {
        Self(Arc::new(Inner {
            used: AtomicU64::new(0),
            limit,
            parent,
        }))
    }

    /// Takes `bytes`, or nothing at all if this budget or a parent has not that much left.
    pub fn try_take(&self, bytes: u64) -> bool {
        let granted = self
            .0
            .used
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes)
                    .filter(|total| *total <= self.0.limit)
            });
        if granted.is_err() {
            return false;
        }
        let above = self
            .0
            .parent
            .as_ref()
            .is_none_or(|parent| parent.try_take(bytes));
        if !above {
            self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        above
    }

    /// Gives back `bytes` that were taken.
    pub fn give(&self, bytes: u64) {
        let before = self.0.used.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "gave back {bytes} of {before} bytes");
        if let Some(parent) = &self.0.parent {
            parent.give(bytes);
        }
    }

    /// Bytes taken and not given back.
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }
}

/// What one holder has taken from a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Budget,
    bytes: u64,
}

impl Charge {
    /// Makes a charge of nothing.
    pub fn new(budget: Budget) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Makes the charge `bytes` in all; false, and unchanged, if the budget has not that much left.
    pub fn set(&mut self, bytes: u64) -> bool {
        if bytes > self.bytes {
            if !self.budget.try_take(bytes - self.bytes) {
                return false;
            }
        } else if bytes < self.bytes {
            self.budget.give(self.bytes - bytes);
        }
        self.bytes = bytes;
        true
    }

    /// Bytes charged.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Charge {
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
    fn a_charge_is_given_back_when_dropped() {
        let budget = Budget::new(10, None);
        let mut charge = Charge::new(budget.clone());
        assert!(charge.set(7) && charge.set(3) && !charge.set(11));
        assert_eq!((charge.bytes(), budget.used()), (3, 3));
        drop(charge);
        assert_eq!(budget.used(), 0);
    }
}
