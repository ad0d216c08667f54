//! Why a bot is offline, over the admin API.

use protocol::TenantId;
use serde_json::{Value, json};

use crate::harness::{Server, Socket, eventually, message, register};

async fn ask(server: &Server, path: &str) -> Value {
    let path = format!("/admin/v1/tenants/{path}");
    let answer = server.admin("GET", &path, &server.admin_bearer()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The answer, once it is so. Sockets end when the gateway sees their end.
async fn ask_until(
    server: &Server,
    path: &str,
    what: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    eventually(what, || async { is_so(&ask(server, path).await) }).await;
    ask(server, path).await
}

/// What happened, the oldest first: its name, and its reason if it has one.
fn happened(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().unwrap().iter().rev();
    let texts = events.map(|event| {
        let what = event["what"].as_str().unwrap();
        match event["reason"].as_str() {
            Some(reason) => format!("{what} {reason}"),
            None => what.to_owned(),
        }
    });
    texts.collect()
}

/// The newest event of a name.
fn event<'a>(answer: &'a Value, what: &str) -> &'a Value {
    let mut events = answer["events"].as_array().unwrap().iter();
    let found = events.find(|event| event["what"] == what);
    found.unwrap_or_else(|| panic!("{what} is not in {answer}"))
}

async fn take(server: &Server, user: &str, client: &str, bot: &str) -> Socket {
    let mut socket = server.client(user, client).await;
    socket.send(register(bot)).await;
    socket.expect("bot_registered").await;
    socket
}

#[tokio::test]
async fn a_bot_that_lost_its_socket_is_offline_and_its_last_connection_is_told() {
    let server = Server::start().await;
    let bot = server.bot("alice", "bot_a").await;
    let online = ask(&server, "alice/why?bot=bot_a").await;
    let told = &online["bots"][0];
    assert_eq!(
        (&told["state"], &told["here"]),
        (&json!("online"), &json!(true))
    );
    assert_eq!(told["node"], online["node"]["boot"]);
    assert_eq!(told["connection"], told["last_here"]["connection"]);
    assert_eq!(told["last_here"]["closed"], Value::Null);
    assert_eq!(
        (&online["known"], &online["loaded"]),
        (&json!(true), &json!(true))
    );
    drop(bot);

    let is_offline = |answer: &Value| answer["bots"][0]["state"] == "offline";
    let offline = ask_until(&server, "alice/why?bot=bot_a", "it is offline", is_offline).await;
    let last = &offline["bots"][0]["last_here"];
    assert_eq!(last["closed"]["by"], "lost");
    assert_eq!(last["lost"]["cause"], "connection_left");
    assert_eq!(
        (&last["client"], &last["source"]),
        (&json!("bot_a-process"), &json!("127.0.0.1"))
    );
    assert_eq!(last["connection"], told["connection"]);
    let since = offline["bots"][0]["since"].as_str().unwrap();
    assert!(since.starts_with("20") && since.ends_with('Z'), "{since}");
    assert_eq!(
        happened(&offline),
        ["connected", "registered", "disconnected lost"]
    );
    assert_eq!(offline["counts"]["disconnected"], json!({"lost": 1}));
}

#[tokio::test]
async fn a_takeover_names_both_connections_and_the_close() {
    let server = Server::start().await;
    let mut first = take(&server, "alice", "old-process", "bot_a").await;
    let second = take(&server, "alice", "new-process", "bot_a").await;
    assert_eq!(first.closed().await, 4409);
    let is_closed = |answer: &Value| answer["counts"]["disconnected"]["replaced"] == 1;
    let answer = ask_until(&server, "alice/why?bot=bot_a", "it is closed", is_closed).await;
    let told = &answer["bots"][0];
    assert_eq!(told["state"], "online");
    assert_eq!(told["last_here"]["client"], "new-process");
    assert_eq!(
        told["last_here"]["lost"],
        Value::Null,
        "the new one holds it"
    );
    let takeover = event(&answer, "taken_over");
    assert_eq!(takeover["by"]["connection"], told["connection"]);
    assert_eq!(takeover["by"]["node"], answer["node"]["boot"]);
    let registered = event(&answer, "registered");
    assert_eq!(registered["connection"], told["connection"]);
    assert_eq!(registered["from"]["connection"], takeover["connection"]);
    let closed = event(&answer, "disconnected");
    assert_eq!(closed["connection"], takeover["connection"]);
    assert_eq!(
        (&closed["by"], &closed["code"]),
        (&json!("gateway"), &json!(4409))
    );
    assert!(closed["lasted_ms"].is_u64());
    drop(second);
}

#[tokio::test]
async fn a_suspended_tenant_has_its_closes_and_its_refused_credentials() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    server.order("alice", "suspend").await;
    assert_eq!(bot.closed().await, 4403);
    let key = server.key("alice");
    for _ in 0..3 {
        assert_eq!(server.open("/ws", Some(&key)).await.closed().await, 4403);
    }
    let is_told = |answer: &Value| answer["counts"]["disconnected"]["tenant_suspended"] == 1;
    let answer = ask_until(&server, "alice/why", "it is told", is_told).await;
    assert_eq!(
        answer["policy"],
        json!({"generation": 0, "suspended": true})
    );
    let told = &answer["bots"][0];
    assert_eq!(
        (&told["bot"], &told["state"]),
        (&json!("bot_a"), &json!("offline"))
    );
    assert_eq!(told["last_here"]["closed"]["code"], 4403);
    let failed = event(&answer, "credential_failed");
    let expected = (&json!("suspended"), &json!(true), &json!(3));
    assert_eq!(
        (&failed["reason"], &failed["verified"], &failed["count"]),
        expected
    );
    assert_eq!(answer["counts"]["refused"], Value::Null, "{answer}");
    server.order("alice", "resume").await;
    let answer = ask(&server, "alice/why").await;
    assert_eq!(answer["policy"]["suspended"], false);
}

#[tokio::test]
async fn refusals_are_counted_by_reason_and_limits_that_are_reached_are_told() {
    let server = Server::start_with(|config| {
        (
            config.limits.messages_per_second,
            config.limits.messages_burst,
        ) = (1, 1);
        config.limits.sockets_per_tenant = 2;
    })
    .await;
    let _bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "phone").await;
    phone.ask(message("bot_a", "one")).await;
    for _ in 0..4 {
        phone
            .refused(message("bot_a", "more"), "rate_limited")
            .await;
    }
    phone
        .refused(message("x".repeat(99).as_str(), "hi"), "invalid_id")
        .await;
    let key = server.key("alice");
    assert_eq!(server.open("/ws", Some(&key)).await.closed().await, 1013);
    let answer = ask(&server, "alice/why").await;
    assert_eq!(
        answer["counts"]["refused"],
        json!({"rate_limited": 4, "invalid_id": 1, "quota_exceeded": 1})
    );
    let of = |reason: &str| {
        let events = answer["events"].as_array().unwrap();
        let found: Vec<_> = events
            .iter()
            .filter(|event| event["reason"] == reason)
            .collect();
        assert_eq!(found.len(), 1, "{reason}: {answer}");
        found[0].clone()
    };
    assert_eq!(of("rate_limited")["count"], 4);
    assert_eq!(of("quota_exceeded")["source"], "127.0.0.1");
    let limits = answer["limits"].as_array().unwrap();
    let limit = |name: &str| limits.iter().find(|limit| limit["limit"] == name).unwrap();
    assert_eq!(
        limit("sockets_per_tenant"),
        &json!({"limit": "sockets_per_tenant", "used": 2, "most": 2, "reached": true})
    );
    assert_eq!(limit("bots_per_tenant")["reached"], false);
    assert_eq!(limit("messages_per_second")["used"], Value::Null);
}

#[tokio::test]
async fn a_rate_that_is_exhausted_is_reached() {
    let server = Server::start_with(|config| {
        // Nothing is ever allowed.
        (
            config.limits.messages_per_second,
            config.limits.messages_burst,
        ) = (0, 1);
    })
    .await;
    let _phone = server.client("alice", "phone").await;
    let answer = ask(&server, "alice/why").await;
    let limits = answer["limits"].as_array().unwrap();
    let reached = limits.iter().filter(|limit| limit["reached"] == true);
    let reached: Vec<_> = reached.map(|limit| &limit["limit"]).collect();
    assert_eq!(reached, ["messages_per_second"]);
}

#[tokio::test]
async fn a_refused_registration_names_its_bot() {
    let server = Server::start().await;
    let _bot = server.bot("alice", "bot_a").await;
    let mut other = server.client("alice", "other").await;
    let rejects = r#"{"type":"register_bot","data":{"botId":"bot_a","takeover":"reject"}}"#;
    other.refused(rejects, "already_registered").await;
    let answer = ask(&server, "alice/why?bot=bot_a").await;
    let refused = event(&answer, "refused");
    let expected = (&json!("already_registered"), &json!("bot_a"));
    assert_eq!((&refused["reason"], &refused["bot"]), expected);
    let other = ask(&server, "alice/why?bot=bot_b").await;
    assert_eq!(happened(&other), [""; 0], "{other}");
    assert_eq!(other["bots"][0]["state"], "not_listed");
    let frame = r#"{"type":"unregister_bot","data":{"botId":"bot_a"}}"#;
    let mut bot = _bot;
    bot.ask(frame).await;
    let answer = ask(&server, "alice/why?bot=bot_a").await;
    assert_eq!(answer["bots"][0]["state"], "not_listed");
    assert_eq!(
        answer["bots"][0]["last_here"]["lost"]["cause"],
        "unregistered"
    );
    assert_eq!(event(&answer, "unregistered")["bot"], "bot_a");
}

#[tokio::test]
async fn a_tenant_that_a_stranger_invents_is_not_known() {
    let server = Server::start().await;
    let wrong = "t2b_alice_0123456789abcdef";
    server.open("/ws", Some(wrong)).await.closed().await;
    let answer = ask(&server, "alice/why").await;
    assert_eq!(answer["known"], false);
    assert_eq!(
        (&answer["bots"], &answer["events"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(
        (&answer["loaded"], &answer["directory_read"]),
        (&json!(false), &json!(true))
    );

    let _phone = server.client("alice", "phone").await;
    server.open("/ws", Some(wrong)).await.closed().await;
    let answer = ask(&server, "alice/why").await;
    assert_eq!(answer["known"], true);
    let failed = event(&answer, "credential_failed");
    assert_eq!(
        (&failed["reason"], &failed["verified"]),
        (&json!("invalid"), &json!(false))
    );
    assert!(!answer.to_string().contains("0123456789abcdef"), "{answer}");
}

#[tokio::test]
async fn nothing_of_another_tenant_is_told() {
    let server = Server::start().await;
    let _bot = server.bot("alice", "secret_bot").await;
    let mut phone = server.client("alice", "secret-phone").await;
    phone
        .refused(message("nobody", "hi"), "bot_not_found")
        .await;
    let _other = server.client("bob", "phone").await;
    let bob = ask(&server, "bob/why").await;
    assert_eq!(happened(&bob), ["connected"]);
    let bobs_bot = ask(&server, "bob/why?bot=secret_bot").await;
    assert_eq!(bobs_bot["bots"][0]["state"], "not_listed");
    assert_eq!(bobs_bot["bots"][0]["last_here"], Value::Null);
    for answer in [bob, ask(&server, "carol/why").await] {
        let text = answer.to_string();
        assert!(
            !text.contains("secret") && !text.contains("alice"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn it_needs_the_token_and_a_valid_query() {
    let server = Server::start().await;
    let bearer = server.admin_bearer();
    let wrong = bearer.replace(&server.admin_token, "wrong");
    for (method, path, headers, status) in [
        ("GET", "alice/why", "", 401),
        ("GET", "alice/why", wrong.as_str(), 401),
        ("POST", "alice/why", &bearer, 404),
        ("GET", "-alice/why", &bearer, 400),
        ("GET", "alice/why?bot=a%20b", &bearer, 400),
        ("GET", "alice/why?limit=1", &bearer, 400),
        ("GET", "alice/why?bot=a", &bearer, 200),
    ] {
        let path = format!("/admin/v1/tenants/{path}");
        let answer = server.admin(method, &path, headers).await;
        assert_eq!(answer.status, status, "{method} {path} {answer:?}");
    }
}

#[tokio::test]
async fn a_closed_socket_of_a_revoked_key_is_told_with_its_code() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    server.order("alice", "revoke").await;
    assert_eq!(bot.closed().await, 4401);
    let is_told = |answer: &Value| answer["counts"]["disconnected"]["unauthorized"] == 1;
    let answer = ask_until(&server, "alice/why?bot=bot_a", "it is told", is_told).await;
    assert_eq!(answer["bots"][0]["last_here"]["closed"]["code"], 4401);
    assert_eq!(answer["policy"]["generation"], 1);
    let new = server
        .keyring
        .issue_key(&TenantId::parse("alice").unwrap(), 1);
    let _again = server.bearer(new.reveal()).await;
    assert_eq!(ask(&server, "alice/why").await["policy"]["generation"], 1);
}

#[tokio::test]
async fn a_socket_that_tried_one_tenant_does_not_become_another_ones() {
    let server = Server::start().await;
    let _bot = server.bot("alice", "bot_a").await;
    let mut socket = server.open("/ws", None).await;
    socket.expect("status").await;
    let auth = |user: &str, client: &str| {
        let data = json!({"apiKey": server.key(user), "clientId": client});
        json!({"type": "auth", "data": data}).to_string()
    };
    socket.refused(auth("alice", "bot_a"), "invalid_id").await;
    socket.send(auth("bob", "phone")).await;
    assert_eq!(socket.closed().await, 1013);
    let mut again = server.open("/ws", None).await;
    again.expect("status").await;
    again.refused(auth("alice", "bot_a"), "invalid_id").await;
    let greeting = again.ask(auth("alice", "phone")).await;
    assert_eq!(greeting["type"], "auth_ok", "{greeting}");
    let alice = ask(&server, "alice/why").await;
    assert!(!alice.to_string().contains("bob"), "{alice}");
}
