//! The reference meaning of what nodes ask about each other.

use std::collections::BTreeMap;

use protocol::{BootId, UsageHour};

use super::hello::{HELLO_KEPT_MS, NodeHello};
use super::reply::NodeReply;
use super::request::NodeQuery;
use crate::env::Millis;

/// The store's records of nodes, in memory.
#[derive(Debug, Clone, Default)]
pub struct NodesModel {
    generation: Option<u64>,
    beats: BTreeMap<BootId, u64>,
    flushed: BTreeMap<BootId, UsageHour>,
    hellos: BTreeMap<BootId, (NodeHello, Millis)>,
}

impl NodesModel {
    /// Answers one query. `now_ms`: the store's own time.
    pub fn execute(&mut self, now_ms: Millis, ask: &NodeQuery) -> NodeReply {
        self.hellos
            .retain(|_, (_, said_ms)| now_ms < *said_ms + HELLO_KEPT_MS);
        match ask {
            NodeQuery::Beat {
                boot,
                beat,
                known_generation,
                fresh_generation,
                flushed,
            } => {
                let generation = *self.generation.get_or_insert(*fresh_generation);
                if *known_generation == Some(generation) && !self.beats.contains_key(boot) {
                    return NodeReply::AskerEvicted;
                }
                self.beats.insert(*boot, *beat);
                self.flushed.insert(*boot, *flushed);
                let beats = self.beats.iter().map(|(boot, beat)| (*boot, *beat));
                NodeReply::Beats {
                    generation,
                    beats: beats.collect(),
                    flushed: self.flushed.clone().into_iter().collect(),
                }
            }
            NodeQuery::Evict { boot, beat } => {
                let unchanged = self.beats.get(boot) == Some(beat);
                if unchanged {
                    self.beats.remove(boot);
                    self.flushed.remove(boot);
                }
                NodeReply::Evict(unchanged)
            }
            NodeQuery::Hello { boot, hello } => {
                self.hellos.insert(*boot, (hello.clone(), now_ms));
                NodeReply::Done
            }
            NodeQuery::Describe(boot) => {
                NodeReply::Hello(self.hellos.get(boot).map(|(hello, _)| hello.clone()))
            }
        }
    }

    /// The beat of a node, if it has an entry.
    pub fn beat_of(&self, boot: BootId) -> Option<u64> {
        self.beats.get(&boot).copied()
    }
}

#[cfg(test)]
mod tests {
    use protocol::lane::KeyId;

    use super::*;

    const A: BootId = BootId::from_bits(1);
    const B: BootId = BootId::from_bits(2);
    const HOUR: UsageHour = UsageHour::of(0);

    fn beat(model: &mut NodesModel, boot: BootId, beat: u64, known: Option<u64>) -> NodeReply {
        let ask = NodeQuery::Beat {
            boot,
            beat,
            known_generation: known,
            fresh_generation: 7,
            flushed: HOUR,
        };
        model.execute(0, &ask)
    }

    fn evict(model: &mut NodesModel, boot: BootId, beat: u64) -> NodeReply {
        model.execute(0, &NodeQuery::Evict { boot, beat })
    }

    fn beats(generation: u64, beats: &[(BootId, u64)]) -> NodeReply {
        let flushed = beats.iter().map(|(boot, _)| (*boot, HOUR)).collect();
        NodeReply::Beats {
            generation,
            beats: beats.to_vec(),
            flushed,
        }
    }

    #[test]
    fn a_beat_writes_its_own_and_reads_all() {
        let mut model = NodesModel::default();
        assert_eq!(beat(&mut model, A, 1, None), beats(7, &[(A, 1)]));
        assert_eq!(beat(&mut model, B, 5, None), beats(7, &[(A, 1), (B, 5)]));
        assert_eq!(beat(&mut model, A, 2, Some(7)), beats(7, &[(A, 2), (B, 5)]));
    }

    #[test]
    fn only_an_unchanged_beat_is_evicted_and_only_once() {
        let mut model = NodesModel::default();
        beat(&mut model, A, 1, None);
        beat(&mut model, A, 2, Some(7));
        assert_eq!(evict(&mut model, A, 1), NodeReply::Evict(false));
        assert_eq!(evict(&mut model, A, 2), NodeReply::Evict(true));
        assert_eq!(evict(&mut model, A, 2), NodeReply::Evict(false));
    }

    #[test]
    fn the_evicted_are_told_so_unless_the_data_was_lost() {
        let mut model = NodesModel::default();
        beat(&mut model, A, 1, None);
        evict(&mut model, A, 1);
        assert_eq!(beat(&mut model, A, 2, Some(7)), NodeReply::AskerEvicted);
        assert_eq!(beat(&mut model, A, 3, Some(7)), NodeReply::AskerEvicted);
        assert_eq!(beat(&mut model, A, 4, Some(6)), beats(7, &[(A, 4)]));
        evict(&mut model, A, 4);
        assert_eq!(beat(&mut model, A, 5, None), beats(7, &[(A, 5)]));
    }

    #[test]
    fn a_hello_is_kept_for_a_day_since_it_was_last_said() {
        let hello = NodeHello {
            name: "a".into(),
            address: "10.0.0.1:8080".into(),
            peer_address: "127.0.0.1:9464".into(),
            version: "0.1.0".into(),
            wire: [1, 1],
            keys: [KeyId::from_bits(7)].into(),
            serving: true,
            connections: 3,
        };
        let mut model = NodesModel::default();
        let ask = NodeQuery::Describe(A);
        assert_eq!(model.execute(0, &ask), NodeReply::Hello(None));
        for said_ms in [0, 1000] {
            let hello = hello.clone();
            model.execute(said_ms, &NodeQuery::Hello { boot: A, hello });
        }
        let last_ms = 1000 + HELLO_KEPT_MS - 1;
        assert_eq!(model.execute(last_ms, &ask), NodeReply::Hello(Some(hello)));
        assert_eq!(model.execute(last_ms + 1, &ask), NodeReply::Hello(None));
    }
}
