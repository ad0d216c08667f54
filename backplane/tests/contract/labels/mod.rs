//! The labels of a tenant.

use fixtures::RedisServer;
use protocol::TenantId;
use protocol::limits::{LABEL_BYTES_MAX, LABELS_MAX};
use router_core::store::{LabelsQuery, LabelsReply, StoreFailure, StoreReply};

use crate::harness::{Step, Subject, at, connect, on_all, request, run, url_of};
use crate::support::words::labels;

fn put(pairs: &[(&str, &str)]) -> LabelsQuery {
    LabelsQuery::Put(labels(pairs))
}

#[test]
fn labels_of_a_tenant() {
    on_all(|mut subject: Subject| async move {
        for (case, steps) in cases() {
            subject.compare(case, steps).await;
        }
    });
}

fn cases() -> Vec<(&'static str, Vec<Step>)> {
    let names: Vec<String> = (10..10 + LABELS_MAX).map(|n| format!("n{n}")).collect();
    let value = "ü".repeat((LABEL_BYTES_MAX - 3) / 2);
    let most: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), value.as_str()))
        .collect();
    vec![
        ("absent", vec![at(1, LabelsQuery::Get)]),
        (
            "replaced",
            vec![
                at(1, put(&[("plan", "pro"), ("region", "eu-1")])),
                at(2, LabelsQuery::Get),
                at(3, put(&[("plan", "")])),
                at(3, LabelsQuery::Get),
            ],
        ),
        ("most", vec![at(1, put(&most)), at(2, LabelsQuery::Get)]),
        (
            "removed",
            vec![
                at(1, put(&[("plan", "pro")])),
                at(2, put(&[])),
                at(3, LabelsQuery::Get),
                at(3, put(&[])),
            ],
        ),
    ]
}

#[test]
fn tenants_have_labels_of_their_own() {
    on_all(|subject: Subject| async move {
        let (one, two) = (subject.fresh_tenant().await, subject.fresh_tenant().await);
        let ask = async |tenant: &TenantId, query| {
            let reply = subject.asker.execute(request(tenant, at(1, query))).await;
            reply.and_then(StoreReply::into_labels).unwrap()
        };
        ask(&one, put(&[("plan", "pro")])).await;
        ask(&two, put(&[("plan", "free")])).await;
        let [of_one, of_two] = [
            ask(&one, LabelsQuery::Get).await,
            ask(&two, LabelsQuery::Get).await,
        ];
        assert_eq!(of_one, LabelsReply::Labels(labels(&[("plan", "pro")])));
        assert_eq!(of_two, LabelsReply::Labels(labels(&[("plan", "free")])));
    });
}

#[test]
fn what_is_no_labels_is_not_read_and_can_be_replaced() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let url = url_of(&redis);
    run(async {
        let node = connect(&url).await;
        let alice = TenantId::parse("alice").unwrap();
        let ask = async |query| node.execute(request(&alice, at(1, query))).await;
        // A map with a number as a value; no map; a map that is cut off.
        for stored in ["\u{1}x", "x", "\u{7f}"] {
            redis.command(&["SET", "t2b:{alice}:labels", stored]);
            assert_eq!(ask(LabelsQuery::Get).await, Err(StoreFailure::Damaged));
            let error = node.state().last_error.unwrap_or_default();
            assert!(error.contains("the tenant alice"), "{error}");
        }
        let right = LabelsReply::Labels(labels(&[("plan", "pro")]));
        let replaced = ask(put(&[("plan", "pro")])).await;
        assert_eq!(replaced, Ok(StoreReply::Labels(right)));
        redis.command(&["FLUSHALL"]);
        redis.command(&["LPUSH", "t2b:{alice}:labels", "x"]);
        assert_eq!(ask(LabelsQuery::Get).await, Err(StoreFailure::Damaged));
        let error = node.state().last_error.unwrap_or_default();
        assert!(error.contains("t2b:{alice}:labels"), "{error}");
    });
}
