//! Random queries of a few nodes, to a store that loses its data.

use proptest::collection::vec;
use proptest::prelude::*;
use protocol::UsageHour;
use router_core::store::nodes::{NodeQuery, NodesModel};

use crate::harness::{connect, url_of};
use crate::random::{CASES, runner};
use crate::support::words::boot;

#[test]
fn redis_knows_nodes_as_the_model_does() {
    let Some(redis) = fixtures::RedisServer::start() else {
        return;
    };
    let beats = (0..3u8, 0..4u64, prop::option::of(0..3u64), 0..3u64).prop_map(
        |(i, beat, known_generation, fresh_generation)| NodeQuery::Beat {
            boot: boot(i),
            beat,
            known_generation,
            fresh_generation,
            flushed: UsageHour::of(3_600_000 * beat),
        },
    );
    let evictions = (0..3u8, 0..4u64).prop_map(|(i, beat)| NodeQuery::Evict {
        boot: boot(i),
        beat,
    });
    let acts = vec(
        prop_oneof![12 => beats.prop_map(Some), 6 => evictions.prop_map(Some), 1 => Just(None)],
        1..30,
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let asker = runtime.block_on(connect(&url_of(&redis)));
    let outcome = runner(CASES).run(&acts, |acts| {
        redis.command(&["FLUSHALL"]);
        let mut model = NodesModel::default();
        for act in acts {
            let Some(ask) = act else {
                redis.command(&["FLUSHALL"]);
                model = NodesModel::default();
                continue;
            };
            let right = model.execute(1, &ask);
            let said = runtime.block_on(asker.execute_node(ask.clone()));
            prop_assert_eq!(said, right, "{:?}", ask);
        }
        Ok(())
    });
    outcome.unwrap();
}
