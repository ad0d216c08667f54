//! What follows from what peers say of their wire versions and secrets.

use protocol::lane::{LaneTerms, TermsMismatch};

use super::*;

const OTHER: KeyId = KeyId::from_bits(2);

/// A node that knows X, which says this of itself.
fn rig_with(said: NodeHello) -> Rig {
    let mut rig = Rig::new();
    rig.beating.insert(X);
    say(&mut rig, said);
    rig.pass(2000);
    rig
}

fn say(rig: &mut Rig, hello: NodeHello) {
    let ask = NodeQuery::Hello { boot: X, hello };
    rig.store.execute(rig.now_ms, &ask);
}

fn described(rig: &Rig) -> usize {
    let effects = rig.effects.iter();
    effects
        .filter(|effect| **effect == NodeEffect::Described(X))
        .count()
}

#[test]
fn the_lower_version_and_a_common_key_are_the_terms() {
    let own = hello(0).keys[0];
    let said = NodeHello {
        wire: [2, 2],
        keys: [OTHER, own].into(),
        ..hello(0)
    };
    let mut rig = rig_with(said);
    let key = Some(own);
    assert_eq!(rig.node.view().terms(X), Ok(LaneTerms { wire: 2, key }));
    assert_eq!(*rig.node.view().keys, [own]);
    assert!(rig.node.view().peers[&X].is_reachable());
    // X issues credentials that are refused here, so it is looked at again.
    rig.pass(DESCRIBE_AGAIN_MS);
    assert_eq!(described(&rig), 2);
}

#[test]
fn nobody_is_told_of_what_a_node_left_that_has_ended() {
    let mut rig = Rig::new();
    rig.beat(X);
    say(
        &mut rig,
        NodeHello {
            keys: [OTHER].into(),
            ..hello(0)
        },
    );
    rig.pass(2500);
    assert_eq!(rig.node.view().terms(X), Err(TermsMismatch::Key));
    assert_eq!(described(&rig), 0);
    rig.beat(X);
    rig.pass(1000);
    assert_eq!(described(&rig), 1);
    assert!(rig.node.view().lacks_a_secret());
    rig.pass(SUSPECT_MS);
    assert!(!rig.node.view().lacks_a_secret(), "it stands still");
}

#[test]
fn who_fits_is_described_once() {
    let mut rig = rig_with(hello(0));
    rig.pass(5 * DESCRIBE_AGAIN_MS);
    assert_eq!(described(&rig), 1);
}

#[test]
fn who_does_not_fit_is_unreachable_and_described_each_minute() {
    let wire = NodeHello {
        wire: [4, 9],
        ..hello(0)
    };
    let key = NodeHello {
        keys: [OTHER].into(),
        ..hello(0)
    };
    for (said, mismatch) in [(wire, TermsMismatch::Wire), (key, TermsMismatch::Key)] {
        let mut rig = rig_with(said);
        assert_eq!(rig.node.view().terms(X), Err(mismatch));
        let peer = &rig.node.view().peers[&X];
        assert!(peer.state == PeerState::Live && !peer.is_reachable());
        assert_eq!(described(&rig), 1);
        rig.pass(3 * DESCRIBE_AGAIN_MS);
        assert_eq!(described(&rig), 4);
        // It changed its secrets without a new life.
        say(&mut rig, hello(0));
        rig.pass(DESCRIBE_AGAIN_MS);
        assert!(rig.node.view().peers[&X].is_reachable());
        assert!(rig.did(&NodeEffect::ViewChanged));
    }
}

#[test]
fn a_node_whose_secrets_change_says_so_and_writes_by_the_new_ones() {
    let own = hello(0).keys[0];
    let mut rig = rig_with(NodeHello {
        keys: [own, OTHER].into(),
        ..hello(0)
    });
    rig.effects.clear();
    rig.give(NodeInput::Hello(hello(7)));
    assert!(!rig.did(&NodeEffect::SayAnew), "connections are no news");
    rig.give(NodeInput::Hello(NodeHello {
        keys: [OTHER].into(),
        ..hello(7)
    }));
    assert_eq!(*rig.node.view().keys, [OTHER]);
    let terms = rig.node.view().terms(X).map(|terms| terms.key);
    assert_eq!(terms, Ok(Some(OTHER)));
    let said = |rig: &Rig| {
        let effects = rig.effects.iter();
        effects.filter(|it| **it == NodeEffect::SayAnew).count()
    };
    assert_eq!(said(&rig), 1, "the store has it");
    rig.pass(3 * HELLO_MS);
    assert_eq!(said(&rig), 2, "a message may have been lost");
}

#[test]
fn peers_are_told_once_the_store_has_it() {
    let mut rig = rig_with(hello(0));
    rig.effects.clear();
    rig.fate = |ask| match is_hello(ask) {
        true => Fate::Lost,
        false => Fate::Answered,
    };
    let changed = NodeHello {
        serving: false,
        ..hello(0)
    };
    rig.give(NodeInput::Hello(changed));
    assert!(!rig.did(&NodeEffect::SayAnew));
    rig.fate = |_| Fate::Answered;
    rig.pass(BEAT_MS);
    assert!(rig.did(&NodeEffect::SayAnew));
}

#[test]
fn what_a_peer_says_anew_is_read_again() {
    let mut rig = rig_with(hello(0));
    say(
        &mut rig,
        NodeHello {
            keys: [OTHER].into(),
            ..hello(0)
        },
    );
    rig.pass(2000);
    assert!(rig.node.view().terms(X).is_ok(), "it is not known yet");
    rig.give(NodeInput::SaidAnew(X));
    assert_eq!(rig.node.view().terms(X), Err(TermsMismatch::Key));
    rig.effects.clear();
    rig.give(NodeInput::SaidAnew(BootId::from_bits(77)));
    let descriptions = rig.asked(|ask| matches!(ask, NodeQuery::Describe(_)));
    assert_eq!(descriptions, 0, "nobody knows that node");
}
