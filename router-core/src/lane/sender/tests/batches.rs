//! What is published together, and in which order.

use super::*;

#[test]
fn what_gathers_behind_a_publish_is_the_next_batch() {
    let mut lane = sender();
    assert_eq!(lane.take(NOW), None);
    lane.pushed(1..=1);
    let batch = lane.take(NOW).unwrap();
    assert_eq!((batch.generation, batch.first_seq, batch.seen), (1, 1, 0));
    lane.pushed(2..=3);
    assert_eq!(lane.take(NOW), None, "one is under way");
    lane.published(NOW, Ok(()));
    assert_eq!(lane.published_now(NOW), sent(2, &["a2", "a3"]));
    assert_eq!(lane.published_now(NOW), None);
}

#[test]
fn a_batch_has_64_kib_or_one_envelope() {
    for (second, together) in [(99, true), (100, true), (101, false)] {
        let mut lane = sender();
        let first = WHOLE - 100 - LANE_ITEM_OVERHEAD_BYTES;
        lane.push(NOW, parcel("a", 1, first)).unwrap();
        lane.push(NOW, parcel("a", 2, second)).unwrap();
        let batch = lane.take(NOW).unwrap();
        assert_eq!(batch.items.len() == 2, together, "{second}");
    }
    let mut lane = sender();
    lane.push(NOW, parcel("a", 1, 4 * WHOLE)).unwrap();
    lane.pushed(2..=2);
    assert_eq!(lane.published_now(NOW), sent(1, &["a1"]));
    assert_eq!(lane.published_now(NOW), sent(2, &["a2"]));
}

#[test]
fn batches_fill_by_turns_and_keep_the_order_of_a_tenant() {
    let mut lane = sender();
    let half = LANE_TURN_BYTES / 2 - LANE_ITEM_OVERHEAD_BYTES;
    let pushed = [
        ("a", 1, half),
        ("a", 2, half - 1),
        ("a", 3, half),
        ("a", 4, half),
        ("b", 1, half),
        ("c", 1, half),
        ("b", 2, half),
        ("b", 3, half),
    ];
    for (owner, number, bytes) in pushed {
        lane.push(NOW, parcel(owner, number, bytes)).unwrap();
    }
    let turns = ["a1", "a2", "a3", "b1", "b2", "c1", "a4", "b3"];
    assert_eq!(lane.published_now(NOW), sent(1, &turns));
}

#[test]
fn one_that_needs_more_room_keeps_its_turn() {
    let mut lane = sender();
    lane.push(NOW, parcel("a", 1, 8)).unwrap();
    lane.push(NOW, parcel("b", 1, WHOLE)).unwrap();
    lane.push(NOW, parcel("c", 1, 8)).unwrap();
    assert_eq!(lane.published_now(NOW), sent(1, &["a1"]));
    assert_eq!(lane.published_now(NOW), sent(2, &["b1"]));
    assert_eq!(lane.published_now(NOW), sent(3, &["c1"]));
}

#[test]
fn a_full_lane_gives_the_parcel_back() {
    let mut lane = sender();
    let bytes = LANE_WINDOW_BYTES_MIN - LANE_ITEM_OVERHEAD_BYTES;
    lane.set_window(0);
    lane.push(NOW, parcel("a", 1, bytes)).unwrap();
    lane.published_now(NOW);
    let refused = lane.push(NOW, parcel("b", 7, 8)).unwrap_err();
    assert_eq!(refused, parcel("b", 7, 8));
    lane.heard(&ack(1));
    lane.push(NOW, parcel("b", 7, 8)).unwrap();
}

#[test]
fn operators_see_what_is_inside() {
    let mut lane = sender();
    lane.pushed(1..=2);
    lane.published_now(NOW);
    lane.push(NOW + 5, parcel("b", 3, 8)).unwrap();
    let status = LaneStatus {
        generation: 1,
        unacked_bytes: 2 * (8 + LANE_ITEM_OVERHEAD_BYTES),
        waiting_bytes: 8 + LANE_ITEM_OVERHEAD_BYTES,
        unacked: 2,
        resends: 0,
        oldest_ms: Some(10),
    };
    assert_eq!(lane.status(NOW + 10), status);
}
