//! `--json`: every command that prints facts prints them for programs too.

use std::fs;

use serde_json::{Value, json};

use crate::harness::TestHome;

/// The one line that a command prints.
#[track_caller]
fn said(home: &TestHome, args: &[&str]) -> Value {
    let ended = home.run(&[args, &["--json"]].concat());
    let (stdout, all) = (ended.stdout.clone(), ended.with(0));
    let mut lines = stdout.lines();
    let first = lines
        .next()
        .and_then(|line| serde_json::from_str(line).ok());
    assert_eq!(lines.next(), None, "{args:?}: {all}");
    first.unwrap_or_else(|| panic!("{args:?}: no JSON: {all}"))
}

#[test]
fn keys_and_the_configuration() {
    let home = TestHome::new();
    let issued = said(&home, &["keys", "issue", "alice"]);
    assert_eq!(issued["user"], "alice");
    assert_eq!(issued["generation"], 0);
    let key = issued["key"].as_str().unwrap();
    let verified = said(&home, &["keys", "verify", key]);
    let expected = json!({"user": "alice", "generation": 0, "current": 0});
    assert_eq!(verified, expected);
    let secret = said(&home, &["keys", "secret"]);
    assert_eq!(secret["secret"].as_str().unwrap().len(), 43);
    let config = said(&home, &["gateway", "config", "--heartbeat", "8s"]);
    assert_eq!(config["heartbeat"], "8s");
    assert_eq!(config["limits"]["bots_per_socket"], 64);
}

#[test]
fn the_running_gateway_and_its_tenants() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let admin = ["--admin-listen", gateway.admin.as_str()];
    let ask = |args: &[&str]| said(&home, &[args, &admin].concat());
    let status = ask(&["gateway", "status"]);
    assert_eq!(status["draining"], false);
    assert_eq!(status["store"]["kind"], "memory");
    let expected = json!({"user": "alice", "suspended": true, "persisted": true});
    assert_eq!(ask(&["tenant", "suspend", "alice"]), expected);
    let expected = json!({"user": "alice", "suspended": false, "persisted": true});
    assert_eq!(ask(&["tenant", "resume", "alice"]), expected);
    let expected = json!({"user": "alice", "generation": 1, "persisted": true});
    assert_eq!(ask(&["keys", "revoke", "alice"]), expected);
}

#[test]
fn who_uses_an_old_secret() {
    let home = TestHome::new();
    let old = said(&home, &["keys", "secret"]);
    let new = said(&home, &["keys", "secret"]);
    let (old, new) = (
        old["secret"].as_str().unwrap(),
        new["secret"].as_str().unwrap(),
    );
    let gateway = home.gateway(&[("T2B_SECRETS", &format!("{new},{old}"))]);
    let ask = || {
        let admin = ["--admin-listen", gateway.admin.as_str()];
        said(&home, &[&["keys", "using-old"][..], &admin].concat())
    };
    let nobody = json!({"connections": {"first": 0, "other": 0}, "users": []});
    assert_eq!(ask(), nobody);
    let key = home.run_with(&["keys", "issue", "alice"], &[("T2B_SECRETS", old)]);
    let _bot = home.echo_bot("bot_a", &gateway.url, &[("T2B_KEY", key.stdout.trim())]);
    let alice = json!({"user": "alice", "connections": 1});
    let expected = json!({"connections": {"first": 0, "other": 1}, "users": [alice]});
    assert_eq!(ask(), expected);
    let using_old = ["keys", "using-old", "--admin-listen", &gateway.admin];
    let said = home.run(&using_old).with(0);
    let expected = "1 connection on this node uses an old secret; on the first secret: 0";
    assert!(said.contains(expected), "{said}");
}

/// Which of the gateway's settings count is said where its flags are not listed.
#[test]
fn the_help_of_keys_and_tenants_names_the_settings_that_count() {
    let home = TestHome::new();
    let keys = [
        "--config",
        "--state-dir",
        "--secrets-file",
        "--redis",
        "T2B_",
    ];
    let admin = [
        "--config",
        "--state-dir",
        "--admin-listen",
        "--admin-token-file",
        "T2B_",
    ];
    for (args, settings) in [
        (["keys", "issue"], keys),
        (["keys", "verify"], keys),
        (["keys", "revoke"], admin),
        (["keys", "using-old"], admin),
        (["tenant", "list"], admin),
        (["tenant", "set"], admin),
        (["tenant", "suspend"], admin),
        (["tenant", "resume"], admin),
        (["usage", "show"], admin),
        (["usage", "export"], admin),
    ] {
        let said = home.run(&[&args[..], &["--help"]].concat()).with(0);
        for setting in settings {
            assert!(said.contains(setting), "{args:?}: no {setting} in {said}");
        }
    }
}

#[test]
fn completions_know_every_command() {
    let home = TestHome::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.run(&["completions", shell]).with(0);
        for word in ["completions", "verify", "exec", "--admin-listen"] {
            let word = match shell {
                "fish" => word.trim_start_matches('-'),
                _ => word,
            };
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    home.run(&["completions", "tcsh"]).with(64);
}

#[test]
fn every_command_has_a_man_page() {
    let home = TestHome::new();
    let dir = home.path().join("man");
    home.run(&["man", dir.to_str().unwrap()]).with(0);
    for page in [
        "t2b",
        "t2b-gateway-run",
        "t2b-keys-verify",
        "t2b-bot-exec",
        "t2b-chat",
    ] {
        let text = fs::read_to_string(dir.join(format!("{page}.1"))).unwrap();
        assert!(text.contains(".TH ") && text.contains(".SH NAME"), "{page}");
    }
    let pages = fs::read_dir(&dir).unwrap().count();
    assert!(pages >= 16, "{pages}");
}
