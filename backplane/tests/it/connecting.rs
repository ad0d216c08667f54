//! Who may come in, and what is said to whom may not. No error has a password in it.

use backplane::ConnectError;
use fixtures::{RedisOptions, RedisServer, RespValue};

use crate::harness::{BOOT, Node, config, try_connect};

async fn refusal(url: &str) -> ConnectError {
    let error = try_connect(url).await.unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("hunter2"),
        "{error:?}"
    );
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_opens() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let port = redis.port();
    redis.command(&[
        "ACL", "SETUSER", "bob", "on", ">hunter2", "~t2b:*", "&t2b:*", "+@all",
    ]);
    redis.command(&["CONFIG", "SET", "requirepass", "hunter2"]);
    let mut node = Node::start(&format!("redis://bob:hunter2@127.0.0.1:{port}"), BOOT).await;
    node.load("alice").await;
    node.backplane.probe(BOOT, 1).await.unwrap();
    node.hears().await;
    Node::start(&format!("redis://:hunter2@127.0.0.1:{port}/1"), BOOT).await;
    for url in [
        format!("redis://127.0.0.1:{port}"),
        format!("redis://:hunter22@127.0.0.1:{port}"),
        format!("redis://eve:hunter2@127.0.0.1:{port}"),
    ] {
        let refused = refusal(&url).await;
        assert!(
            matches!(refused, ConnectError::Credentials { .. }),
            "{refused:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_a_password_logs_in() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut admin = redis.client();
    for rules in [
        &["ACL", "SETUSER", "admin", "on", ">pw", "+@all"][..],
        &["AUTH", "admin", "pw"],
        &["ACL", "SETUSER", "bot", "on", "nopass", "~*", "&*", "+@all"],
        &["ACL", "SETUSER", "default", "off"],
    ] {
        let answer = admin.command(rules).unwrap();
        assert!(
            !matches!(answer, RespValue::Error(_)),
            "{rules:?} {answer:?}"
        );
    }
    let port = redis.port();
    for login in ["bot", "bot:", "b%6ft"] {
        let url = format!("redis://{login}@127.0.0.1:{port}");
        let mut node = Node::start(&url, BOOT).await;
        node.load("alice").await;
        node.backplane.probe(BOOT, 1).await.unwrap();
        node.hears().await;
    }
    for login in ["", ":", "eve", "eve:"] {
        let error = refusal(&format!("redis://{login}@127.0.0.1:{port}")).await;
        let is_refused = matches!(error, ConnectError::Credentials { .. });
        assert!(is_refused, "{login} {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_user_may_not_is_said_at_once() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut may_not = vec!["ACL", "SETUSER", "bob", "on", ">hunter2", "+@all"];
    let url = format!("redis://bob:hunter2@127.0.0.1:{}", redis.port());
    for (rules, named) in [
        (["~t2b:*", "&other:*", "+@all"], "PUBLISH"),
        (["~t2b:*", "&t2b:*", "-hsetnx"], "HSETNX"),
        (["~other:*", "&t2b:*", "+@all"], "key"),
    ] {
        may_not.extend(["resetkeys", "resetchannels"]);
        may_not.extend(rules);
        redis.command(&may_not);
        let error = refusal(&url).await.to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_said() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let port = redis.port();
    for url in [
        format!("redis+cluster://127.0.0.1:{port}"),
        format!("redis+sentinel://127.0.0.1:{port}/master"),
    ] {
        let other = refusal(&url).await;
        assert!(matches!(other, ConnectError::OtherKind { .. }), "{other:?}");
    }
    let nobody = refusal("redis://:hunter2@127.0.0.1:1").await;
    assert!(matches!(nobody, ConnectError::Refused { .. }), "{nobody:?}");
    redis.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let replica = refusal(&redis.url()).await;
    assert!(matches!(replica, ConnectError::Replica(_)), "{replica:?}");
    let mut bad = config(&redis.url());
    bad.prefix = "a b".into();
    let prefix = backplane::Redis::connect(bad).await.unwrap_err();
    assert!(matches!(prefix, ConnectError::Prefix), "{prefix:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_the_server_keeps_its_data_is_known() {
    for appendonly in [true, false] {
        let options = RedisOptions {
            appendonly,
            ..RedisOptions::default()
        };
        let Some(redis) = RedisServer::start_with(options) else {
            return;
        };
        let node = Node::start(&redis.url(), BOOT).await;
        let state = node.backplane.state();
        assert_eq!((state.kind, state.persistent), ("redis", Some(appendonly)));
        assert_eq!(state.evicts, Some(false));
        assert!(state.version.is_some_and(|version| !version.is_empty()));
        redis.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
        let other = Node::start(&redis.url(), BOOT).await;
        assert_eq!(other.backplane.state().evicts, Some(true));
    }
}
