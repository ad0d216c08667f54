//! `status` on a node of several: connections and bots of all of them.

use router_core::auth::TokenScope;
use serde_json::json;

use crate::other_nodes::OTHER;
use crate::talk::{gist, token};
use crate::world::{START_MS, World};

fn status(request: &str) -> String {
    json!({"type": "status", "data": {"request": request}}).to_string()
}

#[test]
fn connections_of_other_nodes_are_told_with_their_bots() {
    let mut w = World::of_three();
    let phone = w.join(Some("phone"));
    w.far_bot(OTHER);
    w.pass(200);
    w.take(phone);
    w.text(phone, status("connections"));
    let data = w.take(phone).pop().unwrap()["data"].clone();
    assert_eq!(
        (&data["type"], &data["count"]),
        (&json!("connections"), &json!(1)),
        "{data}"
    );
    assert_eq!(data["connections"][0]["clientId"], "phone");
    assert_eq!(data["connections"][0]["since"], START_MS);
    w.far_conn(OTHER, "process");
    w.text(phone, status("connections"));
    let data = w.take(phone).pop().unwrap()["data"].clone();
    assert_eq!(data["count"], 2, "{data}");
    let far = &data["connections"].as_array().unwrap();
    let far = far
        .iter()
        .find(|conn| conn["clientId"] == "process")
        .unwrap();
    assert_eq!(far["bots"], json!(["bot_far"]), "{data}");
    w.text(phone, status("full"));
    let data = w.take(phone).pop().unwrap()["data"].clone();
    assert_eq!(
        (&data["botCount"], &data["connectionCount"]),
        (&json!(1), &json!(2)),
        "{data}"
    );
    assert_eq!(data["bots"][0]["id"], "bot_far");
}

#[test]
fn a_token_sees_no_connections() {
    let mut w = World::plain();
    for scope in [TokenScope::Chat, TokenScope::Bot] {
        let conn = w.arrive(Some(token(scope, Some(&["bot_a"]), START_MS, 60)), None);
        w.take(conn);
        for request in ["connections", "full", "bots"] {
            w.text(conn, status(request));
        }
        let told = w.take(conn);
        assert_eq!(
            gist(&told),
            ["forbidden_scope", "forbidden_scope", "bots_list"]
        );
    }
}
