//! The index of the tenants that used something on a day.

use protocol::{TenantId, UsageHour};
use router_core::store::UsageIndexQuery;

use super::{book, hour};
use crate::harness::{Subject, at, on_all, request};

#[test]
fn tenants_are_found_on_the_days_on_which_they_used_something() {
    on_all(|subject: Subject| async move {
        let (one, two) = (subject.fresh_tenant().await, subject.fresh_tenant().await);
        let now_ms = hour().start_ms();
        let next_day = hour().day().plus(UsageHour::PER_DAY);
        let ask = async |tenant: &TenantId, query| {
            let reply = subject
                .asker
                .execute(request(tenant, at(now_ms, query)))
                .await;
            assert!(reply.is_ok(), "{reply:?}");
        };
        let found = async |tenant: &TenantId, day| {
            let part = UsageIndexQuery::part_of(tenant);
            let query = UsageIndexQuery { day, part };
            let index = subject.asker.usage_index(query).await.unwrap();
            index.contains(tenant)
        };
        ask(&one, book(1, 1, hour(), 5)).await;
        ask(&two, book(1, 1, next_day, 5)).await;
        let today = hour().day();
        assert!(found(&one, today).await && !found(&one, next_day).await);
        assert!(!found(&two, today).await && found(&two, next_day).await);
        // Far too late: it is found on the day into which it is booked.
        let late_ms = now_ms + 100 * 3_600_000;
        let late = request(&one, at(late_ms, book(1, 2, hour(), 5)));
        assert!(subject.asker.execute(late).await.is_ok());
        assert!(found(&one, UsageHour::of(late_ms).day()).await);
    });
}
