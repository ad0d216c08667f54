//! Its own beats, and whom it meets by them.

use protocol::UsageHour;
use protocol::lane::LaneTerms;

use super::*;

#[test]
fn it_beats_every_second_and_probes_twice_as_often() {
    let mut rig = Rig::new();
    rig.pass(9_999);
    assert_eq!(rig.asked(is_beat), 10);
    let probes = rig.effects.iter();
    let probes = probes.filter(|effect| matches!(effect, NodeEffect::SendProbe { .. }));
    assert_eq!(probes.count(), 20);
    assert_eq!(rig.store.beat_of(rig.node.view().own), Some(10));
}

#[test]
fn two_beats_are_never_out() {
    let mut rig = Rig::with_x();
    rig.now_ms += 1000;
    let ask = rig.take_beat();
    for _ in 0..10 {
        rig.now_ms += 500;
        let fx = rig.raw(NodeInput::Wake);
        assert!(
            !fx.iter()
                .any(|effect| matches!(effect, NodeEffect::Ask(ask) if is_beat(ask)))
        );
    }
    let reply = NodeReply::Unavailable;
    let fx = rig.raw(NodeInput::Answered { ask, reply });
    assert!(
        fx.iter()
            .any(|effect| matches!(effect, NodeEffect::Ask(ask) if is_beat(ask)))
    );
}

#[test]
fn an_answer_that_comes_twice_counts_once() {
    let mut rig = Rig::with_x();
    let beats = vec![(Y, 1)];
    let ask = NodeQuery::Beat {
        boot: rig.node.view().own,
        beat: 9,
        known_generation: None,
        fresh_generation: 0,
        flushed: UsageHour::default(),
    };
    let reply = NodeReply::Beats {
        generation: 1,
        beats,
        flushed: Vec::new(),
    };
    rig.raw(NodeInput::Answered { ask, reply });
    assert_eq!(rig.state_of(X), Some(PeerState::Live));
    assert_eq!(rig.state_of(Y), None);
}

#[test]
fn a_new_node_joins_at_first_sight_and_is_described_until_known() {
    let mut rig = Rig::new();
    rig.beating.insert(X);
    rig.pass(3500);
    assert!(rig.did(&NodeEffect::Joined(X)) && rig.did(&NodeEffect::ViewChanged));
    assert_eq!(rig.asked(|ask| *ask == NodeQuery::Describe(X)), 4);
    assert_eq!(rig.node.view().terms(X), Ok(LaneTerms::UNKNOWN));
    let said = NodeQuery::Hello {
        boot: X,
        hello: hello(5),
    };
    rig.store.execute(rig.now_ms, &said);
    rig.effects.clear();
    rig.pass(3000);
    assert_eq!(rig.asked(|ask| *ask == NodeQuery::Describe(X)), 1);
    assert_eq!(rig.node.view().terms(X).map(|terms| terms.wire), Ok(3));
    assert!(rig.did(&NodeEffect::ViewChanged) && !rig.did(&NodeEffect::Joined(X)));
}

#[test]
fn a_clock_that_stands_still_does_nothing() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.give(NodeInput::Wake);
    rig.effects.clear();
    for _ in 0..1000 {
        rig.give(NodeInput::Wake);
    }
    assert_eq!(rig.effects, []);
    assert_eq!(rig.state_of(X), Some(PeerState::Live));
}

#[test]
fn it_says_what_it_is_at_once_and_its_connections_now_and_then() {
    let mut rig = Rig::new();
    rig.pass(0);
    assert_eq!(rig.asked(is_hello), 1);
    rig.give(NodeInput::Hello(hello(100)));
    rig.pass(HELLO_MS - 1);
    assert_eq!(rig.asked(is_hello), 1, "a count can wait");
    rig.pass(1);
    assert_eq!(rig.asked(is_hello), 2);
    let draining = NodeHello {
        serving: false,
        ..hello(100)
    };
    rig.give(NodeInput::Hello(draining.clone()));
    assert_eq!(rig.asked(is_hello), 3);
    let ask = NodeQuery::Describe(rig.node.view().own);
    assert_eq!(
        rig.store.execute(rig.now_ms, &ask),
        NodeReply::Hello(Some(draining))
    );
    rig.fate = |_| Fate::Lost;
    rig.pass(HELLO_MS + 2000);
    assert_eq!(
        rig.asked(is_hello),
        6,
        "again each second until it is written"
    );
}

#[test]
fn more_peers_than_its_bound_are_passed_over() {
    let mut rig = Rig::new();
    for bits in 0..PEERS_MAX as u128 + 10 {
        rig.beat(BootId::from_bits(1000 + bits));
    }
    rig.pass(2000);
    assert_eq!(rig.node.view().others(), PEERS_MAX);
}

#[test]
fn connections_of_others_are_followed_only_if_they_are_wanted() {
    let is_describe = |ask: &NodeQuery| matches!(ask, NodeQuery::Describe(_));
    for (is_wanted, expected) in [(false, 0), (true, 6)] {
        let mut rig = Rig::with_x();
        let hello = hello(7);
        rig.store
            .execute(rig.now_ms, &NodeQuery::Hello { boot: X, hello });
        rig.pass(2000);
        rig.effects.clear();
        if is_wanted {
            rig.node.follow_connections();
        }
        rig.pass(60_000);
        assert_eq!(rig.asked(is_describe), expected);
    }
}
