//! How long the ledger keeps an hour.

use std::time::UNIX_EPOCH;

use backplane::{Backplane, Redis, RedisConfig};
use protocol::{TenantId, UsageCounts, UsageHour, UsageMeter};
use router_core::store::{UsageIndexQuery, UsageQuery, UsageRecord};

use crate::harness::{BOOT, config, request};

#[tokio::test]
async fn an_hour_is_kept_for_as_long_as_it_is_configured() {
    let Some(redis) = fixtures::RedisServer::start() else {
        return;
    };
    let days = 100;
    let keeping = RedisConfig {
        usage_keep_hours: days * 24,
        ..config(&redis.url())
    };
    let backplane = Backplane::redis(Redis::connect(keeping).await.unwrap());
    let hour = UsageHour::of(UNIX_EPOCH.elapsed().unwrap().as_millis() as u64);
    let counts = [(UsageMeter::BytesIn, 1)];
    let record = UsageRecord {
        boot: BOOT,
        seq: 1,
        hour,
        counts: counts.into_iter().collect::<UsageCounts>(),
    };
    let book = UsageQuery::Book {
        record: Box::new(record),
        is_first_of_day: true,
    };
    backplane.execute(request("alice", book)).await.unwrap();
    let day_s = 24 * 60 * 60;
    let left = |key: &str| redis.command(&["TTL", key]).integer() / day_s;
    let hour_key = format!("t2b:{{alice}}:usage:{hour}");
    assert_eq!(left(&hour_key), i64::from(days));
    let part = UsageIndexQuery::part_of(&TenantId::parse("alice").unwrap());
    let index = format!("t2b:usage:{}:{part}", hour.day_text());
    assert!((100..=103).contains(&left(&index)));
}
