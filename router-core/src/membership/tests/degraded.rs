//! Who was cut off or stopped evicts nobody.

use super::DegradedCause::{LinkDeaf, LinkDown, Recovering, StoreSilent};
use super::*;

#[test]
fn it_is_degraded_until_probe_and_beat_came_back() {
    let mut deaf = Rig::new();
    deaf.probes_return = false;
    deaf.pass(5000);
    assert!(deaf.node.view().degraded, "no probe came back");
    assert_eq!(deaf.node.view().degraded_cause, Some(LinkDeaf));
    deaf.probes_return = true;
    deaf.pass(1000);
    assert!(!deaf.node.view().degraded);

    let mut cut_off = Rig::new();
    cut_off.fate = |_| Fate::Lost;
    cut_off.pass(5000);
    assert!(cut_off.node.view().degraded, "no beat succeeded");
    assert_eq!(cut_off.node.view().degraded_cause, Some(StoreSilent));
    cut_off.fate = |_| Fate::Answered;
    cut_off.pass(1000);
    assert!(!cut_off.node.view().degraded);
    assert_eq!(cut_off.node.view().degraded_cause, None);

    let mut well = Rig::new();
    well.pass(60_000);
    assert!(well.did(&NodeEffect::Degraded(false)) && !well.did(&NodeEffect::Degraded(true)));
}

#[test]
fn who_was_stopped_for_20_s_buries_nobody() {
    let mut rig = Rig::with_x();
    rig.now_ms += 1000;
    // The answer and a probe lie in the process's buffers while it stands still.
    let ask = rig.take_beat();
    let reply = rig.execute(&ask);
    let number = rig.now_ms;
    rig.now_ms += 20_000;
    let mut fx = rig.raw(NodeInput::Answered { ask, reply });
    fx.extend(rig.raw(NodeInput::Probe { number }));
    assert!(fx.contains(&NodeEffect::Degraded(true)));
    assert!(rig.node.view().degraded, "old news prove nothing");
    rig.beating.clear();
    let ask = the_ask(&fx, is_beat);
    let number = rig.now_ms;
    rig.raw(NodeInput::Probe { number });
    assert!(rig.node.view().degraded, "no beat of today succeeded yet");
    assert_eq!(rig.node.view().degraded_cause, Some(Recovering));
    let reply = rig.execute(&ask);
    rig.give(NodeInput::Answered { ask, reply });
    rig.pass(5500);
    assert!(!rig.node.view().degraded);
    assert_eq!((rig.evictions(), rig.unchanged_ms(X)), (0, 5000));
}

#[test]
fn a_gap_between_two_beats_counts_2_s_at_most() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.pass(1000);
    assert_eq!(rig.unchanged_ms(X), 1000);
    rig.fate = |ask| {
        if is_beat(ask) {
            Fate::Lost
        } else {
            Fate::Answered
        }
    };
    rig.pass(1500);
    rig.fate = |_| Fate::Answered;
    let number = rig.now_ms;
    rig.raw(NodeInput::Probe { number });
    rig.now_ms += 1400;
    rig.give(NodeInput::Wake);
    assert!(!rig.node.view().degraded);
    assert_eq!(rig.unchanged_ms(X), 3000, "2.9 s after the last success");
}

#[test]
fn after_an_outage_nobody_buries_anybody() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.pass(5000);
    rig.fate = |_| Fate::Lost;
    rig.pass(2999);
    assert!(
        !rig.node.view().degraded,
        "beats have failed for less than 2 s"
    );
    rig.pass(1);
    assert!(rig.node.view().degraded && rig.did(&NodeEffect::Degraded(true)));
    assert_eq!(
        rig.state_of(X),
        Some(PeerState::Live),
        "the count starts anew"
    );
    rig.pass(60_000);
    rig.fate = |_| Fate::Answered;
    rig.pass(6000);
    assert!(!rig.node.view().degraded);
    assert_eq!((rig.evictions(), rig.unchanged_ms(X)), (0, 5000));
    rig.pass(1000);
    assert!(rig.did(&NodeEffect::Evicted(X)));
}

#[test]
fn a_deaf_node_is_degraded_after_2_s_and_buries_nobody() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.probes_return = false;
    rig.pass(1999);
    assert!(!rig.node.view().degraded);
    rig.pass(1);
    assert!(rig.node.view().degraded);
    rig.pass(20_000);
    assert_eq!((rig.evictions(), rig.unchanged_ms(X)), (0, 0));
    let number = rig.now_ms - 20_001;
    rig.raw(NodeInput::Probe { number });
    rig.pass(1000);
    assert!(rig.node.view().degraded, "that probe is of the time before");
    rig.probes_return = true;
    rig.pass(500);
    assert!(!rig.node.view().degraded);
}

#[test]
fn without_its_link_it_is_degraded_at_once_until_it_hears_itself() {
    let mut rig = Rig::with_x();
    let sent_before = rig.now_ms - 1;
    rig.give(NodeInput::LinkDown);
    assert!(rig.node.view().degraded);
    rig.pass(3000);
    assert!(rig.node.view().degraded, "beats alone do not do");
    rig.probes_return = false;
    rig.give(NodeInput::LinkUp);
    rig.give(NodeInput::Probe {
        number: sent_before,
    });
    assert!(rig.node.view().degraded);
    rig.probes_return = true;
    rig.pass(1000);
    assert!(!rig.node.view().degraded);
}

#[test]
fn the_link_coming_back_is_probed_at_once() {
    let mut rig = Rig::with_x();
    rig.pass(100);
    rig.raw(NodeInput::LinkDown);
    let fx = rig.raw(NodeInput::LinkUp);
    assert!(fx.contains(&NodeEffect::SendProbe { number: rig.now_ms }));
}

#[test]
fn a_probe_sent_before_the_link_dropped_proves_nothing() {
    let mut rig = Rig::with_x();
    let number = rig.now_ms;
    rig.now_ms += 1;
    rig.raw(NodeInput::LinkDown);
    rig.raw(NodeInput::LinkUp);
    rig.probes_return = false;
    rig.give(NodeInput::Probe { number });
    rig.pass(1900);
    assert!(rig.node.view().degraded);
}

#[test]
fn an_answer_after_2_s_is_as_late_as_none() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.now_ms += 1000;
    let ask = rig.take_beat();
    for _ in 0..2 {
        assert!(!rig.node.view().degraded);
        rig.now_ms += DEGRADED_MS / 2 - 1;
        let number = rig.now_ms;
        rig.raw(NodeInput::Probe { number });
    }
    rig.now_ms += 2;
    let reply = rig.execute(&ask);
    let fx = rig.raw(NodeInput::Answered { ask, reply });
    assert!(fx.contains(&NodeEffect::Degraded(true)));
    assert_eq!(rig.unchanged_ms(X), 0);
}

#[test]
fn not_even_the_dead_are_evicted_again_while_degraded() {
    let mut rig = Rig::with_x();
    rig.beating.clear();
    rig.pass(6000);
    assert_eq!(rig.evictions(), 1);
    rig.probes_return = false;
    rig.pass(3000);
    rig.beat(X);
    rig.pass(1000);
    assert!(rig.node.view().is_dead(X));
    assert_eq!(rig.evictions(), 1);
    rig.probes_return = true;
    rig.pass(2000);
    assert_eq!(rig.evictions(), 2);
}

#[test]
fn a_deaf_link_is_made_anew_every_four_seconds() {
    let mut rig = Rig::with_x();
    rig.probes_return = false;
    let renewed = |rig: &Rig| {
        let all = rig.effects.iter();
        all.filter(|it| **it == NodeEffect::RenewLink).count()
    };
    rig.pass(3900);
    assert_eq!(renewed(&rig), 0, "it is degraded, and waits");
    rig.pass(700);
    assert_eq!(renewed(&rig), 1);
    rig.give(NodeInput::LinkDown);
    rig.pass(20_000);
    assert_eq!(renewed(&rig), 1, "there is no link now");
    rig.give(NodeInput::LinkUp);
    rig.pass(4700);
    assert_eq!(renewed(&rig), 2);
    rig.probes_return = true;
    rig.pass(20_000);
    assert_eq!(renewed(&rig), 2, "it hears");
}

#[test]
fn who_stood_still_is_not_deaf() {
    let mut rig = Rig::with_x();
    rig.now_ms += 60_000;
    let fx = rig.raw(NodeInput::Wake);
    assert!(!fx.contains(&NodeEffect::RenewLink));
}

#[test]
fn the_cause_follows_what_happens() {
    let mut rig = Rig::with_x();
    rig.now_ms += 10;
    rig.raw(NodeInput::LinkDown);
    let cause = |rig: &Rig| rig.node.view().degraded_cause;
    assert_eq!(cause(&rig), Some(LinkDown));
    rig.now_ms += 100;
    rig.raw(NodeInput::LinkUp);
    assert_eq!(cause(&rig), Some(LinkDeaf));
    let number = rig.now_ms;
    rig.raw(NodeInput::Probe { number });
    assert_eq!(cause(&rig), Some(Recovering), "no beat since");
}
