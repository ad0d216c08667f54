//! Two databases of one Redis: they share their channels, and must not hear each other.

use fixtures::Redis;
use router_core::store::{Ask, ConnRecord};

use crate::harness::{BOOT, Node, OTHER, conn, event_of};

fn enter(by: usize) -> Ask {
    let client = "anna".parse().unwrap();
    let record = ConnRecord { boot: BOOT, client };
    Ask::Enter {
        conn: conn(by),
        record,
    }
}

#[tokio::test]
async fn steps_of_another_database_are_not_heard() {
    let Some(redis) = Redis::start() else { return };
    let url = |number| format!("{}/{number}", redis.url().trim_end_matches('/'));
    let (mut zero, mut one) = (
        Node::start(&url(0), BOOT).await,
        Node::start(&url(1), OTHER).await,
    );
    zero.load("alice").await;
    one.load("alice").await;
    zero.ask("alice", enter(1)).await;
    zero.until(event_of("alice")).await;
    // What is heard first is its own step: the other's came before and would be first.
    one.ask("alice", enter(2)).await;
    let heard = one.hears().await;
    let text = format!("{heard:?}");
    assert!(text.contains(&conn(2).to_string()), "{text}");
}
