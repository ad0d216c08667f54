//! `t2b why`, against real gateways.

use fixtures::{DEADLINE, RedisServer, blocking_until};

use crate::harness::{RunningGateway, TestHome};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What it prints, once that has all of these words. A socket ends when the gateway sees its end.
fn why_until(home: &TestHome, args: &[&str], words: &[&str]) -> String {
    blocking_until(DEADLINE, &format!("{words:?}"), || {
        let said = home.run(&[&["why"][..], args].concat()).with(0);
        words.iter().all(|word| said.contains(word)).then_some(said)
    })
}

#[test]
fn it_says_where_a_bot_is_and_how_it_ended() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let admin = ["--admin-listen", gateway.admin.as_str()];
    let main = [&["local", "bot_main"][..], &admin].concat();
    let unknown = why_until(&home, &main, &["local is unknown: neither this node"]);
    assert_eq!(unknown.lines().count(), 1, "{unknown}");

    let bot = home.echo_bot("bot_main", &gateway.url, &[]);
    let online = why_until(&home, &main, &["bot_main of local is online since 20"]);
    assert!(online.contains("on this node: conn_"), "{online}");
    assert!(online.contains("  registered "), "{online}");
    bot.terminate();
    let offline = why_until(&home, &main, &["bot_main of local is offline since 20"]);
    assert!(offline.contains("its socket"), "{offline}");
    assert!(offline.contains("  disconnected "), "{offline}");

    let bot = home.echo_bot("bot_main", &gateway.url, &[]);
    home.run(&[&["tenant", "suspend", "local"][..], &admin].concat())
        .with(0);
    bot.wait();
    let words = [
        "local is suspended: every connection is closed with 4403",
        "the gateway closed its socket with 4403 tenant_suspended at 20",
    ];
    why_until(&home, &main, &words);
    let all = [&["local"][..], &admin].concat();
    why_until(&home, &all, &["bot_main of local is offline"]);

    let json = home
        .run(&[&["why"][..], &main, &["--json"]].concat())
        .with(0);
    let answer: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(answer["bots"][0]["last_here"]["closed"]["code"], 4403);
    let stranger = TestHome::new();
    let file = stranger.path().join("token");
    std::fs::write(&file, "0123456789abcdef0123456789abcdef").unwrap();
    let wrong = [
        &["why"][..],
        &main,
        &["--admin-token-file", file.to_str().unwrap()],
    ]
    .concat();
    stranger.run(&wrong).with(77);
    gateway.process.terminate().with(0);
}

/// A gateway of a cluster, with a home of its own.
fn node(redis: &RedisServer) -> (TestHome, RunningGateway) {
    let home = TestHome::new();
    let url = redis.url();
    let args = ["--listen", "127.0.0.1:0", "--redis", &url];
    let gateway = home.gateway_with(&args, &[("T2B_SECRETS", SECRET)]);
    (home, gateway)
}

#[test]
fn each_node_of_a_cluster_says_where_the_bot_is_and_what_it_saw() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let ((home_a, a), (home_b, b)) = (node(&redis), node(&redis));
    let issue = ["keys", "issue", "alice", "--redis", &redis.url()];
    let key = home_a.run_with(&issue, &[("T2B_SECRETS", SECRET)]).with(0);
    let key = [("T2B_KEY", key.trim())];
    let asks_a = ["alice", "bot_main", "--admin-listen", &a.admin];
    let asks_b = ["alice", "bot_main", "--admin-listen", &b.admin];

    let first = home_a.echo_bot("bot_main", &a.url, &key);
    why_until(&home_a, &asks_a, &["online", "on this node: conn_"]);
    // It has nothing of the tenant in memory, and reads the directory from the store.
    let there = why_until(
        &home_b,
        &asks_b,
        &["bot_main of alice is online since 20", "on node "],
    );
    assert!(!there.contains("which is gone"), "{there}");
    assert!(!there.contains(" connected"), "it saw nothing: {there}");
    assert!(
        there.contains("the other nodes know what they saw"),
        "{there}"
    );

    let second = home_b.echo_bot("bot_main", &b.url, &key);
    first.wait();
    let moved = why_until(&home_a, &asks_a, &["on node ", "disconnected replaced"]);
    let taken = moved.lines().find(|line| line.contains("  taken_over "));
    assert!(taken.unwrap().contains(" by=conn_"), "{moved}");
    let here = why_until(&home_b, &asks_b, &["on this node: conn_", "  registered "]);
    assert!(here.contains(" from=conn_"), "{here}");

    second.terminate();
    let words = [
        "offline since 20",
        "took it over at 20",
        "and is gone since",
    ];
    why_until(&home_a, &asks_a, &words);
    why_until(&home_b, &asks_b, &["offline since 20", "its socket"]);

    // Another bot is on the node that is killed, and a client of the tenant on the other one.
    let third = home_b.echo_bot("bot_third", &b.url, &key);
    let asks_third = ["alice", "bot_third", "--admin-listen", &a.admin];
    let chat = ["chat", "bot_third", "--text", "hi", "--url", &a.url];
    home_a.run_with(&chat, &key).with(0);
    b.process.kill();
    let words = [
        "offline since 20",
        "it was connected to node ",
        ", which is gone",
    ];
    why_until(&home_a, &asks_third, &words);
    drop(third);
    a.process.terminate().with(0);
}
