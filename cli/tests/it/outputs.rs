//! Standard output and standard error that nobody reads, or that take nothing more.

use std::fs::File;
use std::io::pipe;
use std::process::Stdio;

use crate::harness::{EndedProcess, TestHome};

/// A pipe whose reader is gone, like that of `head` once it has its lines.
fn unread() -> Stdio {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into()
}

fn run(home: &TestHome, args: &[&str], stdout: Stdio) -> EndedProcess {
    let mut command = home.command(args, &[]);
    let done = command.stdout(stdout).output().unwrap();
    EndedProcess {
        status: done.status,
        stdout: String::new(),
        stderr: String::from_utf8(done.stderr).unwrap(),
    }
}

#[test]
fn who_has_read_enough_ends_a_command_quietly_and_a_full_disk_is_an_error() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let (url, admin) = (gateway.url.as_str(), gateway.admin.as_str());
    let _bot = home.echo_bot("bot_a", url, &[]);
    let status = ["gateway", "status", "--admin-listen", admin];
    let chat = ["chat", "bot_a", "--text", "hi", "--url", url];
    let commands: [&[&str]; 13] = [
        &status,
        &[&status[..], &["--json"]].concat(),
        &["gateway", "config"],
        &["bots", "--url", url],
        &["bots", "--json", "--url", url],
        &chat,
        &[&chat[..], &["--json"]].concat(),
        &["keys", "issue", "alice"],
        &["keys", "secret"],
        &["tenant", "resume", "alice", "--admin-listen", admin],
        &["completions", "bash"],
        &["--help"],
        &["demo"],
    ];
    for args in commands {
        let said = run(&home, args, unread()).with(0);
        assert_eq!(said, "", "{args:?}");
        let said = run(&home, args, full()).with(1);
        assert!(said.starts_with("error: stdout: "), "{args:?}: {said}");
    }
}

#[test]
fn an_error_that_nobody_reads_keeps_its_exit_code() {
    let home = TestHome::new();
    let ends = |args: &[&str], code: i32| {
        for stderr in [unread(), full()] {
            let mut command = home.command(args, &[]);
            let status = command.stderr(stderr).status().unwrap();
            assert_eq!(status.code(), Some(code), "{args:?}");
        }
    };
    ends(&["bots", "--url", "nonsense", "--key", "x"], 64);
    ends(&["sing"], 64);
    let gateway = home.gateway(&[]);
    ends(&["bots", "--url", &gateway.url], 0);
}

/// What a command that serves does is not to print: its first line may be lost.
#[test]
fn a_gateway_and_a_bot_serve_on_without_a_reader() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let url = ["--url", gateway.url.as_str()];
    let echo = [&["bot", "echo", "--id", "bot_a"][..], &url].concat();
    let mut bot = home.command(&echo, &[]).stdout(unread()).spawn().unwrap();
    let chat = ["chat", "bot_a", "--text", "hi", "--wait", "20s"];
    let said = home.run(&[&chat[..], &url].concat());
    assert_eq!(said.stdout, "hi\n", "{}", said.stderr);
    bot.kill().unwrap();
    bot.wait().unwrap();
}
