//! A sorted map that costs next to nothing while it is small.
//!
//! Most tenants have one to three connections, bots and clients: up to `N` entries lie in the map
//! itself, up to eight in one list, more in a tree; an empty one holds no memory, as a `BTreeMap` does
//! that was not always empty. Values should be small, or boxed: they are moved when others come and
//! go. Iteration is in key order.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Bound;

use smallvec::SmallVec;

/// With more entries than these a tree is faster than a list.
const LIST_MAX: usize = 8;

/// Either all entries are in `list`, or all are in `tree`.
#[derive(Debug, Clone)]
pub(crate) struct SmallMap<K, V, const N: usize> {
    list: SmallVec<[(K, V); N]>,
    #[expect(
        clippy::box_collection,
        reason = "most have none, and all pay for its place"
    )]
    tree: Option<Box<BTreeMap<K, V>>>,
}

impl<K, V, const N: usize> Default for SmallMap<K, V, N> {
    fn default() -> Self {
        Self {
            list: SmallVec::new(),
            tree: None,
        }
    }
}

impl<K: Ord, V, const N: usize> SmallMap<K, V, N> {
    pub fn len(&self) -> usize {
        self.tree
            .as_ref()
            .map_or(self.list.len(), |tree| tree.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where a key is in the list, or belongs.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.list.binary_search_by(|(it, _)| it.borrow().cmp(key))
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match &self.tree {
            None => self.find(key).ok().map(|at| &self.list[at].1),
            Some(tree) => tree.get(key),
        }
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let found = self.find(key);
        match &mut self.tree {
            None => found.ok().map(|at| &mut self.list[at].1),
            Some(tree) => tree.get_mut(key),
        }
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.list.len() == LIST_MAX && self.find(&key).is_err() {
            let list = std::mem::take(&mut self.list);
            self.tree = Some(Box::new(list.into_iter().collect()));
        }
        if let Some(tree) = &mut self.tree {
            return tree.insert(key, value);
        }
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.list[at].1, value)),
            Err(at) => {
                self.list.insert(at, (key, value));
                None
            }
        }
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let Some(tree) = &mut self.tree else {
            let at = self.find(key).ok()?;
            let (_, value) = self.list.remove(at);
            if self.list.is_empty() {
                self.list = SmallVec::new();
            }
            return Some(value);
        };
        let removed = tree.remove(key);
        if tree.is_empty() {
            self.tree = None;
        }
        removed
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.list.retain(|(key, value)| keep(key, value));
        if let Some(tree) = &mut self.tree {
            tree.retain(keep);
        }
        self.tree.take_if(|tree| tree.is_empty());
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let list = self.list.iter().map(|(key, value)| (key, value));
        list.chain(self.tree.iter().flat_map(|tree| tree.iter()))
    }

    /// Those behind a key; absent: all.
    pub fn iter_after(&self, key: Option<&K>) -> impl Iterator<Item = (&K, &V)> {
        let start = key.map_or(0, |key| self.find(key).map_or_else(|at| at, |at| at + 1));
        let list = self.list[start..].iter().map(|(key, value)| (key, value));
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        let tree = self.tree.iter();
        list.chain(tree.flat_map(move |tree| tree.range((from, Bound::Unbounded))))
    }

    /// Those from a key on.
    pub fn iter_mut_from(&mut self, key: K) -> impl Iterator<Item = (&K, &mut V)> {
        let start = self.find(&key).unwrap_or_else(|at| at);
        let list = self.list[start..]
            .iter_mut()
            .map(|(key, value)| (&*key, value));
        list.chain(self.tree.iter_mut().flat_map(move |tree| {
            // The bound is taken by value: one call, one tree.
            tree.range_mut((Bound::Included(&key), Bound::Unbounded))
        }))
    }
}

impl<K: Ord + Clone, V: Default, const N: usize> SmallMap<K, V, N> {
    /// The value of a key, which is made if there is none.
    pub fn or_default(&mut self, key: &K) -> &mut V {
        if !self.contains_key(key) {
            self.insert(key.clone(), V::default());
        }
        self.get_mut(key).expect("it is there or was inserted")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u8),
        Remove(u8),
        OrDefault(u8),
        Retain(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..24_u8).prop_map(Step::Insert),
            6 => (0..24_u8).prop_map(Step::Remove),
            1 => (0..24_u8).prop_map(Step::OrDefault),
            1 => (1..4_u8).prop_map(Step::Retain),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_map(steps in proptest::collection::vec(step(), 0..120)) {
            let mut small: SmallMap<u8, usize, 2> = SmallMap::default();
            let mut model = BTreeMap::new();
            for (value, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Insert(key) => {
                        prop_assert_eq!(small.insert(key, value), model.insert(key, value));
                    }
                    Step::Remove(key) => prop_assert_eq!(small.remove(&key), model.remove(&key)),
                    Step::OrDefault(key) => {
                        prop_assert_eq!(small.or_default(&key), model.entry(key).or_default());
                    }
                    Step::Retain(of) => {
                        small.retain(|key, _| key % 4 < of);
                        model.retain(|key, _| key % 4 < of);
                    }
                }
                prop_assert_eq!((small.len(), small.is_empty()), (model.len(), model.is_empty()));
                prop_assert!(small.iter().eq(model.iter()));
                prop_assert!(small.keys().eq(model.keys()) && small.values().eq(model.values()));
                prop_assert!(small.iter_after(None).eq(model.iter()));
                for key in 0..25 {
                    prop_assert_eq!(small.get(&key), model.get(&key));
                    prop_assert_eq!(small.get_mut(&key), model.get_mut(&key));
                    let behind = (Bound::Excluded(&key), Bound::Unbounded);
                    prop_assert!(small.iter_after(Some(&key)).eq(model.range(behind)));
                    prop_assert!(small.iter_mut_from(key).eq(model.range_mut(key..)));
                }
            }
        }
    }
}
