//! Behind sentinels: the master is found, and after a failover the new one is.

use fixtures::{RedisSentinel, RedisServer};
use tokio::time::timeout;

use crate::harness::{BOOT, DEADLINE, Node, is_claimed, try_connect};
use crate::support::words::claim;

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_is_followed() {
    let (Some(mut master), Some(replica)) = (RedisServer::start(), RedisServer::start()) else {
        return;
    };
    replica.command(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    let Some(sentinel) = RedisSentinel::start(master.port()) else {
        return;
    };
    sentinel.knows_a_replica();
    let url = format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{}", sentinel.port());
    let mut node = Node::start(&format!("{url}/main"), BOOT).await;
    let first = node.ask("alice", claim("bot", 1)).await;
    assert!(is_claimed(&first), "{first:?}");
    assert!(try_connect(&format!("{url}/other")).await.is_err());
    master.kill();
    node.link_is_back().await;
    let second = node.ask("alice", claim("bot", 2)).await;
    assert!(is_claimed(&second), "{second:?}");
    assert_eq!(replica.command(&["ROLE"]).members()[0].text(), "master");
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_with_a_password_need_no_database() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    redis.command(&["ACL", "SETUSER", "t2b", "on", ">pw", "~*", "&*", "+@all"]);
    redis.command(&["CONFIG", "SET", "requirepass", "pw"]);
    let more = "requirepass pw\nsentinel auth-pass main pw\n\
                user t2b on >pw +sentinel|get-master-addr-by-name";
    let Some(sentinel) = RedisSentinel::start_with(redis.port(), more) else {
        return;
    };
    sentinel.answers();
    let url = format!(
        "redis+sentinel://t2b:pw@127.0.0.1:{}/main/1",
        sentinel.port()
    );
    let node = Node::start(&url, BOOT).await;
    let claimed = node.ask("alice", claim("bot", 1)).await;
    assert!(is_claimed(&claimed), "{claimed:?}");
}

/// More silent sentinels than there is time to wait for, and one that names a master that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn sentinels_that_are_of_no_use_cost_nothing() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let (Some(lost), Some(good)) = (RedisSentinel::start(1), RedisSentinel::start(redis.port()))
    else {
        return;
    };
    lost.answers();
    good.answers();
    // Connections are accepted by the system, and never answered.
    let silent: Vec<_> = (0..12)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let ports = silent.iter().map(|it| it.local_addr().unwrap().port());
    let hosts: Vec<_> = ports
        .chain([lost.port(), good.port()])
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    let url = format!("redis+sentinel://{}/main", hosts.join(","));
    let node = timeout(DEADLINE, Node::start(&url, BOOT)).await.unwrap();
    assert!(node.backplane.state().connected);
}
