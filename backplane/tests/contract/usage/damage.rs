//! What somebody else wrote into the ledger, or took from it.

use fixtures::RedisServer;
use protocol::{TenantId, UsageMeter};
use router_core::store::{HourUsage, StoreFailure, UsageQuery, UsageReply};

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
        // A meter of a later build is passed over.
        redis.command(&["HSET", &key, "later_meter", "7"]);
        assert!(is_intact().await);
        let error = node.state().last_error;
        assert_eq!(error, None);
    });
}

#[test]
fn a_damaged_hour_hides_no_other_amount() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let url = url_of(&redis);
    run(async {
        let node = connect(&url).await;
        let alice = TenantId::parse("alice").unwrap();
        let ask = async |query| {
            let now_ms = hour().start_ms();
            let reply = node.execute(request(&alice, at(now_ms, query))).await;
            reply.and_then(|reply| reply.into_usage())
        };
        let hours = async || match ask(read()).await {
            Ok(UsageReply::Hours { hours, .. }) => hours,
            other => panic!("{other:?}"),
        };
        ask(book(1, 1, hour(), 5)).await.unwrap();
        ask(book(1, 2, hour().plus(1), 7)).await.unwrap();
        let both = hours().await;
        let key = format!("t2b:{{alice}}:usage:{}", hour());
        for (field, value) in [
            (&b"bytes_in"[..], &b"banana"[..]),
            (b"bytes_in", b""),
            (b"bytes_in", b"-1"),
            (b"bytes_in", b"1.5"),
            (b"bytes_in", b"\xff"),
            (b"bytes_in", b"99999999999999999999999"),
            (b"later_meter", b"x"),
            (b"\xff", b"1"),
        ] {
            let mut client = redis.client();
            client
                .command(&[b"HSET", key.as_bytes(), field, value])
                .unwrap();
            let found = hours().await;
            let (of, usage) = found[0];
            assert_eq!((of, usage.is_damaged), (hour(), true), "{value:?}");
            let seconds = usage.counts[UsageMeter::ConnectionSecondsBot];
            assert_eq!(seconds, 15, "{value:?}");
            assert_eq!(found[1..], both[1..], "{value:?}");
            let error = node.state().last_error.unwrap_or_default();
            assert!(error.contains(&format!("the key {key} was")), "{error}");
            client.command(&[b"HDEL", key.as_bytes(), field]).unwrap();
            client.command(&["HSET", &key, "bytes_in", "5"]).unwrap();
            assert_eq!(hours().await, both);
        }
        redis.command(&["SET", &key, "x"]);
        let found = hours().await;
        let nothing = HourUsage {
            is_damaged: true,
            ..HourUsage::default()
        };
        assert_eq!(found[0], (hour(), nothing));
        assert_eq!(found[1..], both[1..]);
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
