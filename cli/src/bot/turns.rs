//! The order of work: messages of one sender run one after the other, those of several senders at the same time.

use std::collections::{BTreeMap, VecDeque};

/// Work that waits or runs, by who asked.
///
/// Shape: at most `running_max` at once, at most `waiting_max` besides. Full: [`push`](Self::push)
/// gives the work back. A sender with several waits behind the others after each of them.
pub struct SenderTurns<K, T> {
    /// Whoever has work that waits or runs.
    senders: BTreeMap<K, VecDeque<T>>,
    /// Those of them whose first may start, in order.
    ready: VecDeque<K>,
    running: usize,
    running_max: usize,
    waiting: usize,
    waiting_max: usize,
}

impl<K: Ord + Clone, T> SenderTurns<K, T> {
    /// Nobody waits.
    pub fn new(running_max: usize, waiting_max: usize) -> Self {
        Self {
            senders: BTreeMap::new(),
            ready: VecDeque::new(),
            running: 0,
            running_max,
            waiting: 0,
            waiting_max,
        }
    }

    /// Adds work of a sender. Errors: the work, if too much waits.
    pub fn push(&mut self, sender: K, work: T) -> Result<(), T> {
        if self.waiting >= self.waiting_max {
            return Err(work);
        }
        self.waiting += 1;
        let waiting = self.senders.entry(sender.clone()).or_insert_with(|| {
            self.ready.push_back(sender);
            VecDeque::new()
        });
        waiting.push_back(work);
        Ok(())
    }

    /// Work that starts now, if any may.
    pub fn start(&mut self) -> Option<(K, T)> {
        if self.running >= self.running_max {
            return None;
        }
        let sender = self.ready.pop_front()?;
        let work = self.senders.get_mut(&sender)?.pop_front()?;
        self.waiting -= 1;
        self.running += 1;
        Some((sender, work))
    }

    /// What a sender had running has ended.
    pub fn ended(&mut self, sender: K) {
        self.running -= 1;
        if self.senders.get(&sender).is_some_and(VecDeque::is_empty) {
            self.senders.remove(&sender);
        } else {
            self.ready.push_back(sender);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_of_a_sender_and_several_of_many() {
        let mut turns = SenderTurns::new(2, 9);
        for work in ["a1", "a2", "b1", "c1"] {
            turns.push(&work[..1], work).unwrap();
        }
        assert_eq!(turns.start(), Some(("a", "a1")));
        assert_eq!(turns.start(), Some(("b", "b1")));
        assert_eq!(turns.start(), None, "two run");
        turns.ended("a");
        assert_eq!(turns.start(), Some(("c", "c1")), "a waits behind c");
        turns.ended("b");
        assert_eq!(turns.start(), Some(("a", "a2")));
        turns.ended("a");
        turns.ended("c");
        assert_eq!(turns.start(), None);
        assert!(turns.senders.is_empty() && turns.ready.is_empty());
    }

    #[test]
    fn a_sender_whose_work_runs_starts_nothing_more() {
        let mut turns = SenderTurns::new(2, 9);
        turns.push("a", "a1").unwrap();
        assert_eq!(turns.start(), Some(("a", "a1")));
        turns.push("a", "a2").unwrap();
        assert_eq!(turns.start(), None);
        turns.ended("a");
        assert_eq!(turns.start(), Some(("a", "a2")));
    }

    #[test]
    fn too_much_comes_back() {
        let mut turns = SenderTurns::new(1, 2);
        turns.push("a", 1).unwrap();
        assert!(turns.start().is_some());
        turns.push("a", 2).unwrap();
        turns.push("b", 3).unwrap();
        assert_eq!(turns.push("c", 4), Err(4));
        turns.ended("a");
        assert_eq!(turns.start(), Some(("b", 3)));
        turns.push("c", 5).unwrap();
    }
}
