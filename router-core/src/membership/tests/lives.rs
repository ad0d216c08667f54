//! Lost data, and being evicted oneself.

use super::*;

#[test]
fn a_changed_generation_starts_the_counts_anew_and_buries_nobody() {
    let mut rig = Rig::with_x();
    rig.beating.insert(Y);
    rig.pass(1000);
    rig.beating.clear();
    rig.pass(5000);
    let hellos = rig.asked(is_hello);
    rig.store = NodesModel::default();
    rig.pass(1000);
    assert!(rig.did(&NodeEffect::GenerationChanged));
    assert_eq!(rig.asked(is_hello), hellos + 1, "what it said was lost too");
    assert_eq!(
        (rig.state_of(X), rig.unchanged_ms(X)),
        (Some(PeerState::Live), 0)
    );
    rig.beating.insert(X);
    rig.pass(5000);
    assert_eq!(rig.unchanged_ms(X), 0);
    assert_eq!(
        (rig.unchanged_ms(Y), rig.state_of(Y)),
        (5000, Some(PeerState::Suspect))
    );
    assert!(!rig.did(&NodeEffect::Evicted(Y)) && rig.evictions() == 0);
    rig.pass(1000);
    assert!(rig.did(&NodeEffect::Evicted(Y)), "it did not come back");
    assert_eq!(
        (rig.evictions(), rig.state_of(X)),
        (0, Some(PeerState::Live))
    );
    rig.beat(Y);
    rig.pass(1000);
    assert!(
        rig.node.view().is_dead(Y) && rig.evictions() == 1,
        "it came back too late"
    );
}

#[test]
fn a_beat_is_never_used_twice_even_if_the_store_goes_back() {
    let mut rig = Rig::with_x();
    let own = rig.node.view().own;
    let seen = rig.store.beat_of(own).unwrap();
    let replica = rig.store.clone();
    rig.pass(1000);
    rig.store = replica;
    rig.pass(1000);
    assert_eq!(rig.store.beat_of(own), Some(seen + 2));
}

#[test]
fn the_first_generation_is_no_change() {
    let rig = Rig::with_x();
    assert!(rig.node.view().generation.is_some());
    let mut fresh = Rig::new();
    fresh.pass(3000);
    assert!(!fresh.did(&NodeEffect::GenerationChanged));
}

#[test]
fn an_evicted_node_goes_on_under_a_new_boot_id() {
    let mut rig = Rig::with_x();
    let old = rig.node.view().own;
    let beat = rig.store.beat_of(old).unwrap();
    rig.store
        .execute(rig.now_ms, &NodeQuery::Evict { boot: old, beat });
    rig.pass(1000);
    let new = rig.node.view().own;
    assert!(new != old && rig.did(&NodeEffect::Rejoined { old, new }));
    let view = rig.node.view();
    assert!(view.is_dead(old) && !view.is_live(old) && view.is_live(new));
    assert_eq!((view.others(), view.degraded), (1, false));
    assert!(rig.store.beat_of(new).is_some(), "it beats at once");
    assert_eq!(
        rig.asked(|ask| matches!(ask, NodeQuery::Hello { boot, .. } if *boot == new)),
        1
    );
    rig.effects.clear();
    rig.pass(20_000);
    assert_eq!(rig.node.view().own, new);
    assert!(!rig.did(&NodeEffect::Evicted(X)));
}

#[test]
fn who_is_told_that_it_is_evicted_asks_soon() {
    let mut rig = Rig::with_x();
    let old = rig.node.view().own;
    rig.pass(100);
    rig.give(NodeInput::Evicted);
    rig.pass(LOOK_AGAIN_MS);
    assert_eq!(rig.node.view().own, old, "the store says no such thing");
    let beat = rig.store.beat_of(old).unwrap();
    rig.store
        .execute(rig.now_ms, &NodeQuery::Evict { boot: old, beat });
    rig.give(NodeInput::Evicted);
    rig.pass(LOOK_AGAIN_MS);
    assert_ne!(rig.node.view().own, old);
}

#[test]
fn of_two_lives_of_a_node_never_both_are_heard() {
    let mut rig = Rig::with_x();
    let beat = rig.store.beat_of(X).unwrap();
    rig.beating = [Y].into();
    rig.store
        .execute(rig.now_ms, &NodeQuery::Evict { boot: X, beat });
    rig.beat(Y);
    let heard = |rig: &Rig| [X, Y].map(|boot| rig.node.view().hears(boot));
    assert_eq!(heard(&rig), [true, false], "it has not looked yet");
    rig.pass(1000);
    assert_eq!(heard(&rig), [false, true]);
}

#[test]
fn its_former_life_is_dead_even_if_something_writes_it_back() {
    let mut rig = Rig::with_x();
    let old = rig.node.view().own;
    let beat = rig.store.beat_of(old).unwrap();
    rig.store
        .execute(rig.now_ms, &NodeQuery::Evict { boot: old, beat });
    rig.pass(1000);
    rig.beat(old);
    rig.pass(1000);
    assert!(rig.node.view().is_dead(old) && !rig.did(&NodeEffect::Joined(old)));
    assert_eq!(rig.store.beat_of(old), None);
}

#[test]
fn its_own_eviction_does_not_put_off_anothers() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.pass(5000);
    let old = rig.node.view().own;
    let beat = rig.store.beat_of(old).unwrap();
    rig.store
        .execute(rig.now_ms, &NodeQuery::Evict { boot: old, beat });
    rig.pass(1000);
    assert!(rig.node.view().is_dead(old) && rig.did(&NodeEffect::Evicted(X)));
}
