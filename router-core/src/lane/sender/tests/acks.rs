//! What acks settle, and what is published again without them.

use super::*;

#[test]
fn an_ack_settles_and_its_verdicts_are_told() {
    let mut lane = sender();
    lane.pushed(1..=4);
    lane.take(NOW);
    let refused = Verdict::Refused(ErrorCode::RecipientBusy);
    let mut three = ack(3);
    three.verdicts = vec![(2, refused), (4, Verdict::Offline)];
    let settled = [
        (1, LaneOutcome::Delivered),
        (2, LaneOutcome::Verdict(refused)),
        (3, LaneOutcome::Delivered),
    ];
    assert_eq!(lane.heard(&three), settled);
    assert_eq!(lane.heard(&three), [], "twice says nothing");
    assert_eq!(lane.heard(&ack(4)), [(4, LaneOutcome::Delivered)]);
    lane.published(NOW, Ok(()));
    assert_eq!(lane.next_wakeup(), None);
    lane.pushed(5..=5);
    assert_eq!(
        lane.take(NOW).map(|batch| (batch.first_seq, batch.seen)),
        Some((5, 4))
    );
}

#[test]
fn an_ack_of_another_generation_or_above_what_was_sent_says_nothing() {
    let mut lane = sender();
    lane.pushed(1..=2);
    lane.published_now(NOW);
    lane.pushed(3..=3);
    assert_eq!(lane.heard(&ack(3)), [], "3 has no number yet");
    for generation in [0, 2] {
        let other = LaneAck {
            generation,
            ..gap(1)
        };
        assert_eq!(lane.heard(&other), []);
    }
    assert_eq!(lane.published_now(NOW), sent(3, &["a3"]));
    assert_eq!(lane.heard(&ack(3)).len(), 3);
}

#[test]
fn the_timer_repeats_the_first_batch_until_the_deadline() {
    let mut lane = sender();
    lane.push(NOW, parcel("a", 1, WHOLE)).unwrap();
    lane.push(NOW, parcel("a", 2, WHOLE)).unwrap();
    assert_eq!(lane.published_now(NOW), sent(1, &["a1"]));
    assert_eq!(lane.published_now(NOW), sent(2, &["a2"]));
    for due in [500, 1500, 3500] {
        assert_eq!(lane.next_wakeup(), Some(NOW + due));
        assert_eq!(lane.woken(NOW + due - 1), []);
        assert_eq!(lane.published_now(NOW + due - 1), None, "below {due}");
        assert_eq!(lane.woken(NOW + due), []);
        assert_eq!(lane.published_now(NOW + due), sent(1, &["a1"]));
        assert_eq!(lane.published_now(NOW + due), None, "the first only");
    }
    assert_eq!(lane.status(NOW).resends, 3);
    assert_eq!(lane.next_wakeup(), Some(NOW + LANE_DEADLINE_MS));
    assert_eq!(lane.woken(NOW + LANE_DEADLINE_MS - 1), []);
    lane.push(NOW + 7499, parcel("a", 3, 8)).unwrap();
    let failed = [
        (1, LaneOutcome::Unknown),
        (2, LaneOutcome::Unknown),
        (3, LaneOutcome::Unsent),
    ];
    assert_eq!(lane.woken(NOW + LANE_DEADLINE_MS), failed);
    assert_eq!(lane.next_wakeup(), None);

    lane.pushed(4..=4);
    let batch = lane.take(NOW).unwrap();
    assert_eq!((batch.generation, batch.first_seq, batch.seen), (2, 1, 0));
    assert_eq!(lane.heard(&ack(1)), [], "of the old generation");
}

#[test]
fn behind_a_lost_tail_each_ack_brings_the_next_batch() {
    let mut lane = sender();
    for number in 1..=4 {
        lane.push(NOW, parcel("a", number, WHOLE)).unwrap();
        lane.published_now(NOW);
    }
    lane.woken(NOW + 500);
    assert_eq!(lane.published_now(NOW), sent(1, &["a1"]));
    lane.heard(&ack(1));
    assert_eq!(lane.published_now(NOW), sent(2, &["a2"]));
    assert_eq!(lane.published_now(NOW), None);
    lane.heard(&ack(1));
    assert_eq!(lane.published_now(NOW), None, "no progress");
    lane.heard(&ack(3));
    assert_eq!(lane.published_now(NOW), sent(4, &["a4"]));
    lane.push(NOW, parcel("a", 5, 8)).unwrap();
    lane.published_now(NOW);
    lane.heard(&ack(4));
    assert_eq!(lane.published_now(NOW), None, "5 is not suspect");
}

#[test]
fn progress_starts_the_timer_anew() {
    let mut lane = sender();
    lane.pushed(1..=2);
    lane.published_now(NOW);
    lane.woken(NOW + 500);
    assert_eq!(lane.next_wakeup(), Some(NOW + 1500));
    lane.heard(&ack(1));
    assert_eq!(lane.next_wakeup(), Some(NOW + 500));
}

#[test]
fn a_gap_is_answered_once_and_with_everything_behind_it() {
    let mut lane = sender();
    for number in 1..=5 {
        lane.push(NOW, parcel("a", number, WHOLE)).unwrap();
        lane.published_now(NOW);
    }
    lane.heard(&gap(1));
    for number in 2..=3 {
        assert_eq!(
            lane.published_now(NOW),
            sent(number, &[&format!("a{number}")])
        );
        lane.heard(&gap(1));
    }
    lane.heard(&gap(0));
    for number in 4..=5 {
        assert_eq!(
            lane.published_now(NOW),
            sent(number, &[&format!("a{number}")])
        );
    }
    assert_eq!(lane.published_now(NOW), None);
    assert_eq!(lane.heard(&gap(3)).len(), 2);
    assert_eq!(lane.published_now(NOW), sent(4, &["a4"]), "a new one");
}

#[test]
fn a_gap_while_a_publish_is_under_way_is_answered_after_it() {
    let mut lane = sender();
    lane.pushed(1..=1);
    lane.published_now(NOW);
    lane.pushed(2..=2);
    lane.take(NOW);
    lane.heard(&gap(0));
    lane.published(NOW, Ok(()));
    lane.pushed(3..=3);
    assert_eq!(lane.published_now(NOW), sent(1, &["a1", "a2", "a3"]));
}

#[test]
fn a_failed_publish_is_repeated_by_the_timer_and_counts_as_published() {
    let mut lane = sender();
    lane.pushed(1..=1);
    lane.published_now(NOW);
    lane.pushed(2..=2);
    assert_eq!(words(&lane.take(NOW).unwrap()), ["a2"]);
    lane.published(NOW, Err(()));
    lane.pushed(3..=3);
    assert_eq!(lane.take(NOW), None, "Redis does not work");
    lane.woken(NOW + 500);
    assert_eq!(lane.published_now(NOW), sent(1, &["a1", "a2", "a3"]));
    lane.pushed(4..=4);
    let mut out = Vec::new();
    lane.fail(&mut out);
    let (unknown, unsent) = (LaneOutcome::Unknown, LaneOutcome::Unsent);
    let failed = [(1, unknown), (2, unknown), (3, unknown), (4, unsent)];
    assert_eq!(told(out), failed);
    assert_eq!(lane.status(NOW).generation, 2);
}

#[test]
fn a_redis_that_fails_holds_a_new_generation_too() {
    let mut lane = sender();
    lane.pushed(1..=1);
    lane.take(NOW);
    lane.published(NOW, Err(()));
    lane.fail(&mut Vec::new());
    lane.pushed(2..=2);
    assert_eq!(lane.take(NOW), None);
    lane.woken(NOW + 500);
    assert_eq!(lane.published_now(NOW), sent(1, &["a2"]));
}

#[test]
fn a_redis_that_is_back_need_not_wait_for_the_timer() {
    let mut lane = sender();
    lane.pushed(1..=1);
    let mut at_ms = NOW;
    for _ in 0..3 {
        lane.take(at_ms).unwrap();
        lane.published(at_ms, Err(()));
        at_ms = lane.next_wakeup().unwrap();
        assert_eq!(lane.woken(at_ms), []);
    }
    lane.take(at_ms).unwrap();
    lane.published(at_ms, Err(()));
    assert_eq!(lane.take(at_ms + 1), None, "the timer has 4 s left");
    lane.resume(at_ms + 1);
    assert_eq!(lane.woken(at_ms + 1), []);
    assert_eq!(lane.published_now(at_ms + 1), sent(1, &["a1"]));
}

#[test]
fn what_redis_never_takes_is_unsent() {
    let mut lane = sender();
    lane.pushed(1..=1);
    lane.take(NOW);
    lane.pushed(2..=2);
    assert_eq!(lane.woken(NOW + 500), []);
    let failed = [(1, LaneOutcome::Unknown), (2, LaneOutcome::Unsent)];
    assert_eq!(lane.woken(NOW + LANE_DEADLINE_MS), failed);
    lane.pushed(3..=3);
    assert_eq!(lane.take(NOW), None, "the old PUBLISH is unanswered");
    lane.published(NOW, Ok(()));
    assert_eq!(lane.published_now(NOW), sent(1, &["a3"]));
}

#[test]
fn a_slow_answer_of_redis_is_no_loss() {
    let mut lane = sender();
    lane.pushed(1..=2);
    lane.take(NOW);
    lane.woken(NOW + 500);
    lane.published(NOW + 600, Ok(()));
    assert_eq!(lane.take(NOW + 600), None);
    lane.heard(&ack(1));
    assert_eq!(lane.take(NOW + 600), None);
}

#[test]
fn who_is_told_that_it_is_evicted_fails_what_it_has() {
    let mut lane = sender();
    lane.pushed(1..=2);
    lane.published_now(NOW);
    lane.heard(&ack(1));
    lane.pushed(3..=3);
    let all = [(2, LaneOutcome::Unknown), (3, LaneOutcome::Unsent)];
    assert_eq!(lane.heard(&LaneAck::evicted(1)), all);
    assert_eq!(
        lane.heard(&LaneAck::evicted(1)),
        [],
        "of the old generation"
    );
}

#[test]
fn an_ack_full_of_verdicts_is_asked_for_the_rest() {
    for (verdicts, asks) in [(LANE_VERDICTS_MAX - 1, false), (LANE_VERDICTS_MAX, true)] {
        let mut lane = sender();
        lane.pushed(1..=2000);
        while lane.published_now(NOW).is_some() {}
        let mut full = ack(verdicts as u64);
        full.verdicts = (1..=full.upto).map(|n| (n, Verdict::Offline)).collect();
        assert_eq!(lane.heard(&full).len(), verdicts);
        let again = lane.take(NOW);
        assert_eq!(again.map(|batch| batch.seen), asks.then_some(full.upto));
    }
}
