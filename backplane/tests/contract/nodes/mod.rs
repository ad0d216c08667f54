//! What nodes ask about each other.

mod damage;
mod random;

use protocol::UsageHour;
use protocol::lane::KeyId;
use router_core::store::nodes::{NodeHello, NodeQuery, NodesModel};

use crate::harness::{Subject, on_all};
use crate::support::words::boot;

fn beat(i: u8, beat: u64, known_generation: Option<u64>) -> NodeQuery {
    NodeQuery::Beat {
        boot: boot(i),
        beat,
        known_generation,
        fresh_generation: u64::MAX,
        flushed: UsageHour::of(3_600_000 * u64::from(i)),
    }
}

fn evict(i: u8, beat: u64) -> NodeQuery {
    let boot = boot(i);
    NodeQuery::Evict { boot, beat }
}

#[test]
fn nodes() {
    let hello = NodeHello {
        name: "a b".into(),
        address: "10.0.0.1:8080".into(),
        peer_address: "127.0.0.1:9464".into(),
        version: "0.1.0".into(),
        wire: [1, 3],
        keys: [1, u32::MAX].map(KeyId::from_bits).into(),
        serving: true,
        connections: 3,
    };
    let drains = NodeHello {
        serving: false,
        keys: [].into(),
        ..hello.clone()
    };
    let serves = hello.clone();
    let hello = |hello: &NodeHello| NodeQuery::Hello {
        boot: boot(1),
        hello: hello.clone(),
    };
    let steps = [
        beat(1, 1, None),
        beat(2, u64::MAX, None),
        beat(1, 2, Some(u64::MAX)),
        evict(2, 1),
        evict(2, u64::MAX),
        evict(2, u64::MAX),
        beat(2, 9, Some(u64::MAX)),
        beat(2, 10, Some(7)),
        evict(1, 2),
        beat(1, 3, Some(u64::MAX)),
        beat(1, 4, None),
        NodeQuery::Describe(boot(1)),
        hello(&serves),
        NodeQuery::Describe(boot(1)),
        hello(&drains),
        NodeQuery::Describe(boot(1)),
        NodeQuery::Describe(boot(2)),
    ];
    on_all(|subject: Subject| {
        let steps = steps.clone();
        async move {
            let mut model = NodesModel::default();
            for step in steps {
                let right = model.execute(1, &step);
                let said = subject.asker.execute_node(step.clone()).await;
                assert_eq!(said, right, "{step:?}");
            }
        }
    });
}
