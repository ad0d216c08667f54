//! The evicted nodes: boot ids that never return, for as long as anybody may still name them.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::BootId;

use super::times::{DEAD_KEPT_MS, DEAD_MAX};
use crate::check;
use crate::env::Millis;
use crate::invariant::Invariant;

/// Who was evicted, and when it was last certain.
#[derive(Debug, Default)]
pub(super) struct DeadNodes(BTreeMap<BootId, Millis>);

impl DeadNodes {
    pub(super) fn contains(&self, boot: BootId) -> bool {
        self.0.contains_key(&boot)
    }

    /// Remembers one from now on, again if need be. Full: the one remembered longest goes.
    pub(super) fn insert(&mut self, now_ms: Millis, boot: BootId) {
        self.0.insert(boot, now_ms);
        if self.0.len() > DEAD_MAX {
            let oldest = self.0.iter().min_by_key(|(_, since_ms)| **since_ms);
            let oldest = *oldest.expect("it holds more than DEAD_MAX").0;
            self.0.remove(&oldest);
        }
        check!(
            Invariant::Bounded,
            self.0.len() <= DEAD_MAX,
            "{} dead are remembered",
            self.0.len()
        );
    }

    /// Forgets those who were evicted long ago. Returns whether there were any.
    pub(super) fn forget(&mut self, now_ms: Millis) -> bool {
        let before = self.0.len();
        self.0
            .retain(|_, since_ms| now_ms < *since_ms + DEAD_KEPT_MS);
        self.0.len() < before
    }

    /// All of them, ascending.
    pub(super) fn list(&self) -> Arc<[BootId]> {
        self.0.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dead_are_kept_for_ten_minutes_since_last_certain() {
        let [a, b] = [1, 2].map(BootId::from_bits);
        let mut dead = DeadNodes::default();
        dead.insert(0, a);
        dead.insert(0, b);
        dead.insert(1000, b);
        assert!(!dead.forget(DEAD_KEPT_MS - 1));
        assert!(dead.forget(DEAD_KEPT_MS));
        assert_eq!(*dead.list(), [b]);
        assert!(dead.forget(DEAD_KEPT_MS + 1000));
        assert!(!dead.contains(b));
    }

    #[test]
    fn when_full_the_oldest_goes() {
        let mut dead = DeadNodes::default();
        let boots: Vec<BootId> = (0..=DEAD_MAX as u128)
            .rev()
            .map(BootId::from_bits)
            .collect();
        for (now_ms, boot) in boots.iter().enumerate() {
            dead.insert(now_ms as Millis, *boot);
        }
        assert_eq!(dead.list().len(), DEAD_MAX);
        assert!(!dead.contains(boots[0]) && dead.contains(boots[1]));
        dead.insert(DEAD_MAX as Millis + 1, boots[1]);
        assert_eq!(dead.list().len(), DEAD_MAX);
    }
}
