//! The main job: a bot dials in, its owner talks with it.

use std::process::{Command, Stdio};

use fixtures::{skip, tool};

use crate::harness::{PipedProcess, TestHome};

#[test]
fn the_demo_shows_a_conversation_and_says_why_it_ends() {
    let said = TestHome::new().run(&["demo"]).with(0);
    let question = said.find("demo-phone → bot_echo   Hello!");
    let answer = said.rfind("bot_echo → demo-phone   Hello!");
    let end = said.find("stdout is not a terminal: the demo ends here");
    assert!(question.is_some() && question < answer, "{said}");
    assert!(answer < end, "{said}");
}

/// `script` gives it a terminal.
#[test]
fn the_demo_on_a_terminal_ends_without_a_word() {
    let home = TestHome::new();
    let demo = home.command(&["demo"], &[]);
    let mut command = Command::new("script");
    let program = format!("{} demo", demo.get_program().display());
    command.args(["-qec", &program, "/dev/null"]).env_clear();
    let variables = demo.get_envs();
    command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env("PATH", path).env("SHELL", "/bin/sh");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if Command::new("script").arg("--version").output().is_err() {
        return skip("no program `script`");
    }
    let mut demo = PipedProcess::start(command);
    demo.wait_for("Ctrl-C ends it");
    demo.signal_innermost("-INT");
    let said = demo.wait().with(0);
    let (_, after) = said.split_once("Ctrl-C ends it.").unwrap();
    assert_eq!(after.trim(), "", "{said}");
}

#[test]
fn three_processes_talk() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let url = ["--url", gateway.url.as_str()];
    let bot = home.echo_bot("bot_clawra", &gateway.url, &[]);

    let chat = [&["chat", "bot_clawra", "--text", "hello"][..], &url].concat();
    assert_eq!(home.run(&chat).stdout, "hello\n");
    let frames = home.run(&[&chat[..], &["--json"]].concat()).stdout;
    let kinds: Vec<String> = frames
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["type"].to_string())
        .collect();
    assert_eq!(kinds.first().unwrap(), "\"message_ack\"", "{frames}");
    assert_eq!(kinds.last().unwrap(), "\"message\"", "{frames}");
    assert!(
        kinds.contains(&"\"message_partial\"".to_owned()),
        "{frames}"
    );

    let listed = home.run(&[&["bots"][..], &url].concat()).with(0);
    assert!(
        listed.contains("bot_clawra") && listed.contains("online"),
        "{listed}"
    );
    let status = ["gateway", "status", "--admin-listen", &gateway.admin];
    assert!(home.run(&status).with(0).contains("serving"));

    let admin = ["--admin-listen", gateway.admin.as_str()];
    home.run(&[&["keys", "revoke", "local"][..], &admin].concat())
        .with(0);
    let lost = bot.wait().with(77);
    assert!(lost.contains("error: unauthorized"), "{lost}");
    home.run(&[&["bots"][..], &url].concat()).with(0);
    gateway.process.terminate().with(0);
}

/// The example in `sdk/examples` is the Python library `websockets` and the protocol page, nothing
/// of ours.
#[test]
fn a_client_that_somebody_else_wrote_talks_too() {
    let Some(python) = tool("TEST_PYTHON", "a Python with `websockets`") else {
        return;
    };
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let _bot = home.echo_bot("bot_clawra", &gateway.url, &[]);
    let key = home.run(&["keys", "issue", "local"]).with(0);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk/examples/chat.py");
    let said = std::process::Command::new(python)
        .args([example, &gateway.url, "bot_clawra", "Hello from Python"])
        .env("T2B_KEY", key.trim())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&said.stdout),
        "Hello from Python\n",
        "{said:?}"
    );
}
