//! The labels of a tenant, over the admin API.

use crate::harness::Server;
use crate::http::{Answer, exchange};

const WRONG: &str = "the body must be {\"labels\":";

async fn put(server: &Server, tenant: &str, body: &str) -> Answer {
    let bearer = server.admin_bearer();
    let length = body.len();
    let request = format!(
        "PUT /admin/v1/tenants/{tenant}/labels HTTP/1.1\r\nhost: 127.0.0.1\r\n{bearer}content-length: {length}\r\n\r\n{body}"
    );
    exchange(server.addresses.admin, request.as_bytes()).await
}

async fn get(server: &Server, tenant: &str) -> Answer {
    let path = format!("/admin/v1/tenants/{tenant}/labels");
    server.admin("GET", &path, &server.admin_bearer()).await
}

#[tokio::test]
async fn labels_are_put_replaced_and_removed() {
    let server = Server::start().await;
    let none = r#"{"labels":{},"tenant":"alice"}"#;
    assert_eq!(get(&server, "alice").await.body, none);
    for (body, labels) in [
        (
            r#"{"labels":{"region":"eu-1","plan":"pro"}}"#,
            r#"{"labels":{"plan":"pro","region":"eu-1"},"tenant":"alice"}"#,
        ),
        (
            r#"{"labels":{"plan":"free"}}"#,
            r#"{"labels":{"plan":"free"},"tenant":"alice"}"#,
        ),
        (r#"{"labels":{}}"#, none),
    ] {
        let answer = put(&server, "alice", body).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, labels));
        assert_eq!(get(&server, "alice").await.body, labels);
        assert_eq!(
            get(&server, "bob").await.body,
            r#"{"labels":{},"tenant":"bob"}"#
        );
    }
}

#[tokio::test]
async fn what_is_no_labels_is_refused_with_the_reason_and_changes_nothing() {
    let server = Server::start().await;
    put(&server, "alice", r#"{"labels":{"plan":"pro"}}"#).await;
    let long = format!(r#"{{"labels":{{"plan":"{}"}}}}"#, "x".repeat(61));
    let huge = " ".repeat(20_000);
    for (body, why) in [
        (
            long.as_str(),
            "labels.plan: name and value are more than 64 bytes",
        ),
        (
            r#"{"labels":{"a b":"x"}}"#,
            "labels: a name must be 1 or more of",
        ),
        (
            r#"{"labels":{"plan":"a","plan":"b"}}"#,
            "labels.plan: given twice",
        ),
        (r#"{"labels":{"plan":null}}"#, WRONG),
        (r#"{"labels":{},"a\nb":1}"#, WRONG),
        (r#"{"label":{}}"#, WRONG),
        (r#"[{"plan":"free"}]"#, WRONG),
        ("[]", WRONG),
        ("{}", WRONG),
        ("", WRONG),
        (&huge, "the body is too large or broken off"),
    ] {
        let answer = put(&server, "alice", body).await;
        assert_eq!(answer.status, 400, "{body} {answer:?}");
        assert!(answer.body.starts_with(why), "{body} {answer:?}");
        assert_eq!(answer.body.lines().count(), 1, "{body} {answer:?}");
    }
    // An id has one spelling.
    for id in ["-alice", "%61lice", "%ff", "al%2fice"] {
        assert_eq!(put(&server, id, r#"{"labels":{}}"#).await.status, 400);
        let answer = get(&server, id).await;
        assert_eq!(
            (answer.status, &*answer.body),
            (400, "not a valid tenant id\n")
        );
    }
    assert_eq!(
        get(&server, "alice").await.body,
        r#"{"labels":{"plan":"pro"},"tenant":"alice"}"#
    );
}
