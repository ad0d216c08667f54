//! What waits, gives way and is given back.

use proptest::prelude::*;
use protocol::CloseCode;

use super::super::budget::Budget;
use super::*;

const BYTES_MAX: usize = 100;
const FRAMES_MAX: u32 = 8;

#[derive(Debug, Clone)]
enum Step {
    Push(OutgoingFrame),
    Ping,
    Take,
    Written,
    Close,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let key = (0..3u8).prop_map(|n| StreamKey::from(format!("bot {n}")));
    let class = prop_oneof![
        Just(QueueClass::Answer),
        Just(QueueClass::Presence),
        proptest::option::of(key.clone()).prop_map(QueueClass::Message),
        key.prop_map(QueueClass::Partial),
    ];
    let push = (class, 0..40usize).prop_map(|(class, bytes)| {
        Step::Push(OutgoingFrame::text(vec![b'x'; bytes].into(), class))
    });
    prop_oneof![
        30 => push,
        2 => Just(Step::Ping),
        5 => Just(Step::Take),
        5 => Just(Step::Written),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
    ]
}

fn queue(budget: &Budget) -> OutboundQueue {
    OutboundQueue::new(WriteLimits {
        bytes: BYTES_MAX,
        frames: FRAMES_MAX,
        budget: budget.clone(),
    })
}

proptest! {
    #[test]
    fn never_passes_its_limits_and_gives_everything_back(
        steps in proptest::collection::vec(step(), 1..80),
        budget_bytes in 50..150u64,
    ) {
        let budget = Budget::new(budget_bytes, None);
        let mut queue = queue(&budget);
        let mut writing = OutgoingBatch::default();
        for (now_ms, step) in steps.into_iter().enumerate() {
            let (bytes, full) = (queue.held().bytes(), queue.held().full_since_ms());
            match step {
                Step::Push(frame) => {
                    let pushed = queue.push(frame, now_ms as u64);
                    let gone = queue.end != QueueEnd::Open;
                    prop_assert_eq!(pushed == PushOutcome::Gone, gone);
                    prop_assert!(pushed != PushOutcome::Full || queue.held().bytes() <= bytes);
                    prop_assert!(full.is_none_or(|since| queue.held().full_since_ms().is_none_or(|now| now == since)));
                }
                Step::Ping => queue.push_control(OpCode::Ping, Bytes::new()),
                Step::Take if writing.is_empty() => writing = queue.next_batch(),
                Step::Take => {}
                Step::Written => {
                    let data = std::mem::take(&mut writing).data;
                    let sizes: Vec<_> = data.iter().map(|sent| sent.payload.len()).collect();
                    queue.written(sizes.iter().sum(), sizes.len(), sizes.iter().sum());
                }
                Step::Close => queue.close(ConnectionEnd::Us(CloseCode::Restart)),
                Step::Kill => queue.kill(),
            }
            prop_assert!(queue.held().frames() <= FRAMES_MAX as usize && queue.held().bytes() <= BYTES_MAX);
            prop_assert!(queue.control.len() <= CONTROL_FRAMES_MAX);
            prop_assert_eq!(budget.used(), queue.held().bytes() as u64);
            let waiting = queue.data.iter().filter(|frame| frame.is_partial()).count();
            prop_assert_eq!(queue.partials as usize, waiting);
            if queue.end == QueueEnd::Open && writing.is_empty() {
                let sum: usize = queue.data.iter().map(|frame| frame.payload.len()).sum();
                prop_assert_eq!((queue.held().frames(), queue.held().bytes()), (queue.data.len(), sum));
            }
        }
        drop(queue);
        prop_assert_eq!(budget.used(), 0);
    }
}

fn text(bytes: usize, class: QueueClass) -> OutgoingFrame {
    OutgoingFrame::text(vec![b'x'; bytes].into(), class)
}

fn partial(bytes: usize) -> OutgoingFrame {
    text(bytes, QueueClass::Partial("bot s".into()))
}

#[test]
fn the_last_byte_and_the_last_frame_fit_and_no_more() {
    let mut queue = queue(&Budget::new(1000, None));
    assert_eq!(
        queue.push(text(BYTES_MAX, QueueClass::Answer), 0),
        PushOutcome::Queued
    );
    assert_eq!(
        queue.push(text(0, QueueClass::Answer), 0),
        PushOutcome::Queued
    );
    assert_eq!(
        queue.push(text(1, QueueClass::Answer), 0),
        PushOutcome::Full
    );
    for _ in 2..FRAMES_MAX {
        assert_eq!(
            queue.push(text(0, QueueClass::Answer), 0),
            PushOutcome::Queued
        );
    }
    assert_eq!(
        queue.push(text(0, QueueClass::Answer), 0),
        PushOutcome::Full
    );
}

#[test]
fn partials_give_way_to_everything_else() {
    let mut queue = queue(&Budget::new(1000, None));
    assert_eq!(queue.push(partial(60), 0), PushOutcome::Queued);
    assert_eq!(
        queue.push(text(60, QueueClass::Message(None)), 0),
        PushOutcome::Queued
    );
    assert_eq!((queue.held().frames(), queue.held().bytes()), (1, 60));
    assert_eq!(queue.push(partial(40), 0), PushOutcome::Queued);
    assert_eq!(
        queue.push(partial(41), 7),
        PushOutcome::Full,
        "the older one stays"
    );
    assert_eq!(
        (queue.held().bytes(), queue.held().full_since_ms()),
        (100, Some(7))
    );
}

#[test]
fn full_ends_when_half_is_written() {
    let mut queue = queue(&Budget::new(1000, None));
    for _ in 0..4 {
        assert_eq!(
            queue.push(text(25, QueueClass::Answer), 0),
            PushOutcome::Queued
        );
    }
    assert_eq!(
        queue.push(text(1, QueueClass::Presence), 5),
        PushOutcome::Full
    );
    assert_eq!(
        queue.held().full_since_ms(),
        Some(5),
        "presence counts as well"
    );
    assert_eq!(
        queue.push(text(1, QueueClass::Answer), 9),
        PushOutcome::Full
    );
    queue.next_batch();
    assert!(!queue.written(25, 1, 25));
    assert_eq!(queue.held().full_since_ms(), Some(5));
    assert!(queue.written(25, 1, 25), "who waits for room is told");
    assert_eq!(queue.held().full_since_ms(), None);
    assert!(!queue.written(25, 1, 25), "and only once");
}

#[test]
fn room_is_told_only_when_the_budget_has_some_too() {
    let budget = Budget::new(100, None);
    let (mut queue, mut other) = (queue(&budget), self::queue(&budget));
    assert_eq!(
        other.push(text(100, QueueClass::Answer), 0),
        PushOutcome::Queued
    );
    assert_eq!(
        queue.push(text(1, QueueClass::Presence), 0),
        PushOutcome::Full
    );
    assert_eq!(
        queue.held().full_since_ms(),
        None,
        "it is not its own fault"
    );
    assert!(!queue.held_mut().take_room());
    other.next_batch();
    other.written(100, 1, 100);
    assert!(queue.held_mut().take_room() && !queue.held_mut().take_room());
}

#[test]
fn what_waits_is_dropped_at_once_when_it_is_shed() {
    let budget = Budget::new(1000, None);
    let mut queue = queue(&budget);
    for class in [QueueClass::Answer, QueueClass::Message(None)] {
        assert_eq!(queue.push(text(30, class), 0), PushOutcome::Queued);
    }
    let writing = queue.next_batch();
    assert_eq!(queue.push(partial(40), 0), PushOutcome::Queued);
    assert!(queue.shed(ConnectionEnd::Us(CloseCode::SlowConsumer)));
    assert!(!queue.shed(ConnectionEnd::Us(CloseCode::TryLater)));
    assert_eq!(
        (queue.held().bytes(), budget.used()),
        (60, 60),
        "what is being written stays"
    );
    queue.written(60, writing.data.len(), 60);
    assert_eq!(
        queue.push(text(1, QueueClass::Answer), 0),
        PushOutcome::Gone
    );
    let batch = queue.next_batch();
    assert!(batch.data.is_empty() && budget.used() == 0);
    assert_eq!(
        batch.close,
        Some(ConnectionEnd::Us(CloseCode::SlowConsumer))
    );
}

#[test]
fn control_goes_first_and_close_goes_last() {
    let mut queue = queue(&Budget::new(1000, None));
    assert_eq!(
        queue.push(text(1, QueueClass::Answer), 0),
        PushOutcome::Queued
    );
    for n in 0..=CONTROL_FRAMES_MAX as u8 {
        queue.push_control(OpCode::Pong, vec![n].into());
    }
    queue.close(ConnectionEnd::Us(CloseCode::Restart));
    queue.close(ConnectionEnd::Peer(None));
    let batch = queue.next_batch();
    assert!(queue.is_empty() && batch.control.len() == CONTROL_FRAMES_MAX);
    let newest = &batch.control[CONTROL_FRAMES_MAX - 1];
    assert_eq!(newest.1[..], [CONTROL_FRAMES_MAX as u8]);
    assert_eq!(batch.data.len(), 1);
    assert_eq!(batch.close, Some(ConnectionEnd::Us(CloseCode::Restart)));
    assert_eq!(queue.ended(), ConnectionEnd::Us(CloseCode::Restart));
}
