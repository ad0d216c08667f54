//! Idempotency keys that were delivered, for ten minutes or the last 100,000.
//!
//! A key is the 128-bit keyed SipHash of (recipient, sender, `data.messageId`): 16 bytes each
//! instead of three texts, and nobody outside can make two collide.

use std::collections::VecDeque;
use std::hash::Hash;

use hashbrown::HashSet;
use protocol::limits::{DEDUPE_MAX, DEDUPE_MS};
use protocol::{MessageId, Name};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::check;
use crate::env::Millis;
use crate::ids::HashKeys;
use crate::invariant::Invariant;

/// One (recipient, sender, message id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(u128);

#[derive(Debug)]
pub(super) struct Dedupe {
    seen: HashSet<Key, HashKeys>,
    order: VecDeque<(Millis, Key)>,
    keys: HashKeys,
}

impl Dedupe {
    pub fn new(keys: HashKeys) -> Self {
        Self {
            seen: HashSet::with_hasher(keys),
            order: VecDeque::new(),
            keys,
        }
    }

    pub fn key(&self, recipient: &Name, sender: &Name, message: &MessageId) -> Key {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        (recipient, sender, message).hash(&mut hasher);
        Key(hasher.finish128().as_u128())
    }

    pub fn contains(&mut self, key: &Key, now_ms: Millis) -> bool {
        self.forget(now_ms);
        self.seen.contains(key)
    }

    /// Remembers a key; says whether it is a new one.
    pub fn insert(&mut self, key: Key, now_ms: Millis) -> bool {
        if self.order.len() >= DEDUPE_MAX
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        let is_new = self.seen.insert(key);
        if is_new {
            self.order.push_back((now_ms, key));
        }
        check!(
            Invariant::Bounded,
            self.order.len() <= DEDUPE_MAX && self.order.len() == self.seen.len(),
            "{} keys are remembered",
            self.seen.len()
        );
        is_new
    }

    pub fn forget(&mut self, now_ms: Millis) {
        while let Some((at_ms, key)) = self.order.front()
            && now_ms.saturating_sub(*at_ms) >= DEDUPE_MS
        {
            self.seen.remove(key);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(dedupe: &Dedupe, to: &str, from: &str, id: &str) -> Key {
        let (to, from) = (Name::parse(to).unwrap(), Name::parse(from).unwrap());
        dedupe.key(&to, &from, &MessageId::parse(id).unwrap())
    }

    #[test]
    fn a_key_is_all_three_and_lasts_ten_minutes() {
        let mut dedupe = Dedupe::new(HashKeys(1, 2));
        let seen = key(&dedupe, "a", "b", "1");
        dedupe.insert(seen, 1000);
        for other in [
            key(&dedupe, "b", "a", "1"),
            key(&dedupe, "a", "b", "2"),
            key(&dedupe, "ab", "b", "1"),
        ] {
            assert!(!dedupe.contains(&other, 1000));
        }
        assert!(dedupe.contains(&seen, 1000 + DEDUPE_MS - 1));
        assert!(!dedupe.contains(&seen, 1000 + DEDUPE_MS));
        assert!(dedupe.seen.is_empty() && dedupe.order.is_empty());
    }

    #[test]
    fn the_oldest_goes_first_when_there_are_too_many() {
        let mut dedupe = Dedupe::new(HashKeys(1, 2));
        for i in 0..=DEDUPE_MAX {
            dedupe.insert(key(&dedupe, "a", "b", &i.to_string()), 5);
        }
        assert_eq!(dedupe.seen.len(), DEDUPE_MAX);
        let (first, second) = (key(&dedupe, "a", "b", "0"), key(&dedupe, "a", "b", "1"));
        assert!(!dedupe.contains(&first, 5) && dedupe.contains(&second, 5));
    }
}
