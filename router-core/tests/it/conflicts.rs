//! A `messageId` that comes again with another body, when the first message went to another node.

use protocol::lane::Verdict;
use protocol::{Envelope, ErrorCode};
use router_core::lane::{LaneOutcome, Parcel};
use router_core::shard::ShardInput;
use serde_json::{Value, json};

use crate::other_nodes::OTHER;
use crate::talk::gist;
use crate::world::World;

fn keyed(to: &str, text: &str, timestamp: u64) -> String {
    let data = json!({"to": to, "messageId": "m-1", "text": text, "timestamp": timestamp});
    json!({"type": "message", "data": data, "id": "1"}).to_string()
}

/// What the node that a phone is on tells it, when the bot's node says `verdict`.
fn told(settled: LaneOutcome) -> Value {
    let mut w = World::of_three();
    let phone = w.join(Some("phone"));
    w.far_bot(OTHER);
    w.pass(200);
    w.take(phone);
    w.text(phone, keyed("bot_far", "hi", 1));
    w.settle(settled);
    w.take(phone).pop().unwrap()["data"].clone()
}

/// The node that the bot is on.
fn home() -> World {
    let mut home = World::of_three();
    home.join_bot(&["bot_far"]);
    home
}

fn arrive(home: &mut World, parcel: &Parcel) {
    let envelope = Envelope::from_bytes(&parcel.bytes).unwrap();
    home.shard(ShardInput::Inbound(Box::new(envelope)));
    home.run();
}

#[test]
fn the_sender_hears_of_a_conflict_on_the_bots_node() {
    let code = ErrorCode::IdempotencyConflict;
    let data = told(LaneOutcome::Verdict(Verdict::Refused(code)));
    assert_eq!(data["reason"], "idempotency_conflict", "{data}");
    assert_eq!(
        (&data["field"], &data["messageId"]),
        (&json!("messageId"), &json!("m-1"))
    );
}

/// The bot's node: two envelopes of one sender and one id, as its own node would send them.
#[test]
fn the_bots_node_decides_by_the_bodies() {
    for (text, verdict) in [
        ("hi", Verdict::Duplicate),
        ("ho", Verdict::Refused(ErrorCode::IdempotencyConflict)),
    ] {
        let mut far = World::of_three();
        let phone = far.join(Some("phone"));
        far.far_bot(OTHER);
        far.text(phone, keyed("bot_far", "hi", 1));
        far.text(phone, keyed("bot_far", text, 2));
        let mut home = home();
        for (_, parcel) in far.published.drain(..) {
            arrive(&mut home, &parcel);
        }
        assert_eq!(home.decided, [None, Some(verdict)], "{text}");
    }
}

#[test]
fn a_sender_that_moved_to_the_bots_node_meets_the_same_memory() {
    let mut far = World::of_three();
    let phone = far.join(Some("phone"));
    far.far_bot(OTHER);
    far.text(phone, keyed("bot_far", "hi", 1));
    let (_, parcel) = far.published.pop_front().unwrap();

    let mut home = home();
    arrive(&mut home, &parcel);
    assert_eq!(home.decided, [None]);
    let phone = home.join(Some("phone"));
    home.text(phone, keyed("bot_far", "hi", 2));
    home.text(phone, keyed("bot_far", "ho", 3));
    let frames = home.take(phone);
    assert_eq!(gist(&frames), ["duplicate", "idempotency_conflict"]);
}
