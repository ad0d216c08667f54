//! Standing still, eviction, and that it is final.

use super::*;

#[test]
fn an_unchanged_beat_is_suspect_after_3_s_and_evicted_after_6() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.pass(2000);
    assert_eq!(rig.state_of(X), Some(PeerState::Live));
    rig.pass(1000);
    assert_eq!(rig.state_of(X), Some(PeerState::Suspect));
    assert!(rig.did(&NodeEffect::ViewChanged));
    rig.pass(2000);
    assert_eq!((rig.unchanged_ms(X), rig.evictions()), (5000, 0));
    assert!(rig.node.view().is_live(X));
    rig.pass(1000);
    assert!(rig.did(&NodeEffect::Evicted(X)) && rig.node.view().is_dead(X));
    assert!(!rig.node.view().is_live(X));
    assert_eq!(rig.store.beat_of(X), None);
}

#[test]
fn a_beat_that_moves_again_is_live_again() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.pass(5000);
    assert_eq!(rig.state_of(X), Some(PeerState::Suspect));
    rig.beat(X);
    rig.pass(1000);
    assert_eq!(
        (rig.state_of(X), rig.unchanged_ms(X)),
        (Some(PeerState::Live), 0)
    );
    rig.pass(5000);
    assert_eq!(rig.evictions(), 0);
}

#[test]
fn a_beat_before_the_eviction_saves() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.pass(5000);
    rig.now_ms += 1000;
    let ask = rig.take_beat();
    let reply = rig.execute(&ask);
    let fx = rig.raw(NodeInput::Answered { ask, reply });
    let ask = the_ask(&fx, is_eviction);
    rig.beat(X);
    let reply = rig.execute(&ask);
    assert_eq!(reply, NodeReply::Evict(false));
    rig.give(NodeInput::Answered { ask, reply });
    assert!(rig.node.view().is_live(X), "false says nothing yet");
    rig.pass(1000);
    assert_eq!(rig.state_of(X), Some(PeerState::Live));
    assert!(!rig.did(&NodeEffect::Evicted(X)));
}

#[test]
fn an_eviction_that_was_lost_is_asked_for_again() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.fate = |ask| {
        if is_eviction(ask) {
            Fate::Lost
        } else {
            Fate::Answered
        }
    };
    rig.pass(8000);
    assert!(!rig.did(&NodeEffect::Evicted(X)));
    assert_eq!(rig.evictions(), 9, "at 6 s, then four times a second");
    rig.fate = |_| Fate::Answered;
    rig.pass(1000);
    assert!(rig.did(&NodeEffect::Evicted(X)));
}

#[test]
fn an_eviction_whose_answer_was_lost_is_seen_in_the_next_beats() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.fate = |ask| {
        if is_eviction(ask) {
            Fate::AnswerLost
        } else {
            Fate::Answered
        }
    };
    rig.pass(6000);
    assert!(!rig.did(&NodeEffect::Evicted(X)));
    rig.pass(1000);
    assert_eq!(
        (rig.evictions(), rig.did(&NodeEffect::Evicted(X))),
        (1, true)
    );
}

#[test]
fn whom_another_evicted_first_is_gone_soon() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.pass(5000);
    rig.now_ms += 1000;
    let ask = rig.take_beat();
    let reply = rig.execute(&ask);
    let ask = the_ask(&rig.raw(NodeInput::Answered { ask, reply }), is_eviction);
    assert_eq!(rig.execute(&ask), NodeReply::Evict(true), "the other's");
    let reply = rig.execute(&ask);
    rig.give(NodeInput::Answered { ask, reply });
    assert!(!rig.did(&NodeEffect::Evicted(X)));
    rig.pass(LOOK_AGAIN_MS);
    assert!(
        rig.did(&NodeEffect::Evicted(X)),
        "GHO-1: a second would be too late"
    );
}

#[test]
fn whom_another_buries_is_gone() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    let beat = rig.store.beat_of(X).unwrap();
    rig.store
        .execute(rig.now_ms, &NodeQuery::Evict { boot: X, beat });
    rig.pass(1000);
    assert!(rig.did(&NodeEffect::Evicted(X)) && rig.node.view().is_dead(X));
    assert_eq!(rig.evictions(), 0);
}

#[test]
fn an_evicted_boot_never_returns() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.pass(6000);
    assert!(rig.node.view().is_dead(X));
    rig.effects.clear();
    for _ in 0..3 {
        rig.beat(X);
        rig.pass(1000);
        assert!(rig.node.view().is_dead(X) && !rig.node.view().is_live(X));
        assert_eq!(rig.store.beat_of(X), None, "it is_evictioned again");
    }
    assert!(!rig.did(&NodeEffect::Joined(X)) && !rig.did(&NodeEffect::Evicted(X)));
}

#[test]
fn the_dead_are_forgotten_after_ten_minutes_unless_they_keep_coming_back() {
    let mut rig = Rig::with_x();
    rig.beating.insert(Y);
    rig.pass(1000);
    rig.beating.clear();
    rig.pass(6000);
    assert_eq!(*rig.node.view().dead, [X, Y]);
    rig.pass(DEAD_KEPT_MS - 1000);
    rig.beat(Y);
    rig.pass(1000);
    assert_eq!(*rig.node.view().dead, [Y]);
    rig.pass(DEAD_KEPT_MS);
    assert!(rig.node.view().dead.is_empty());
}
