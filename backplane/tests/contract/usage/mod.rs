//! The usage ledger of a tenant.

mod damage;
mod index;
mod random;

use protocol::limits::{USAGE_CLOSE_MS, USAGE_SEEN_HOURS};
use protocol::{UsageCounts, UsageHour, UsageMeter};
use router_core::store::{UsageQuery, UsageRecord};

use crate::harness::{Step, Subject, at, on_all};
use crate::support::words::boot;

/// The first hour of the cases.
pub fn hour() -> UsageHour {
    UsageHour::parse("2026112822").unwrap()
}

/// A record of a boot: it counted this much of two meters.
pub fn book(i: u8, seq: u64, hour: UsageHour, amount: u64) -> UsageQuery {
    let counts = [
        (UsageMeter::BytesIn, amount),
        (UsageMeter::ConnectionSecondsBot, 3 * amount),
    ];
    let counts: UsageCounts = counts.into_iter().collect();
    let boot = boot(i);
    UsageQuery::Book {
        record: Box::new(UsageRecord {
            boot,
            seq,
            hour,
            counts,
        }),
        is_first_of_day: seq == 1,
    }
}

/// The hours around that of the cases.
fn read() -> UsageQuery {
    let (from, to) = (hour().minus(2), hour().plus(200));
    UsageQuery::Read { from, to }
}

#[test]
fn usage_of_a_tenant() {
    on_all(|mut subject: Subject| async move {
        for (case, steps) in cases() {
            subject.compare(case, steps).await;
        }
    });
}

fn cases() -> Vec<(&'static str, Vec<Step>)> {
    let (hour, next) = (hour(), hour().plus(1));
    let now_ms = hour.start_ms() + 5;
    let closed_ms = hour.end_ms() + USAGE_CLOSE_MS;
    let forgotten_ms = now_ms + u64::from(USAGE_SEEN_HOURS) * 3_600_000;
    vec![
        (
            "absent",
            vec![at(now_ms, read()), at(now_ms, UsageQuery::Seen)],
        ),
        (
            "added up",
            vec![
                at(now_ms, book(1, 1, hour, 5)),
                at(now_ms, book(2, 1, hour, 7)),
                at(now_ms, book(1, 2, next, 9)),
                at(now_ms, read()),
                at(now_ms, UsageQuery::Seen),
            ],
        ),
        (
            "repeated",
            vec![
                at(now_ms, book(1, 7, hour, 5)),
                at(now_ms, book(1, 7, hour, 5)),
                at(now_ms, book(1, 6, hour, 100)),
                at(now_ms, book(1, 8, hour, 1)),
                at(now_ms, read()),
                at(now_ms, UsageQuery::Seen),
            ],
        ),
        (
            "at the end of an hour",
            vec![
                at(closed_ms - 1, book(1, 1, hour, 5)),
                at(closed_ms, book(1, 2, hour, 7)),
                at(closed_ms, book(1, 2, hour, 7)),
                at(closed_ms, read()),
            ],
        ),
        (
            "late by days",
            vec![
                at(now_ms, book(1, 1, hour, 5)),
                at(now_ms + 40 * 3_600_000, book(1, 2, hour, 7)),
                at(now_ms + 40 * 3_600_000, read()),
            ],
        ),
        (
            "large amounts",
            vec![
                at(now_ms, book(1, 1, hour, (1 << 50) - 1)),
                at(now_ms, book(1, 2, hour, (1 << 50) - 1)),
                at(now_ms, read()),
            ],
        ),
        (
            "boots that are gone for 7 days",
            vec![
                at(now_ms, book(1, 1, hour, 5)),
                at(now_ms + 1, book(2, 9, hour, 5)),
                at(
                    forgotten_ms - 3_600_000,
                    book(3, 4, UsageHour::of(forgotten_ms - 3_600_000), 5),
                ),
                at(forgotten_ms, UsageQuery::Seen),
                at(forgotten_ms, book(3, 5, UsageHour::of(forgotten_ms), 5)),
                at(forgotten_ms, UsageQuery::Seen),
            ],
        ),
    ]
}
