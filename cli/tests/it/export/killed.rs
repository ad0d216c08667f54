//! An exporter that is killed 50 times, anywhere: the receiver bills exactly what the ledger has.

use std::time::Instant;

use fixtures::blocking_pass;

use super::billing::MockKind;
use super::receiver::ReceiverFault;
use super::stage::ExportStage;

const KILLS: u32 = 50;
/// Most requests before the one at which the exporter is killed.
const REQUESTS: usize = 3;

fn killed_anywhere(kind: MockKind) {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let stage = ExportStage::with_hours(kind, 1);
    let started = Instant::now();
    stage.export(&[]).with(0);
    let usual = started.elapsed();
    let mut killed = 0;
    for round in 1..=KILLS {
        // Something new in each round: what is left over from the last one comes before it.
        stage.use_hour(stage.first.plus(round));
        stage.receiver.heal();
        let process;
        if random.bool() {
            // At one of its requests.
            let before = random.usize(..REQUESTS);
            let fault = random.choice([ReceiverFault::KillBefore, ReceiverFault::KillAfter]);
            stage.receiver.fail(&vec![ReceiverFault::None; before]);
            stage.receiver.fail(&[fault.unwrap()]);
            process = stage.start(&[]);
            stage.receiver.watch(process.pid());
        } else {
            // At any moment of its life.
            process = stage.start(&[]);
            blocking_pass(usual.mul_f64(random.f64()));
            process.signal("-KILL");
        }
        let ended = process.wait();
        stage.receiver.forget_process();
        killed += u32::from(ended.status.code().is_none());
    }
    stage.receiver.heal();
    stage.export(&[]).with(0);
    stage.check(&format!("seed {seed}"));
    // Some have ended before they were killed. If these are many, the test tests little.
    assert!(killed > KILLS / 2, "{killed} were killed, seed {seed}");
}

#[test]
fn openmeter_bills_what_the_ledger_has() {
    killed_anywhere(MockKind::OpenMeter);
}

#[test]
fn stripe_bills_what_the_ledger_has() {
    killed_anywhere(MockKind::Stripe);
}

#[test]
fn a_stream_of_stripe_bills_what_the_ledger_has() {
    killed_anywhere(MockKind::StripeStream);
}

#[test]
fn lago_bills_what_the_ledger_has() {
    killed_anywhere(MockKind::Lago);
}

#[test]
fn orb_bills_what_the_ledger_has() {
    killed_anywhere(MockKind::Orb);
}

#[test]
fn metronome_bills_what_the_ledger_has() {
    killed_anywhere(MockKind::Metronome);
}
