//! Two databases of one Redis: they share their channels, and must not hear each other.

use fixtures::RedisServer;

use crate::harness::{BOOT, Node, OTHER, event_of};
use crate::support::words::{conn, enter};

#[tokio::test]
async fn steps_of_another_database_are_not_heard() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let url = |number| format!("{}/{number}", redis.url().trim_end_matches('/'));
    let (mut zero, mut one) = (
        Node::start(&url(0), BOOT).await,
        Node::start(&url(1), OTHER).await,
    );
    zero.load("alice").await;
    one.load("alice").await;
    zero.ask("alice", enter(11, "anna")).await.unwrap();
    zero.until(event_of("alice")).await;
    // What is heard first is its own step: the other's came before and would be first.
    one.ask("alice", enter(12, "anna")).await.unwrap();
    let heard = one.hears().await;
    let text = format!("{heard:?}");
    assert!(text.contains(&conn(12).to_string()), "{text}");
}
