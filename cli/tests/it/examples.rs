//! The bots in `sdk/examples`: somebody else's WebSocket library and the protocol page, nothing of ours.

use std::process::{Command, Stdio};

use fixtures::tool;

use crate::harness::{PipedProcess, TestHome};

/// Variables that name programs, and what the programs are.
const PYTHON: (&str, &str) = ("TEST_PYTHON", "a Python with `websockets`");
const NODE: (&str, &str) = ("TEST_NODE", "the program `node` of Node 24");

#[track_caller]
fn check((variable, what): (&str, &str), file: &str) {
    let Some(program) = tool(variable, what) else {
        return;
    };
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let key = home.run(&["keys", "issue", "local"]).with(0);
    let start = |url: &str, key: &str| {
        let path = format!("{}/../sdk/examples/{file}", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(&program);
        command
            .args([&path, url, "bot_loud"])
            .env("T2B_KEY", key)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        PipedProcess::start(command)
    };
    let mut bot = start(&gateway.url, key.trim());
    bot.wait_for("bot_loud is online");
    let chat = ["chat", "bot_loud", "--text", "hello", "--url", &gateway.url];
    assert_eq!(home.run(&chat).stdout, "HELLO\n");

    // A restart is survived; a refused key is not.
    let public = gateway.public.clone();
    gateway.process.terminate().with(0);
    bot.wait_for("connection lost");
    let gateway = home.gateway_at(&public, &[]);
    bot.wait_for("bot_loud is online");
    let refused = start(&gateway.url, "t2b_local_0123456789abcdef");
    let said = refused.wait().with(1);
    assert!(said.contains("4401"), "{said}");
}

#[test]
fn a_bot_in_python() {
    check(PYTHON, "bot.py");
}

#[test]
fn a_bot_in_javascript() {
    check(NODE, "bot.mjs");
}

#[test]
fn without_arguments_they_print_their_usage() {
    for ((variable, what), file) in [(PYTHON, "bot.py"), (PYTHON, "chat.py"), (NODE, "bot.mjs")] {
        let Some(program) = tool(variable, what) else {
            continue;
        };
        let path = format!("{}/../sdk/examples/{file}", env!("CARGO_MANIFEST_DIR"));
        let ended = Command::new(program).arg(path).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(64), "{said}");
        assert!(said.starts_with("usage: T2B_KEY=… "), "{said}");
    }
}
