//! What `status` tells of a tenant: its bots and connections, to an API key only.

use router_core::auth::TokenScope;
use serde_json::{Value, json};

use crate::harness::Server;

fn status(data: Value) -> String {
    json!({"type": "status", "data": data, "id": "s"}).to_string()
}

#[tokio::test]
async fn a_key_sees_its_own_connections_and_bots() {
    let server = Server::start().await;
    let _bot = server.bot("alice", "bot_a").await;
    let _stranger = server.bot("bob", "bot_b").await;
    let mut phone = server.client("alice", "phone").await;
    let answer = phone.ask(status(json!({"request": "connections"}))).await;
    assert_eq!(
        (&answer["type"], &answer["id"]),
        (&json!("status"), &json!("s"))
    );
    let data = &answer["data"];
    assert_eq!(
        (&data["type"], &data["count"]),
        (&json!("connections"), &json!(2))
    );
    let connections = data["connections"].as_array().unwrap();
    let seen: Vec<(&Value, &Value)> = connections
        .iter()
        .map(|conn| (&conn["clientId"], &conn["bots"]))
        .collect();
    assert_eq!(
        seen,
        [
            (&json!("bot_a-process"), &json!(["bot_a"])),
            (&json!("phone"), &json!([]))
        ]
    );
    for conn in connections {
        assert!(conn["id"].as_str().unwrap().starts_with("conn_"), "{conn}");
        let since = conn["since"].as_u64().unwrap();
        let now = answer["timestamp"].as_u64().unwrap();
        assert!(since <= now && now - since < 60_000, "{conn} at {now}");
    }

    let data = phone.ask(status(json!({"request": "full"}))).await["data"].clone();
    assert_eq!(data["type"], "full", "{data}");
    assert_eq!(
        (&data["botCount"], &data["connectionCount"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(data["bots"][0]["id"], "bot_a");
    assert_eq!(data["connections"].as_array().unwrap().len(), 2);
    assert!(!data.to_string().contains("bot_b"), "{data}");
}

#[tokio::test]
async fn connections_come_in_pages() {
    let server = Server::start().await;
    let mut phone = server.client("alice", "phone").await;
    let mut others = Vec::new();
    for number in 0..4 {
        others.push(server.client("alice", &format!("tablet-{number}")).await);
    }
    let mut seen = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let request = json!({"request": "connections", "limit": 2.0, "cursor": cursor});
        let data = phone.ask(status(request)).await["data"].clone();
        let page = data["connections"].as_array().unwrap();
        assert!(page.len() <= 2, "{data}");
        assert_eq!(data["count"], 5);
        seen.extend(
            page.iter()
                .map(|conn| conn["clientId"].as_str().unwrap().to_owned()),
        );
        cursor = data["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    seen.sort_unstable();
    assert_eq!(
        seen,
        ["phone", "tablet-0", "tablet-1", "tablet-2", "tablet-3"]
    );
    for (data, reason, field) in [
        (
            json!({"request": "connections", "limit": 1001}),
            "bad_frame",
            "limit",
        ),
        (
            json!({"request": "connections", "cursor": "bot_a"}),
            "invalid_id",
            "cursor",
        ),
        (json!({"request": "full", "limit": 0}), "bad_frame", "limit"),
    ] {
        let error = phone.refused(status(data.clone()), reason).await;
        assert_eq!(error["data"]["field"], field, "{data}: {error}");
    }
}

#[tokio::test]
async fn a_token_may_not_ask_for_connections() {
    let server = Server::start().await;
    for scope in [TokenScope::Chat, TokenScope::Bot] {
        let token = server.token("alice", "p", scope, Some(&["bot_a"]), 60);
        let mut socket = server.bearer(&token).await;
        for request in ["connections", "full"] {
            let frame = status(json!({"request": request}));
            socket.refused(frame, "forbidden_scope").await;
        }
        let bots = socket.ask(status(json!({"request": "bots"}))).await;
        assert_eq!(bots["data"]["type"], "bots_list");
    }
}
