//! Partials and typing: their place, and their bound.

use super::*;

#[test]
fn best_effort_has_a_place_and_no_number() {
    let mut lane = sender();
    lane.pushed(1..=1);
    lane.typing(None, "typing");
    lane.pushed(2..=2);
    let batch = lane.take(NOW).unwrap();
    let numbered: Vec<_> = batch.items.iter().map(|item| item.sequenced).collect();
    assert_eq!(numbered, [true, false, true]);
    lane.published(NOW, Ok(()));
    lane.woken(NOW + 500);
    assert_eq!(
        lane.published_now(NOW),
        sent(1, &["a1", "a2"]),
        "not repeated"
    );
}

#[test]
fn a_newer_partial_takes_the_place_of_one_that_waits() {
    let mut lane = sender();
    lane.typing(Some("s"), "partial 1");
    lane.typing(Some("t"), "other");
    lane.pushed(1..=1);
    lane.typing(Some("s"), "partial 2");
    lane.typing(None, "typing");
    let first = ["partial 2", "other", "a1", "typing"];
    assert_eq!(lane.published_now(NOW), sent(1, &first));
    lane.typing(Some("s"), "partial 3");
    assert_eq!(lane.published_now(NOW), sent(2, &["partial 3"]));
    assert_eq!(lane.status(NOW).waiting_bytes, 0);
}

#[test]
fn best_effort_is_dropped_when_the_lane_is_full() {
    let mut lane = sender();
    lane.set_window(0);
    let share = LANE_WINDOW_BYTES_MIN / 4 - LANE_ITEM_OVERHEAD_BYTES;
    assert!(lane.typing(Some("s"), &"x".repeat(share)), "at");
    assert!(!lane.typing(Some("t"), "more"));
    assert!(lane.typing(Some("s"), "less"));
    assert!(lane.typing(Some("t"), "more"));
}

#[test]
fn a_flood_of_partials_waits_for_acks() {
    let mut lane = sender();
    lane.set_window(0);
    let flood = |lane: &mut Sender, now_ms| {
        let text = "x".repeat(WHOLE / 2);
        (0..10)
            .filter(|_| lane.typing(None, &text) && lane.published_now(now_ms).is_some())
            .count()
    };
    let most = 2 * LANE_BATCH_BYTES / (WHOLE / 2 + LANE_ITEM_OVERHEAD_BYTES);
    assert_eq!(flood(&mut lane, NOW), most);
    assert_eq!(flood(&mut lane, NOW + LANE_DEADLINE_MS - 1), 0);
    lane.heard(&ack(0));
    assert_eq!(flood(&mut lane, NOW), most);
    assert_eq!(flood(&mut lane, NOW + LANE_DEADLINE_MS), most, "lost acks");
    assert_eq!(lane.status(NOW).waiting_bytes, 0);
}
