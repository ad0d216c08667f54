//! Any records in any order, repeated and late, by the model and by Redis.

use proptest::collection::vec;
use proptest::prelude::*;
use protocol::TenantId;
use router_core::store::{Model, UsageQuery};

use super::{book, hour, read};
use crate::harness::{at, connect, request, url_of};
use crate::random::{CASES, runner};

#[test]
fn redis_books_as_the_model_does() {
    let Some(redis) = fixtures::RedisServer::start() else {
        return;
    };
    let records = vec((1..4u8, 1..6u64, 0..4u32, 1..1000u64, 0..30u64), 1..25);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let asker = runtime.block_on(connect(&url_of(&redis)));
    let alice = TenantId::parse("alice").unwrap();
    let outcome = runner(CASES).run(&records, |records| {
        redis.command(&["FLUSHALL"]);
        let mut model = Model::new(1 << 30);
        let mut now_ms = hour().start_ms();
        for (i, seq, hours, amount, minutes) in records {
            now_ms += minutes * 60_000;
            for query in [
                book(i, seq, hour().plus(hours), amount),
                read(),
                UsageQuery::Seen,
            ] {
                let right = model.execute(request(&alice, at(now_ms, query.clone()))).0;
                let said = runtime.block_on(asker.execute(request(&alice, at(now_ms, query))));
                prop_assert_eq!(said, right);
            }
        }
        Ok(())
    });
    outcome.unwrap();
}
