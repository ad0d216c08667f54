//! Who is told of which bots, and when.

use router_core::auth::TokenScope;
use serde_json::{Value, json};

use crate::harness::{Server, Socket, eventually, register};

fn ids(list: &Value) -> Vec<&str> {
    let bots = list["data"]["bots"].as_array().unwrap();
    bots.iter().map(|bot| bot["id"].as_str().unwrap()).collect()
}

fn about(kind: &str, bot: &str) -> String {
    json!({"type": kind, "data": {"botId": bot}, "id": "s"}).to_string()
}

#[tokio::test]
async fn a_bot_comes_goes_and_is_forgotten() {
    let server = Server::start().await;
    let mut phone = server.client("alice", "phone").await;
    let mut bot = server.bot("alice", "bot_a").await;
    assert_eq!(phone.expect_status("bot_a").await, "online");
    bot.0.close(None).await.unwrap();
    bot.closed().await;
    assert_eq!(phone.expect_status("bot_a").await, "offline");
    let list = phone
        .ask(r#"{"type":"list_bots","data":{"requestId":"q"},"id":"7"}"#)
        .await;
    assert_eq!(
        (&list["id"], &list["data"]["requestId"]),
        (&"7".into(), &"q".into())
    );
    assert_eq!(list["data"]["bots"][0]["status"], "offline");
    assert_eq!(
        phone.ask(about("unregister_bot", "bot_a")).await["type"],
        "bot_unregistered"
    );
    assert_eq!(ids(&phone.ask(r#"{"type":"list_bots"}"#).await), [""; 0]);
    phone
        .refused(about("subscribe", "bot_a"), "bot_not_found")
        .await;
}

#[tokio::test]
async fn a_bot_that_closes_can_come_back_at_once() {
    let server = Server::start().await;
    for _ in 0..6 {
        let mut bot = server.bot("alice", "bot_a").await;
        // It says goodbye and lets the connection linger.
        bot.0.close(None).await.unwrap();
        std::mem::forget(bot);
    }
    assert_eq!(server.metric("t2b_takeovers_total").await, 0.0);
}

/// The largest greeting there is: a page of 100 bots that all say as much as they may.
#[tokio::test]
async fn many_talkative_bots_fit_the_greeting() {
    let server = Server::start_with(|config| {
        config.limits.bots_per_socket = 200;
        config.limits.registers_burst = 200;
    });
    let server = server.await;
    let mut host = server.client("alice", "host").await;
    for i in 0..120 {
        let bot = json!({"botId": format!("bot_{i:03}"), "description": "d".repeat(1024)});
        let frame = json!({"type": "register_bot", "data": bot}).to_string();
        assert_eq!(host.ask(frame).await["type"], "bot_registered");
    }
    let mut phone = server.open("/ws", Some(&server.key("alice"))).await;
    phone.expect("status").await;
    assert_eq!(phone.expect("auth_ok").await["data"]["botCount"], 120);
    let mut list = phone.expect("status").await;
    assert!(list.to_string().len() > 100 * 1024 && list.to_string().len() <= 128 * 1024);
    let mut all: Vec<String> = ids(&list).into_iter().map(str::to_owned).collect();
    assert_eq!(all.len(), 100);
    while let Some(cursor) = list["data"]["nextCursor"].as_str() {
        let next = json!({"type": "list_bots", "data": {"cursor": cursor, "limit": 7}});
        list = phone.ask(next.to_string()).await;
        all.extend(ids(&list).into_iter().map(str::to_owned));
    }
    assert!(all.len() == 120 && all.is_sorted());
}

#[tokio::test]
async fn a_token_sees_only_its_bots() {
    let server = Server::start().await;
    let _a = server.bot("alice", "bot_a").await;
    let token = server.token(
        "alice",
        "phone",
        TokenScope::Chat,
        Some(&["bot_a", "bot_c"]),
        60,
    );
    let mut phone = server.open("/ws", Some(&token)).await;
    phone.expect("status").await;
    assert_eq!(phone.expect("auth_ok").await["data"]["botCount"], 1);
    assert_eq!(ids(&phone.expect("status").await), ["bot_a"]);
    let mut host = server.bot("alice", "bot_b").await;
    host.ask(register("bot_c")).await;
    assert_eq!(
        phone.expect_status("bot_c").await,
        "online",
        "bot_b was not told before"
    );
    let hidden = phone
        .refused(about("subscribe", "bot_b"), "bot_not_found")
        .await;
    let unknown = phone
        .refused(about("subscribe", "bot_x"), "bot_not_found")
        .await;
    assert_eq!(hidden["data"], unknown["data"]);
    assert_eq!(
        ids(&phone.ask(r#"{"type":"list_bots"}"#).await),
        ["bot_a", "bot_c"]
    );
    assert_eq!(
        ids(&phone
            .ask(r#"{"type":"status","data":{"request":"bots"}}"#)
            .await),
        ["bot_a", "bot_c"]
    );
}

/// The next frame of any kind after something was asked: what did not come before will not come.
async fn only_pong(socket: &mut Socket) {
    socket.send(r#"{"type":"ping"}"#).await;
    assert_eq!(socket.next().await.unwrap()["type"], "pong");
}

#[tokio::test]
async fn a_subscription_decides_who_is_told() {
    let server = Server::start().await;
    let mut watcher = server.client("alice", "watcher").await;
    let mut muted = server.client("alice", "muted").await;
    let mut other = server.bot("alice", "bot_b").await;
    let mut foreign = server.client("bob", "phone").await;
    let mut bot = server.bot("alice", "bot_a").await;
    for socket in [&mut watcher, &mut muted] {
        while socket.expect_status("bot_a").await != "online" {}
    }
    let done = muted.ask(about("unsubscribe", "bot_a")).await;
    assert_eq!(
        (&done["data"]["type"], &done["id"]),
        (&"unsubscribed".into(), &"s".into())
    );
    bot.ask(about("unregister_bot", "bot_a")).await;
    assert_eq!(watcher.expect_status("bot_a").await, "offline");
    only_pong(&mut muted).await;
    only_pong(&mut other).await;
    only_pong(&mut foreign).await;

    bot.ask(register("bot_a")).await;
    assert_eq!(watcher.expect_status("bot_a").await, "online");
    assert_eq!(
        other.ask(about("subscribe", "bot_a")).await["data"]["type"],
        "subscribed"
    );
    drop(bot);
    assert_eq!(
        other.expect_status("bot_a").await,
        "offline",
        "a bot hears of those it named"
    );
    let left = || async { server.metric("t2b_bots_online").await == 1.0 };
    eventually("one bot is left", left).await;
}
