//! A node that ends removes its own entry.

use super::*;

fn left(effects: &[NodeEffect]) -> Vec<bool> {
    let told = |is_removed| {
        let effects = effects.iter();
        effects
            .filter(|effect| **effect == NodeEffect::Left(is_removed))
            .count()
    };
    [vec![true; told(true)], vec![false; told(false)]].concat()
}

#[test]
fn it_removes_its_entry_and_beats_no_more() {
    let mut rig = Rig::with_x();
    let own = rig.node.view().own;
    rig.give(NodeInput::Leave);
    assert_eq!(left(&rig.effects), [true]);
    assert_eq!(rig.store.beat_of(own), None);
    rig.effects.clear();
    rig.give(NodeInput::Leave);
    rig.pass(30_000);
    assert!(left(&rig.effects).is_empty(), "told once");
    assert_eq!(rig.asked(is_beat), 0);
    assert_eq!(rig.store.beat_of(own), None);
}

#[test]
fn it_waits_for_the_beat_that_is_out() {
    let mut rig = Rig::with_x();
    rig.now_ms += 1000;
    let ask = rig.take_beat();
    assert_eq!(rig.raw(NodeInput::Leave), [], "nothing is asked yet");
    let reply = rig.execute(&ask);
    rig.give(NodeInput::Answered { ask, reply });
    assert_eq!(left(&rig.effects), [true]);
    assert_eq!(rig.store.beat_of(rig.node.view().own), None);
}

#[test]
fn without_an_answer_it_says_so_and_asks_once() {
    let mut rig = Rig::with_x();
    rig.fate = |_| Fate::Lost;
    rig.give(NodeInput::Leave);
    rig.pass(10_000);
    assert_eq!(left(&rig.effects), [false]);
    let is_own = |ask: &NodeQuery| matches!(ask, NodeQuery::Evict { .. });
    assert_eq!(rig.asked(is_own), 1);
}

#[test]
fn if_it_is_evicted_meanwhile_it_does_not_come_back() {
    let mut rig = Rig::with_x();
    let own = rig.node.view().own;
    rig.now_ms += 1000;
    let ask = rig.take_beat();
    rig.raw(NodeInput::Leave);
    let reply = NodeReply::AskerEvicted;
    rig.give(NodeInput::Answered { ask, reply });
    rig.pass(10_000);
    assert_eq!(left(&rig.effects), [true]);
    assert_eq!(rig.node.view().own, own);
    assert_eq!(rig.asked(is_beat), 1, "the one that was out");
}
