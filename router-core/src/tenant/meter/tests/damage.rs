//! What the store has of the tenant is damaged: records wait, and the hours of others close.

use protocol::limits::USAGE_CLOSE_MS;
use protocol::{ErrorCode, UsageHour, UsageMeter};

use super::{BOOKED, BOT, LOST, Rig};
use crate::store::{StoreFailure, StoreResult};

const DAMAGED: StoreResult = Err(StoreFailure::Damaged);

#[test]
fn damaged_usage_holds_an_hour_for_as_long_as_the_hour_takes_to_close() {
    let mut rig = Rig::new();
    rig.with(|meter, env| meter.set_sockets(env, BOT));
    rig.count(5);
    let first = rig.flush().unwrap();
    rig.answer(&first, LOST);
    let hour = Some(first.hour);
    for (pass_ms, reply, held) in [
        (0, DAMAGED, hour),
        (USAGE_CLOSE_MS - 1, DAMAGED, hour),
        // The store is away: it does not say that the usage is damaged still.
        (1, LOST, hour),
        (0, DAMAGED, None),
        (0, LOST, None),
        // A later hour is not held either.
        (2 * 3_600_000, DAMAGED, None),
    ] {
        rig.pass(pass_ms);
        assert_eq!(rig.flush(), Some(first.clone()));
        rig.answer(&first, reply);
        assert_eq!(rig.oldest(), held, "{pass_ms} ms");
    }
    assert!(!rig.meter.is_settled());
    assert!(rig.meter.unbooked_since().is_some());

    // Repaired: what waited is booked, and only then an hour is held again.
    let mut record = rig.flush().unwrap();
    let mut seconds = 0;
    loop {
        seconds += record.counts[UsageMeter::ConnectionSecondsBot];
        let next = rig.answer(&record, BOOKED);
        assert_eq!(rig.oldest().is_none(), next.is_some());
        let Some(next) = next else { break };
        record = next;
    }
    let now = UsageHour::of(rig.unix_ms + rig.now_ms);
    assert_eq!(rig.oldest(), Some(now));
    let last = rig.flush().unwrap();
    rig.answer(&last, BOOKED);
    seconds += last.counts[UsageMeter::ConnectionSecondsBot];
    assert_eq!(seconds, rig.now_ms);
}

#[test]
fn a_store_that_is_away_holds_an_hour_for_good() {
    let mut rig = Rig::new();
    rig.count(5);
    let first = rig.flush().unwrap();
    for reply in [
        LOST,
        Err(StoreFailure::Refused(ErrorCode::StoreUnavailable)),
        Err(StoreFailure::Refused(ErrorCode::QuotaExceeded)),
    ] {
        rig.pass(24 * USAGE_CLOSE_MS);
        rig.flush();
        rig.answer(&first, reply);
        assert_eq!(rig.oldest(), Some(first.hour));
    }
    // A short damage before it is over once a record is booked.
    rig.answer(&first, DAMAGED);
    rig.flush();
    rig.answer(&first, BOOKED);
    rig.pass(USAGE_CLOSE_MS);
    rig.count(1);
    let second = rig.flush().unwrap();
    rig.answer(&second, DAMAGED);
    assert_eq!(rig.oldest(), Some(second.hour));
}
