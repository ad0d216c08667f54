//! The list of tenants.

use protocol::{PlanName, TenantId, TenantLabels, UsageHour};
use router_core::store::tenants::{ListedTenant, TenantPart};
use router_core::store::{AssignedTerms, LabelsQuery, PolicyQuery, StoreQuery};

use crate::harness::{Subject, at, on_all, request};
use crate::usage::{book, hour};

/// What the list says of a tenant: absent, or when it used something last.
async fn listed(subject: &Subject, tenant: &TenantId) -> Option<Option<UsageHour>> {
    let part = TenantPart::of(tenant);
    let all = subject.asker.tenants(part).await.unwrap();
    assert!(all.is_sorted(), "{all:?}");
    let mut found = all.into_iter().filter(|it| it.tenant == *tenant);
    let ListedTenant { last_used, .. } = found.next()?;
    assert!(found.next().is_none(), "once");
    Some(last_used)
}

#[test]
fn tenants_are_listed_that_used_something_or_were_changed() {
    on_all(|subject: Subject| async move {
        let now_ms = hour().start_ms();
        let ask = async |tenant: &TenantId, query: StoreQuery| {
            let asked = request(tenant, at(now_ms, query));
            let reply = subject.asker.execute(asked).await;
            assert!(reply.is_ok(), "{reply:?}");
        };
        let mut tenants = Vec::new();
        for _ in 0..5 {
            tenants.push(subject.fresh_tenant().await);
        }
        let [used, assigned, suspended, labelled, untouched] = &tenants[..] else {
            unreachable!("there are five");
        };
        for tenant in &tenants {
            assert_eq!(listed(&subject, tenant).await, None);
        }
        let terms = AssignedTerms {
            plan: Some(PlanName::parse("pro").unwrap()),
            ..AssignedTerms::default()
        };
        let mut labels = TenantLabels::default();
        labels.add("region".to_owned(), "eu".to_owned()).unwrap();
        ask(used, book(1, 1, hour(), 5).into()).await;
        ask(assigned, PolicyQuery::Assign(terms.non_empty()).into()).await;
        ask(suspended, PolicyQuery::Suspend(true).into()).await;
        ask(labelled, LabelsQuery::Put(labels).into()).await;
        ask(untouched, PolicyQuery::Read.into()).await;
        ask(untouched, LabelsQuery::Get.into()).await;
        assert_eq!(listed(&subject, used).await, Some(Some(hour().day())));
        for tenant in [assigned, suspended, labelled] {
            assert_eq!(listed(&subject, tenant).await, Some(None));
        }
        assert_eq!(listed(&subject, untouched).await, None);

        // The later day counts, and a change does not take it away.
        ask(used, book(2, 1, hour().plus(24), 5).into()).await;
        ask(used, PolicyQuery::Suspend(true).into()).await;
        let next_day = hour().plus(24).day();
        assert_eq!(listed(&subject, used).await, Some(Some(next_day)));
    });
}
