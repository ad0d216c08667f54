use protocol::ErrorCode;
use protocol::lane::Verdict;
use protocol::limits::{LANE_ITEM_OVERHEAD_BYTES, LANE_TURN_BYTES, LANE_WINDOW_BYTES_MIN};
use protocol::{Name, StreamId};

use super::*;
use crate::effect::Receipt;

const NOW: Millis = 1_000_000;
/// The bytes of an envelope that fills a batch.
const WHOLE: usize = LANE_BATCH_BYTES - LANE_ITEM_OVERHEAD_BYTES;

fn sender() -> Sender {
    Sender::new(BootId::from_bits(1), BootId::from_bits(2), HashKeys(1, 2))
}

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn parcel(owner: &str, number: u64, bytes: usize) -> Parcel {
    let mut text = format!("{owner}{number}").into_bytes();
    text.resize(bytes.max(text.len()), b' ');
    Parcel {
        receipt: Receipt::new(tenant(owner), number),
        bytes: Bytes::from(text),
    }
}

impl Sender {
    fn pushed(&mut self, numbers: std::ops::RangeInclusive<u64>) {
        numbers.for_each(|n| self.push(NOW, parcel("a", n, 8)).unwrap());
    }

    fn typing(&mut self, stream: Option<&str>, text: &str) -> bool {
        let name = |name| Name::parse(name).unwrap();
        let stream = stream.map(|id| StreamId::parse(id).unwrap());
        let key = (name("bot"), name("phone"), stream);
        self.push_best_effort(&tenant("a"), key, Bytes::from(text.to_owned()))
    }

    /// The first number and the envelopes of what is published, which Redis accepts.
    fn published_now(&mut self, now_ms: Millis) -> Option<(u64, Vec<String>)> {
        let batch = self.take(now_ms)?;
        self.published(now_ms, Ok(()));
        Some((batch.first_seq, words(&batch)))
    }

    fn woken(&mut self, now_ms: Millis) -> Vec<(u64, Settled)> {
        let mut out = Vec::new();
        self.wake(now_ms, &mut out);
        told(out)
    }

    fn heard(&mut self, ack: &Ack) -> Vec<(u64, Settled)> {
        let mut out = Vec::new();
        self.acked(NOW, ack, &mut out);
        told(out)
    }
}

fn words(batch: &Batch) -> Vec<String> {
    let items = batch.items.iter();
    items
        .map(|item| String::from_utf8_lossy(&item.envelope).trim().to_owned())
        .collect()
}

fn told(out: Outcomes) -> Vec<(u64, Settled)> {
    let each = out.into_iter();
    each.map(|(parcel, settled)| (parcel.receipt.number, settled))
        .collect()
}

fn ack(upto: u64) -> Ack {
    Ack {
        generation: 1,
        upto,
        gap: false,
        buried: false,
        verdicts: Vec::new(),
    }
}

fn gap(upto: u64) -> Ack {
    Ack {
        gap: true,
        ..ack(upto)
    }
}

fn sent(first_seq: u64, items: &[&str]) -> Option<(u64, Vec<String>)> {
    let items = items.iter().map(|item| (*item).to_owned());
    Some((first_seq, items.collect()))
}

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
fn an_ack_settles_and_its_verdicts_are_told() {
    let mut lane = sender();
    lane.pushed(1..=4);
    lane.take(NOW);
    let refused = Verdict::Refused(ErrorCode::RecipientBusy);
    let mut three = ack(3);
    three.verdicts = vec![(2, refused), (4, Verdict::Offline)];
    let settled = [
        (1, Settled::Delivered),
        (2, Settled::Verdict(refused)),
        (3, Settled::Delivered),
    ];
    assert_eq!(lane.heard(&three), settled);
    assert_eq!(lane.heard(&three), [], "twice says nothing");
    assert_eq!(lane.heard(&ack(4)), [(4, Settled::Delivered)]);
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
        let other = Ack {
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
        (1, Settled::Unknown),
        (2, Settled::Unknown),
        (3, Settled::Unsent),
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
    let (unknown, unsent) = (Settled::Unknown, Settled::Unsent);
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
    let failed = [(1, Settled::Unknown), (2, Settled::Unsent)];
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
fn who_is_told_that_it_is_buried_fails_what_it_has() {
    let mut lane = sender();
    lane.pushed(1..=2);
    lane.published_now(NOW);
    lane.heard(&ack(1));
    lane.pushed(3..=3);
    let all = [(2, Settled::Unknown), (3, Settled::Unsent)];
    assert_eq!(lane.heard(&Ack::buried(1)), all);
    assert_eq!(lane.heard(&Ack::buried(1)), [], "of the old generation");
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
    let status = Status {
        generation: 1,
        unacked_bytes: 2 * (8 + LANE_ITEM_OVERHEAD_BYTES),
        waiting_bytes: 8 + LANE_ITEM_OVERHEAD_BYTES,
        unacked: 2,
        resends: 0,
        oldest_ms: Some(10),
    };
    assert_eq!(lane.status(NOW + 10), status);
}
