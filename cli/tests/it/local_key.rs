//! The key that a command makes for itself on the gateway's machine, and what it says if that is no
//! use.

use std::path::Path;

use crate::harness::TestHome;

const WRONG_KEY: &str = "t2b_local_0123456789abcdef";

fn path_of(home: &TestHome, name: &str) -> String {
    home.path().join("state").join(name).display().to_string()
}

#[test]
fn a_client_command_makes_no_secret() {
    let home = TestHome::new();
    let others = TestHome::new();
    let gateway = others.gateway(&[]);
    let url = ["--url", gateway.url.as_str()];
    let secret = path_of(&home, "secret");
    for args in [
        &["bots"][..],
        &["chat", "bot_a", "--text", "hi"],
        &["bot", "echo", "--id", "bot_a"],
    ] {
        let said = home.run(&[args, &url].concat()).with(64);
        for word in [&secret, "--key", "T2B_KEY", "T2B_STATE_DIR"] {
            assert!(said.contains(word), "{args:?}: no {word} in {said}");
        }
        assert!(!Path::new(&secret).exists(), "{args:?}");
    }
}

#[test]
fn a_key_of_another_secret_is_explained() {
    let home = TestHome::new();
    home.run(&["keys", "issue", "local"]).with(0);
    let others = TestHome::new();
    let gateway = others.gateway(&[]);
    let bots = ["bots", "--url", gateway.url.as_str()];
    let said = home.run(&bots).with(77);
    let secret = path_of(&home, "secret");
    let expected = format!("made from {secret}, which this gateway does not use");
    assert!(said.contains("error: unauthorized: "), "{said}");
    assert!(said.contains(&expected), "{said}");
    assert!(!said.contains("next: t2b keys issue USER"), "{said}");
    let said = home.run_with(&bots, &[("T2B_KEY", WRONG_KEY)]).with(77);
    assert!(said.contains("next: t2b keys issue USER"), "{said}");
    assert!(!said.contains(&secret), "{said}");
}

#[test]
fn a_token_of_another_gateway_is_named() {
    let home = TestHome::new();
    let others = TestHome::new();
    let gateway = others.gateway(&[]);
    let status = ["gateway", "status", "--admin-listen", &gateway.admin];
    let said = home.run(&status).with(77);
    assert!(said.contains(&path_of(&home, "admin-token")), "{said}");
    let given = [("T2B_ADMIN_TOKEN", "not-the-admin-token")];
    let said = home.run_with(&status, &given).with(77);
    assert!(said.contains("admin_token"), "{said}");
    assert!(!said.contains("not-the-admin-token"), "{said}");
}
