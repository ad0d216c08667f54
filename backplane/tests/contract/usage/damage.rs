//! What somebody else wrote into the ledger, or took from it.

use fixtures::RedisServer;
use protocol::{TenantId, UsageMeter};
use router_core::store::{StoreFailure, UsageQuery, UsageReply};

use super::{book, hour, read};
use crate::harness::{at, connect, request, run, url_of};

#[test]
fn an_amount_that_was_changed_is_noticed() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let url = url_of(&redis);
    run(async {
        let node = connect(&url).await;
        let alice = TenantId::parse("alice").unwrap();
        let now_ms = hour().start_ms();
        let ask = async |query| {
            let reply = node.execute(request(&alice, at(now_ms, query))).await;
            reply.and_then(|reply| reply.into_usage())
        };
        let is_intact = async || {
            let Ok(UsageReply::Hours { hours, .. }) = ask(read()).await else {
                panic!("it has hours");
            };
            hours.iter().all(|(_, usage)| usage.is_intact())
        };
        let key = format!("t2b:{{alice}}:usage:{}", hour());
        for meter in UsageMeter::ALL {
            ask(book(1, 10 + meter.index() as u64, hour(), 5))
                .await
                .unwrap();
            assert!(is_intact().await, "{meter}");
            redis.command(&["HINCRBY", &key, meter.name(), "1"]);
            assert!(!is_intact().await, "{meter}");
            redis.command(&["HINCRBY", &key, meter.name(), "-1"]);
        }
        // A meter of a later build is passed over, and no amount stops the reading.
        redis.command(&["HSET", &key, "later_meter", "7"]);
        assert!(ask(read()).await.is_ok());
        redis.command(&["HSET", &key, "bytes_in", "x"]);
        assert_eq!(ask(read()).await, Err(StoreFailure::Damaged));
        let error = node.state().last_error.unwrap_or_default();
        assert!(error.contains("the tenant alice"), "{error}");
    });
}

#[test]
fn a_ledger_of_another_kind_takes_nothing() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let url = url_of(&redis);
    run(async {
        let node = connect(&url).await;
        let alice = TenantId::parse("alice").unwrap();
        let ask = async |query| {
            let now_ms = hour().start_ms();
            node.execute(request(&alice, at(now_ms, query))).await
        };
        let key = format!("t2b:{{alice}}:usage:{}", hour());
        // None of it is noted as booked, so it can be booked once the key is gone.
        for key in [&*key, "t2b:{alice}:usage:seen"] {
            redis.command(&["SET", key, "x"]);
            let refused = ask(book(1, 1, hour(), 5)).await;
            assert_eq!(refused, Err(StoreFailure::Damaged), "{key}");
            redis.command(&["DEL", key]);
        }
        assert!(ask(book(1, 1, hour(), 5)).await.is_ok());
        let seen = ask(UsageQuery::Seen)
            .await
            .and_then(|reply| reply.into_usage());
        let boot = crate::support::words::boot(1);
        assert_eq!(seen, Ok(UsageReply::Seen(vec![(boot, 1)])));
    });
}
