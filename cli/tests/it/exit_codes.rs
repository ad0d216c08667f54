//! What a script learns from how a command ended: 0, 1, 64, 69, 77, and a reason on stderr.

use std::net::TcpListener;

use crate::harness::TestHome;

const WRONG_KEY: &str = "t2b_local_0123456789abcdef";

/// An address where nobody listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn a_wrong_configuration_is_64_before_a_port_is_bound() {
    let home = TestHome::new();
    // Taken: if a port were tried first, that would be the error.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = ["gateway", "run", "--listen", &address, "--heartbeat", "25"];
    let said = home.run(&args).with(64);
    assert!(
        said.contains("error: config: heartbeat (--heartbeat): expected a time"),
        "{said}"
    );
    assert!(said.contains("next: "), "{said}");
    let said = home.run(&["gateway", "run", "--listen", &address]).with(1);
    let expected = |key| format!("error: listen: cannot listen on {address} ({key}): ");
    assert!(said.contains(&expected("listen")), "{said}");
    let args = [
        "gateway",
        "run",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        &address,
    ];
    let said = home.run(&args).with(1);
    assert!(said.contains(&expected("admin_listen")), "{said}");
}

#[test]
fn wrong_usage_is_64_and_help_is_0() {
    let home = TestHome::new();
    home.run(&["chat"]).with(64);
    home.run(&["sing"]).with(64);
    home.run(&["bots", "--url", "nonsense", "--key", WRONG_KEY])
        .with(64);
    home.run(&["bots", "--url", "ws://gateway.invalid/ws"])
        .with(64);
    // The sums and the check number are of an hour and all its meters.
    home.run(&["usage", "check", "--meter", "bytes_in"])
        .with(64);
    home.run(&["--help"]).with(0);
}

#[test]
fn a_url_of_another_kind_is_answered_with_the_right_one() {
    let home = TestHome::new();
    let said = |url: &str, code: i32| {
        home.run(&["bots", "--url", url, "--key", WRONG_KEY])
            .with(code)
    };
    for (url, right) in [
        ("http://127.0.0.1:3000", "ws://127.0.0.1:3000/ws"),
        (
            "https://gateway.invalid/ws?token=x",
            "wss://gateway.invalid/ws",
        ),
    ] {
        let said = said(url, 64);
        assert!(said.contains(&format!("use {right}\n")), "{said}");
    }
    let said_nothing = said("127.0.0.1:3000", 64);
    assert!(said_nothing.contains("expected ws://"), "{said_nothing}");

    let gateway = home.gateway(&[]);
    let said = said(&format!("wss://{}/ws", gateway.public), 69);
    assert!(said.contains("does not speak TLS"), "{said}");
    assert!(said.contains("ws:// instead of wss://"), "{said}");
    assert!(!said.contains("next: "), "{said}");

    // The admin listener has no WebSocket.
    let url = format!("ws://{}/ws", gateway.admin);
    let said = home
        .run(&["bots", "--url", &url, "--key", WRONG_KEY])
        .with(1);
    assert!(
        said.contains("HTTP 404") && said.contains("admin listener"),
        "{said}"
    );
}

/// Somebody else runs a gateway that is elsewhere.
#[test]
fn nobody_at_another_machine_is_no_reason_to_start_a_gateway_here() {
    let home = TestHome::new();
    let bots = [
        "bots",
        "--url",
        "ws://gateway.invalid/ws",
        "--key",
        WRONG_KEY,
    ];
    let said = home.run(&bots).with(69);
    assert!(said.contains("error: not_reachable: "), "{said}");
    assert!(!said.contains("next: "), "{said}");
}

#[test]
fn nobody_there_is_69() {
    let home = TestHome::new();
    let address = nowhere();
    home.run(&["keys", "issue", "local"]).with(0);
    let said = home
        .run(&["bots", "--url", &format!("ws://{address}/ws")])
        .with(69);
    assert!(said.contains("error: not_reachable:"), "{said}");
    assert!(said.contains("next: t2b gateway run"), "{said}");
    home.run(&["gateway", "status", "--admin-listen", &address])
        .with(69);
}

#[test]
fn an_offline_bot_is_69_and_a_wrong_key_77() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let chat = [
        "chat",
        "bot_nobody",
        "--text",
        "x",
        "--wait",
        "1s",
        "--url",
        &gateway.url,
    ];
    let said = home.run(&chat).with(69);
    assert!(said.contains("error: bot_offline:"), "{said}");
    let said = home.run_with(&chat, &[("T2B_KEY", WRONG_KEY)]).with(77);
    assert!(said.contains("error: unauthorized:"), "{said}");

    let admin = ["--admin-listen", gateway.admin.as_str()];
    home.run(&[&["tenant", "suspend", "local"][..], &admin].concat())
        .with(0);
    let said = home.run(&chat).with(77);
    assert!(said.contains("error: tenant_suspended:"), "{said}");
    home.run(&[&["tenant", "resume", "local"][..], &admin].concat())
        .with(0);
    home.run(&chat).with(69);
    let stranger = [("T2B_ADMIN_TOKEN", "not-the-admin-token")];
    home.run_with(
        &["gateway", "status", "--admin-listen", &gateway.admin],
        &stranger,
    )
    .with(77);
}

#[test]
fn keys_are_made_and_checked_without_a_gateway() {
    let home = TestHome::new();
    let key = home.run(&["keys", "issue", "alice"]).with(0);
    let said = home.run(&["keys", "verify", key.trim()]).with(0);
    assert_eq!(said, "valid: user alice, generation 0\n");
    home.run(&["keys", "verify", WRONG_KEY]).with(77);
    let newer = home
        .run(&["keys", "issue", "alice", "--generation", "3"])
        .with(0);
    let said = home.run(&["keys", "verify", newer.trim()]).with(77);
    assert!(
        said.contains("generation 3 was not issued yet: the current one is 0"),
        "{said}"
    );
    let secret = home.run(&["keys", "secret"]).with(0);
    assert_eq!(secret.trim().len(), 43);
}

#[test]
fn the_configuration_is_shown_without_credentials() {
    let home = TestHome::new();
    let secret = "0123456789abcdefghijklmnopqrstuvwxyz";
    let said = home
        .run_with(&["gateway", "config"], &[("T2B_SECRETS", secret)])
        .with(0);
    assert!(said.contains("listen = \"127.0.0.1:3000\""), "{said}");
    assert!(
        said.contains("T2B_SECRETS") && !said.contains(secret),
        "{said}"
    );
}
