use protocol::ErrorCode;
use protocol::lane::BatchItem;

use super::*;

/// A batch of generation 1: upper case letters are messages, lower case best effort.
fn batch(first_seq: u64, items: &str) -> LaneBatch {
    let item = |letter: char| BatchItem {
        sequenced: letter.is_ascii_uppercase(),
        envelope: Bytes::from(letter.to_string()),
    };
    LaneBatch {
        generation: 1,
        first_seq,
        seen: 0,
        items: items.chars().map(item).collect(),
    }
}

/// What is handled of a batch; all of it is delivered.
fn handle(receiver: &mut Receiver, batch: LaneBatch) -> String {
    let handed = receiver.arrived(batch);
    for seq in handed.iter().filter_map(|(seq, _)| *seq) {
        receiver.decided(seq, None);
    }
    let letters = handed.iter().flat_map(|(_, envelope)| envelope.iter());
    letters.map(|letter| char::from(*letter)).collect()
}

/// (upto, gap) of the ack that is due.
fn acked(receiver: &mut Receiver) -> Option<(u64, bool)> {
    receiver.ack().map(|ack| (ack.upto, ack.gap))
}

#[test]
fn a_batch_is_numbered_from_its_first_and_acked() {
    let mut lane = Receiver::default();
    let handed = lane.arrived(batch(1, "AxB"));
    let numbers: Vec<_> = handed.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(numbers, [Some(1), None, Some(2)]);
    lane.decided(1, None);
    lane.decided(2, Some(Verdict::Offline));
    let ack = LaneAck {
        generation: 1,
        upto: 2,
        gap: false,
        evicted: false,
        verdicts: vec![(2, Verdict::Offline)],
    };
    assert_eq!(lane.ack(), Some(ack));
    assert_eq!(lane.ack(), None, "it was taken");
}

#[test]
fn a_batch_that_comes_twice_is_acked_again_and_not_handled() {
    let mut lane = Receiver::default();
    assert_eq!(handle(&mut lane, batch(1, "ABx")), "ABx");
    assert_eq!(acked(&mut lane), Some((2, false)));
    assert_eq!(handle(&mut lane, batch(1, "ABx")), "");
    assert_eq!(acked(&mut lane), Some((2, false)));
    assert_eq!(handle(&mut lane, batch(2, "B")), "");
    assert_eq!(acked(&mut lane), Some((2, false)));
}

#[test]
fn behind_a_gap_nothing_is_handled() {
    let mut lane = Receiver::default();
    assert_eq!(handle(&mut lane, batch(2, "B")), "");
    assert_eq!(acked(&mut lane), Some((0, true)));
    assert_eq!(handle(&mut lane, batch(1, "A")), "A");
    assert_eq!(handle(&mut lane, batch(3, "x")), "", "best effort neither");
    assert_eq!(acked(&mut lane), Some((1, true)));
    handle(&mut lane, batch(1, "A"));
    assert_eq!(acked(&mut lane), Some((1, true)), "that ack may be lost");
    handle(&mut lane, batch(2, "B"));
    assert_eq!(acked(&mut lane), Some((2, false)));
}

#[test]
fn a_gap_that_is_filled_is_not_told() {
    let mut lane = Receiver::default();
    handle(&mut lane, batch(2, "B"));
    handle(&mut lane, batch(1, "AB"));
    assert_eq!(acked(&mut lane), Some((2, false)));
}

#[test]
fn of_an_overlap_only_the_new_part_is_handled() {
    let mut lane = Receiver::default();
    handle(&mut lane, batch(1, "AB"));
    assert_eq!(handle(&mut lane, batch(1, "AxByCzD")), "yCzD");
}

#[test]
fn best_effort_is_handled_only_in_its_place() {
    let mut lane = Receiver::default();
    assert_eq!(handle(&mut lane, batch(1, "x")), "x");
    assert_eq!(handle(&mut lane, batch(1, "A")), "A");
    assert_eq!(handle(&mut lane, batch(1, "x")), "", "A may end its stream");
    assert_eq!(acked(&mut lane), Some((1, false)));
    assert_eq!(handle(&mut lane, batch(2, "y")), "y");
    assert_eq!(acked(&mut lane), None, "nobody waits for that");
}

#[test]
fn a_lower_generation_is_dropped_and_a_higher_begins_at_1() {
    let mut lane = Receiver::default();
    let newer = |first_seq, items| LaneBatch {
        generation: 2,
        ..batch(first_seq, items)
    };
    handle(&mut lane, batch(1, "AB"));
    assert_eq!(handle(&mut lane, newer(3, "C")), "");
    assert_eq!(acked(&mut lane), Some((0, true)));
    assert_eq!(handle(&mut lane, newer(1, "C")), "C");
    assert_eq!(
        lane.ack().map(|ack| (ack.generation, ack.upto)),
        Some((2, 1))
    );
    assert_eq!(handle(&mut lane, batch(3, "D")), "");
    assert_eq!(lane.ack(), None, "no ack for the past");
}

#[test]
fn verdicts_are_repeated_until_the_sender_has_seen_them() {
    let mut lane = Receiver::default();
    let refused = Verdict::Refused(ErrorCode::NotSupported);
    lane.arrived(batch(1, "ABC"));
    lane.decided(1, Some(refused));
    lane.decided(2, None);
    lane.decided(3, Some(Verdict::Offline));
    let verdicts = |lane: &mut Receiver| lane.ack().unwrap().verdicts;
    let both = [(1, refused), (3, Verdict::Offline)];
    assert_eq!(verdicts(&mut lane), both);
    lane.arrived(batch(1, "ABC"));
    assert_eq!(verdicts(&mut lane), both, "that ack may be lost");
    let mut seen = batch(2, "BC");
    seen.seen = 1;
    lane.arrived(seen);
    assert_eq!(verdicts(&mut lane), both[1..]);
    lane.arrived(batch(1, "ABC"));
    assert_eq!(
        verdicts(&mut lane),
        both[1..],
        "an older batch unsees nothing"
    );
}

#[test]
fn what_was_not_acked_cannot_be_seen() {
    let mut lane = Receiver::default();
    let mut liar = batch(1, "A");
    liar.seen = u64::MAX;
    lane.arrived(liar);
    lane.decided(1, Some(Verdict::Offline));
    assert_eq!(lane.ack().unwrap().verdicts.len(), 1);
}

#[test]
fn an_ack_is_due_every_64_kib_of_best_effort() {
    let mut lane = Receiver::default();
    let mut half = batch(1, "x");
    half.items[0].envelope = Bytes::from(vec![0; LANE_BATCH_BYTES / 2 - 64]);
    for _ in 0..2 {
        handle(&mut lane, half.clone());
        assert_eq!(acked(&mut lane), None, "below");
        handle(&mut lane, half.clone());
        assert_eq!(acked(&mut lane), Some((0, false)), "at");
    }
}

#[test]
fn an_ack_ends_before_the_first_verdict_that_it_cannot_carry() {
    let most = LANE_VERDICTS_MAX as u64;
    for (refused, upto, carried) in [
        (most - 1, most + 5, LANE_VERDICTS_MAX - 1),
        (most, most + 5, LANE_VERDICTS_MAX),
        (most + 1, most, LANE_VERDICTS_MAX),
    ] {
        let mut lane = Receiver::default();
        for seq in 1..=most + 5 {
            lane.arrived(batch(seq, "A"));
            let offline = seq <= refused;
            lane.decided(seq, offline.then_some(Verdict::Offline));
        }
        let ack = lane.ack().unwrap();
        assert_eq!((ack.upto, ack.verdicts.len()), (upto, carried));
        let mut seen = batch(upto + 1, "A");
        seen.seen = upto;
        lane.arrived(seen);
        let rest = lane.ack().unwrap();
        assert_eq!(rest.verdicts.len() as u64, refused.saturating_sub(upto));
    }
}

#[test]
fn no_more_verdicts_are_kept_than_messages_may_be_unacked() {
    let mut lane = Receiver::default();
    for seq in 1..=LANE_UNACKED_MAX + 1 {
        for (seq, _) in lane.arrived(batch(seq, "A")) {
            lane.decided(seq.unwrap(), Some(Verdict::Offline));
        }
    }
    assert_eq!(lane.verdicts.len() as u64, LANE_UNACKED_MAX);
}
