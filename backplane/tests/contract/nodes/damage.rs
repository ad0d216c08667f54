//! Keys of nodes whose content or type somebody else changed. A node leaves out what it cannot read,
//! repairs what it can, and names the key otherwise.

use backplane::Backplane;
use fixtures::{RedisServer, RespValue};
use protocol::UsageHour;
use router_core::store::nodes::{NodeHello, NodeQuery, NodeReply};

use crate::harness::{connect, run, url_of};
use crate::support::words::boot;

/// The generation of the tests, the highest that there is.
const GENERATION: u64 = u64::MAX;
/// What a node would make the generation that finds none.
const FRESH: u64 = 7;

fn beat(i: u8, beat: u64, known_generation: Option<u64>, fresh_generation: u64) -> NodeQuery {
    NodeQuery::Beat {
        boot: boot(i),
        beat,
        known_generation,
        fresh_generation,
        flushed: UsageHour::of(3_600_000 * u64::from(i)),
    }
}

fn beats(generation: u64, beats: &[(u8, u64)]) -> NodeReply {
    let flushed = |i: u8| (boot(i), UsageHour::of(3_600_000 * u64::from(i)));
    NodeReply::Beats {
        generation,
        beats: beats.iter().map(|(i, beat)| (boot(*i), *beat)).collect(),
        flushed: beats.iter().map(|(i, _)| flushed(*i)).collect(),
    }
}

fn last_error(node: &Backplane) -> String {
    node.state().last_error.unwrap_or_default()
}

/// Two nodes with an entry each, on a Redis that the test can change.
fn with_two_nodes<F: Future<Output = ()>>(case: impl Fn(RedisServer, Backplane) -> F) {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let url = url_of(&redis);
    run(async {
        let node = connect(&url).await;
        for i in [1, 2] {
            node.execute_node(beat(i, 1, None, GENERATION)).await;
        }
        case(redis, node).await;
    });
}

#[test]
fn what_cannot_be_read_is_no_node() {
    with_two_nodes(|redis, node| async move {
        let id = boot(3).to_string();
        let pairs: [(&[u8], &[u8]); 6] = [
            (b"\xff\xfe", b"5"),
            (b"", b""),
            (b"abc", b"\xff"),
            (id.as_bytes(), b"\xff"),
            (id.as_bytes(), b"-5"),
            (id.as_bytes(), b"99999999999999999999"),
        ];
        for (number, (field, value)) in (2..).zip(pairs) {
            let command: [&[u8]; 4] = [b"HSET", b"t2b:nodes", field, value];
            redis.client().command(&command).unwrap();
            let said = node
                .execute_node(beat(1, number, Some(GENERATION), FRESH))
                .await;
            let right = beats(GENERATION, &[(1, number), (2, 1)]);
            assert_eq!(said, right, "{field:?} {value:?}");
        }
        assert!(
            last_error(&node).contains("t2b:nodes"),
            "{}",
            last_error(&node)
        );
        assert!(node.state().skipped_records >= 6);
    });
}

const NO_GENERATIONS: [&[u8]; 10] = [
    b"-1",
    b"abc",
    b"1e3",
    b"1.5",
    b"99999999999999999999",
    b"18446744073709551616",
    b"",
    b"07",
    b" 7",
    b"\xff",
];

fn set_generation(redis: &RedisServer, text: &[u8]) {
    let command: [&[u8]; 4] = [b"HSET", b"t2b:nodes", b"generation", text];
    redis.client().command(&command).unwrap();
}

#[test]
fn a_generation_that_is_none_becomes_what_it_was() {
    with_two_nodes(|redis, node| async move {
        for (number, text) in (2..).zip(NO_GENERATIONS) {
            set_generation(&redis, text);
            let said = node
                .execute_node(beat(1, number, Some(GENERATION), FRESH))
                .await;
            let right = beats(GENERATION, &[(1, number), (2, 1)]);
            assert_eq!(said, right, "{}", text.escape_ascii());
            let stored = redis.command(&["HGET", "t2b:nodes", "generation"]);
            assert_eq!(stored, RespValue::from(GENERATION.to_string().as_str()));
            let error = last_error(&node);
            assert!(
                error.contains("generation") && error.contains("repaired"),
                "{error}"
            );
        }
        let evict = NodeQuery::Evict {
            boot: boot(2),
            beat: 1,
        };
        assert_eq!(node.execute_node(evict).await, NodeReply::Evict(true));
        let said = node.execute_node(beat(2, 2, Some(GENERATION), FRESH)).await;
        assert_eq!(said, NodeReply::AskerEvicted, "as before");
    });
}

#[test]
fn a_generation_that_nobody_knows_becomes_a_fresh_one() {
    with_two_nodes(|redis, node| async move {
        for (number, text) in (2..).zip(NO_GENERATIONS) {
            set_generation(&redis, text);
            // A node that starts, and one whose entry is gone: the data may be lost.
            let id = boot(1).to_string();
            redis.command(&["HDEL", "t2b:nodes", &id]);
            let known = (number % 2 == 0).then_some(GENERATION);
            let said = node.execute_node(beat(1, number, known, FRESH)).await;
            let right = beats(FRESH, &[(1, number), (2, 1)]);
            assert_eq!(said, right, "{}", text.escape_ascii());
        }
    });
}

#[test]
fn what_a_node_says_is_read_past_a_field_that_is_none() {
    with_two_nodes(|redis, node| async move {
        let hello = NodeHello {
            name: "a".into(),
            address: "10.0.0.1:8080".into(),
            peer_address: "127.0.0.1:9464".into(),
            version: "0.1.0".into(),
            wire: [1, 1],
            keys: [].into(),
            serving: true,
            connections: 3,
        };
        let said = NodeQuery::Hello {
            boot: boot(1),
            hello: hello.clone(),
        };
        node.execute_node(said).await;
        let describe = NodeQuery::Describe(boot(1));
        let key = format!("t2b:node:{}", boot(1));
        let set = |field: &[u8], value: &[u8]| {
            let command: [&[u8]; 4] = [b"HSET", key.as_bytes(), field, value];
            redis.client().command(&command).unwrap();
        };
        set(b"\xff", b"1");
        set(b"other", b"\xff");
        let right = NodeReply::Hello(Some(hello));
        assert_eq!(node.execute_node(describe.clone()).await, right);
        set(b"name", b"\xff");
        let none = NodeReply::Hello(None);
        assert_eq!(node.execute_node(describe.clone()).await, none);
    });
}

#[test]
fn nodes_of_another_type_are_not_understood() {
    with_two_nodes(|redis, node| async move {
        redis.command(&["SET", "t2b:nodes", "x"]);
        let said = node.execute_node(beat(1, 2, Some(GENERATION), FRESH)).await;
        assert_eq!(said, NodeReply::Unavailable);
        let error = last_error(&node);
        assert!(
            error.contains("t2b:nodes") && error.contains("not understood"),
            "{error}"
        );
        assert!(node.state().misread_nodes);
        redis.command(&["DEL", "t2b:nodes"]);
        let said = node.execute_node(beat(1, 3, Some(GENERATION), FRESH)).await;
        assert_eq!(said, beats(FRESH, &[(1, 3)]));
        assert!(!node.state().misread_nodes);
    });
}
