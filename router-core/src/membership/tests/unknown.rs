//! Who is named and was never seen: new, or dead before this node began.

use super::*;

#[test]
fn who_is_named_and_does_not_beat_is_dead_after_two_looks() {
    let mut rig = Rig::with_x();
    rig.pass(100);
    let beats = rig.asked(is_beat);
    rig.give(NodeInput::Discovered(Y));
    rig.pass(LOOK_AGAIN_MS);
    assert_eq!(rig.asked(is_beat), beats + 1, "it looks soon");
    assert!(!rig.did(&NodeEffect::Evicted(Y)), "once is not enough");
    rig.pass(BEAT_MS);
    assert!(rig.did(&NodeEffect::Evicted(Y)) && rig.node.view().is_dead(Y));
    assert_eq!(
        rig.evictions(),
        0,
        "there is nothing to remove in the store"
    );
    rig.effects.clear();
    rig.give(NodeInput::Discovered(Y));
    rig.pass(3000);
    assert!(!rig.did(&NodeEffect::Evicted(Y)), "that is known");
}

#[test]
fn who_is_named_and_beats_is_a_new_node() {
    let mut rig = Rig::with_x();
    rig.beating.insert(Y);
    rig.give(NodeInput::Discovered(Y));
    rig.pass(LOOK_FOR_NEW_MS);
    assert!(rig.did(&NodeEffect::Joined(Y)));
    rig.pass(5000);
    assert!(!rig.did(&NodeEffect::Evicted(Y)));
}

#[test]
fn who_is_named_often_is_not_looked_for_more_often() {
    let mut rig = Rig::with_x();
    let beats = rig.asked(is_beat);
    for _ in 0..100 {
        rig.give(NodeInput::Discovered(Y));
        rig.give(NodeInput::Discovered(X));
        rig.pass(10);
    }
    assert!(rig.asked(is_beat) <= beats + 2);
}

#[test]
fn after_a_loss_of_data_it_has_time_to_say_that_it_lives() {
    let mut rig = Rig::with_x();
    rig.give(NodeInput::Discovered(Y));
    // The first to beat chooses the generation: now this node does.
    rig.beating.clear();
    rig.store = NodesModel::default();
    rig.pass(5000);
    assert!(rig.did(&NodeEffect::GenerationChanged) && !rig.did(&NodeEffect::Evicted(Y)));
    rig.pass(3000);
    assert!(rig.did(&NodeEffect::Evicted(Y)));
}

#[test]
fn nobody_is_judged_while_degraded() {
    let mut rig = Rig::with_x();
    rig.give(NodeInput::LinkDown);
    rig.give(NodeInput::Discovered(Y));
    rig.pass(10_000);
    assert!(!rig.did(&NodeEffect::Evicted(Y)));
    rig.give(NodeInput::LinkUp);
    rig.pass(3000);
    assert!(rig.did(&NodeEffect::Evicted(Y)));
}
