//! Messages to nodes that read another wire version, or that no message can reach.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::envelope::WIRE;
use protocol::lane::{LaneTerms, TermsMismatch};
use router_core::ConnKey;
use serde_json::{Value, json};

use crate::other_nodes::{OTHER, THIRD};
use crate::talk::gist;
use crate::world::World;

/// One of three nodes, with a phone that knows of a bot on the second, which is written to so.
fn scene(terms: Result<LaneTerms, TermsMismatch>) -> (World, ConnKey) {
    let mut w = World::of_three();
    let mut nodes = (*w.nodes).clone();
    nodes.peers.get_mut(&OTHER).unwrap().terms = terms;
    w.nodes = Arc::new(nodes);
    let phone = w.join(Some("phone"));
    w.far_bot(OTHER);
    w.pass(200);
    w.take(phone);
    (w, phone)
}

#[test]
fn an_envelope_is_of_the_version_that_its_node_reads() {
    for wire in WIRE[0]..=WIRE[1] {
        let (mut w, phone) = scene(Ok(LaneTerms { wire, key: None }));
        w.send_far(phone, &["hello"]);
        let (node, parcel) = &w.published[0];
        assert_eq!(*node, OTHER);
        assert_eq!(parcel.bytes[..2], wire.to_be_bytes());
    }
}

#[test]
fn a_message_for_a_node_that_cannot_understand_it_is_answered_at_once() {
    for mismatch in TermsMismatch::ALL {
        let (mut w, phone) = scene(Err(mismatch));
        w.send_far(phone, &["hello"]);
        assert!(w.published.is_empty(), "{mismatch}");
        let frames: Vec<Value> = w.take(phone);
        assert_eq!(gist(&frames), [ErrorCode::Unreachable.reason()]);
        assert_eq!(frames[0]["data"]["retryAfterMs"], json!(1000));
        // Only that node: the bot moves, and is reached.
        w.far_bot(THIRD);
        w.pass(200);
        w.take(phone);
        w.send_far(phone, &["again"]);
        assert_eq!(w.published[0].0, THIRD);
    }
}
