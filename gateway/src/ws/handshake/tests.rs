use http::Request;

use super::*;

fn request(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder()
        .uri("/ws")
        .header("Upgrade", "h2c, WebSocket");
    request = request
        .header("Connection", "keep-alive")
        .header("Connection", "x, uPgRaDe");
    request = request.header("Sec-WebSocket-Version", "13");
    request = request.header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

const ANY: UpgradePolicy<'_> = UpgradePolicy {
    subprotocols: &["t2b.v1"],
    allowed_origins: &[],
    hosts: None,
};

#[test]
fn an_origin_is_the_hosts_own_or_listed() {
    let listed = ["capacitor://localhost", "https://app.example"].map(|it| it.parse().unwrap());
    let cases = [
        ("gw.example", "https://gw.example", true),
        ("gw.example:443", "https://gw.example", true),
        ("gw.example", "http://gw.example:80", true),
        ("GW.example", "https://gw.EXAMPLE", true),
        ("gw.example:8080", "http://gw.example:8080", true),
        ("[::1]:3000", "http://[::1]:3000", true),
        ("gw.example:3000", "http://gw.example", false),
        ("gw.example", "https://gw.example:8443", false),
        ("gw.example:80", "https://gw.example", false),
        ("gw.example", "https://gw.example.evil", false),
        ("gw.example", "ftp://gw.example", false),
        ("gw.example", "null", false),
        ("gw.example", "", false),
        ("gw.example", "capacitor://localhost", true),
        ("gw.example", "https://app.example", true),
        ("gw.example", "http://app.example", false),
    ];
    for (host, origin, allowed) in cases {
        let parts = request(&[("Host", host), ("Origin", origin)]);
        let judged = judge(
            &parts,
            &UpgradePolicy {
                allowed_origins: &listed,
                ..ANY
            },
        );
        let status = judged.map_or_else(|refusal| refusal.status, |_| StatusCode::OK);
        let expected = if allowed {
            StatusCode::OK
        } else {
            StatusCode::FORBIDDEN
        };
        assert_eq!(status, expected, "{host} {origin}");
    }
    let parts = request(&[("Host", "a"), ("Origin", "null")]);
    assert!(
        judge(
            &parts,
            &UpgradePolicy {
                allowed_origins: &["*".parse().unwrap()],
                ..ANY
            }
        )
        .is_ok()
    );
    let twice = request(&[
        ("Host", "a"),
        ("Origin", "http://a"),
        ("Origin", "http://a"),
    ]);
    assert!(judge(&twice, &ANY).is_err());
}

#[test]
fn the_subprotocol_is_the_first_offered_that_we_speak() {
    let offered = [
        ("Host", "a"),
        ("Sec-WebSocket-Protocol", "t2b.auth.abc, other"),
        ("Sec-WebSocket-Protocol", "t2b.v1"),
    ];
    let accepted = judge(&request(&offered), &ANY).unwrap();
    assert_eq!(accepted.subprotocol(), Some("t2b.v1"));
    let accepted = judge(&request(&offered[..2]), &ANY).unwrap();
    assert_eq!(accepted.subprotocol(), None);
    assert!(
        !accepted
            .response()
            .headers()
            .contains_key(SEC_WEBSOCKET_PROTOCOL)
    );
}

#[test]
fn a_refusal_for_the_time_being_says_how_long() {
    let response = UpgradeRefusal::retry_after(StatusCode::SERVICE_UNAVAILABLE, 5).response();
    assert_eq!(response.headers()[RETRY_AFTER], "5");
}
