//! Web pages: which origins may ask, and what a browser is told.

use super::lines_of;
use crate::harness::Server;

async fn server() -> Server {
    Server::start_with(|config| {
        config.allowed_origins = vec!["https://app.example".parse().unwrap()];
    })
    .await
}

#[tokio::test]
async fn only_listed_pages_and_our_own_may_ask() {
    let server = server().await;
    let lines = lines_of(&server.key("alice"));
    for (origin, status, allowed) in [
        ("", 200, false),
        ("origin: http://localhost\r\n", 200, false),
        ("origin: https://app.example\r\n", 200, true),
        ("origin: https://evil.example\r\n", 403, false),
        ("origin: null\r\n", 403, false),
        (
            "origin: https://app.example\r\norigin: https://evil.example\r\n",
            403,
            false,
        ),
    ] {
        let answer = server
            .api("GET /v1/bots", &format!("{lines}{origin}"), "")
            .await;
        assert_eq!(answer.status, status, "{origin} {answer:?}");
        if status == 403 {
            answer.problem("origin_not_allowed");
        }
        assert!(answer.head.contains("vary: origin"), "{answer:?}");
        let told = answer
            .head
            .contains("access-control-allow-origin: https://app.example");
        assert_eq!(told, allowed, "{origin} {answer:?}");
        assert_eq!(answer.head.contains("access-control-"), allowed);
    }
    // A page may read why it was refused.
    let origin = "origin: https://app.example\r\n";
    let refused = server.api("GET /v1/bots", origin, "").await;
    refused.problem("unauthorized");
    assert!(
        refused.head.contains("access-control-allow-origin: "),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_refused_page_learns_no_methods() {
    let server = server().await;
    let evil = "origin: https://evil.example\r\n";
    for request in ["POST /v1/bots", "OPTIONS /v1/bots", "GET /v1/messages"] {
        let refused = server.api(request, evil, "").await;
        refused.problem("origin_not_allowed");
        assert!(!refused.head.contains("\r\nallow: "), "{refused:?}");
    }
}

#[tokio::test]
async fn a_preflight_says_what_may_be_sent() {
    let server = server().await;
    let asks =
        "access-control-request-method: POST\r\naccess-control-request-headers: authorization\r\n";
    let listed = format!("origin: https://app.example\r\n{asks}");
    for (path, methods) in [
        ("/v1/messages", "post, options"),
        ("/v1/bots/bot_a", "get, head, options"),
    ] {
        let answer = server.api(&format!("OPTIONS {path}"), &listed, "").await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (204, ""),
            "{answer:?}"
        );
        for line in [
            format!("access-control-allow-methods: {methods}"),
            "access-control-allow-headers: authorization, content-type, idempotency-key".to_owned(),
            "access-control-allow-origin: https://app.example".to_owned(),
            "access-control-max-age: 600".to_owned(),
        ] {
            assert!(answer.head.contains(&line), "{line} in {answer:?}");
        }
    }
    let evil = format!("origin: https://evil.example\r\n{asks}");
    let refused = server.api("OPTIONS /v1/messages", &evil, "").await;
    refused.problem("origin_not_allowed");
    assert!(!refused.head.contains("access-control-"), "{refused:?}");
    server
        .api("OPTIONS /v1/nothing", &listed, "")
        .await
        .problem("not_found");
    let plain = server.api("OPTIONS /v1/messages", "", "").await;
    assert_eq!(plain.status, 204);
    assert!(plain.head.contains("allow: post, options") && !plain.head.contains("access-control-"));
}
