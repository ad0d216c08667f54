//! Who still uses an old secret: the gauge, and the pages of the admin API.

use std::collections::BTreeMap;

use gateway::config::{Config, ConfigSources};
use protocol::{Secret, TenantId};
use router_core::auth::Keyring;
use serde_json::{Value, json};

use crate::harness::{Server, Socket, eventually};

const OLD: &str = "old-0123456789abcdefghijklmnopqrstuvwxyz";
const NEW: &str = "new-0123456789abcdefghijklmnopqrstuvwxyz";

/// A gateway in the middle of a rotation.
async fn server() -> Server {
    Server::start_with(|config| {
        let environment = [
            (
                "T2B_STATE_DIR",
                config.state_dir.as_ref().unwrap().display().to_string(),
            ),
            ("T2B_SECRETS", format!("{NEW},{OLD}")),
            ("T2B_LISTEN", "127.0.0.1:0".to_owned()),
            ("T2B_ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value));
        *config = Config::load(ConfigSources {
            environment: BTreeMap::from(environment),
            file_limit: 1024,
            ..ConfigSources::default()
        })
        .unwrap();
    })
    .await
}

async fn connect(server: &Server, secret: &str, user: &str) -> Socket {
    let ring = Keyring::new(&[Secret::new(secret.to_owned())]).unwrap();
    let key = ring.issue_key(&TenantId::parse(user).unwrap(), 0);
    server.bearer(key.reveal()).await
}

async fn page(server: &Server, query: &str) -> Value {
    let path = format!("/admin/v1/keys/using-old{query}");
    let answer = server.admin("GET", &path, &server.admin_bearer()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn open_connections_are_counted_by_secret_and_listed_by_tenant() {
    let server = server().await;
    assert_eq!(page(&server, "").await["tenants"], json!([]));
    let mut old = vec![connect(&server, OLD, "carol").await];
    for user in ["alice", "bob", "carol"] {
        old.push(connect(&server, OLD, user).await);
    }
    let _new = connect(&server, NEW, "alice").await;
    let whole = page(&server, "").await;
    let alice = json!({"tenant": "alice", "connections": 1});
    let bob = json!({"tenant": "bob", "connections": 1});
    let carol = json!({"tenant": "carol", "connections": 2});
    assert_eq!(whole["tenants"], json!([alice, bob, carol]));
    assert_eq!(whole["connections"], json!({"first": 1, "other": 4}));
    assert_eq!(whole["next"], Value::Null);
    let series = |secret| format!("t2b_connections_by_secret{{secret=\"{secret}\"}}");
    assert_eq!(server.metric(&series("first")).await, 1.0);
    assert_eq!(server.metric(&series("other")).await, 4.0);

    // In pages: below, at and above their number.
    let first = page(&server, "?limit=2").await;
    assert_eq!(first["tenants"], json!([alice, bob]));
    assert_eq!(first["next"], "bob");
    let second = page(&server, "?limit=2&after=bob").await;
    assert_eq!(
        (&second["tenants"], &second["next"]),
        (&json!([carol]), &Value::Null)
    );
    assert_eq!(page(&server, "?limit=3").await["next"], Value::Null);
    assert_eq!(page(&server, "?limit=4").await["next"], Value::Null);

    // Who leaves is not counted any more.
    old.clear();
    eventually("nobody uses the old secret", || async {
        let whole = page(&server, "").await;
        whole["connections"] == json!({"first": 1, "other": 0}) && whole["tenants"] == json!([])
    })
    .await;
}

#[tokio::test]
async fn a_question_that_is_not_understood_is_refused() {
    let server = server().await;
    let bearer = server.admin_bearer();
    for (query, status, told) in [
        ("?limit=1000", 200, ""),
        ("?limit=1001", 400, "limit"),
        ("?limit=0", 400, "limit"),
        ("?limit=x", 400, "limit"),
        ("?after=-x", 400, "after"),
        ("?before=x", 400, "only after and limit"),
    ] {
        let path = format!("/admin/v1/keys/using-old{query}");
        let answer = server.admin("GET", &path, &bearer).await;
        assert_eq!(answer.status, status, "{query}");
        assert!(answer.body.contains(told), "{query}: {}", answer.body);
    }
    let answer = server.admin("GET", "/admin/v1/keys/using-old", "").await;
    assert_eq!(answer.status, 401);
}
