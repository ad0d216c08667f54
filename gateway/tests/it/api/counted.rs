//! Which refused requests count in the meter `http_requests`.

use protocol::UsageMeter;

use super::lines_of;
use crate::usage::{booked, server};

#[tokio::test]
async fn a_refused_request_counts_if_its_credential_was_checked_first() {
    let server = server().await;
    let two_ids = "idempotency-key: a\r\nidempotency-key: b\r\n";
    let stale = "GET /v1/usage?cursor=266ab987.2026120100.2026120200.2026120100.0";
    let cases = [
        ("GET /v1/bots?limit=0", "", "bad_request", 0),
        ("GET /v1/bots?limit=many", "", "bad_request", 0),
        ("GET /v1/bots?cursor=%20", "", "invalid_id", 1),
        ("GET /v1/bots/%20", "", "invalid_id", 1),
        ("GET /v1/bots/%FF", "", "invalid_id", 1),
        ("GET /v1/bots/bot_a", "", "bot_not_found", 1),
        ("POST /v1/messages?waitMs=-1", "", "bad_request", 0),
        ("POST /v1/messages", two_ids, "bad_request", 0),
        (
            "POST /v1/messages",
            "idempotency-key: @\r\n",
            "invalid_id",
            0,
        ),
        ("POST /v1/messages?clientId=%20", "", "invalid_id", 1),
        ("POST /v1/messages?clientId=&waitMs=9", "", "invalid_id", 1),
        ("POST /v1/messages", "", "bad_frame", 1),
        ("POST /v1/tokens", "", "bad_request", 1),
        ("GET /v1/usage?from=x", "", "bad_request", 1),
        ("GET /v1/usage?to=x", "", "bad_request", 1),
        ("GET /v1/usage?step=x", "", "bad_request", 1),
        ("GET /v1/usage?meter=x", "", "bad_request", 1),
        ("GET /v1/usage?open=x", "", "bad_request", 1),
        ("GET /v1/usage?limit=0", "", "bad_request", 1),
        ("GET /v1/usage?cursor=zz", "", "bad_request", 1),
        (stale, "", "bad_request", 1),
        ("GET /v1/usage?tenant=bob", "", "bad_request", 1),
    ];
    let tenants = (0..cases.len()).map(|number| format!("tenant{number}"));
    let tenants: Vec<String> = tenants.collect();
    for ((request, lines, reason, counted), tenant) in cases.iter().zip(&tenants) {
        let body = if request.starts_with("POST") {
            "[]"
        } else {
            ""
        };
        let first = if *counted == 1 {
            "unauthorized"
        } else {
            reason
        };
        let wrong = format!("t2b_{tenant}_0123456789abcdef");
        for (credential, reason) in [(wrong, first), (server.key(tenant), reason)] {
            let lines = format!("{}{lines}", lines_of(&credential));
            server.api(request, &lines, body).await.problem(reason);
        }
        server.api(request, lines, body).await.problem(first);
    }
    for ((request, lines, _, counted), tenant) in cases.iter().zip(&tenants) {
        let booked = booked(&server, tenant).await;
        let requests = booked.get(&UsageMeter::HttpRequests).copied();
        assert_eq!(requests.unwrap_or(0), *counted, "{request} {lines:?}");
    }
}
