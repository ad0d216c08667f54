//! A home that is missing or cannot be written. It is a file here: that stops root too.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::{EndedProcess, PipedProcess, TestHome};

const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyz";
const TOKEN: &str = "an-admin-token-of-mine";

type ArgList<'a> = &'a [&'a str];
type VariableList<'a> = &'a [(&'a str, &'a str)];

/// A path under a file: nothing can be made there.
fn unwritable(home: &TestHome) -> PathBuf {
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    file.join("home")
}

fn command(args: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_t2b"));
    command
        .env_clear()
        .envs(variables.iter().copied())
        .args(args)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    command
}

fn run(args: &[&str], variables: &[(&str, &str)]) -> EndedProcess {
    PipedProcess::start(command(args, variables)).wait()
}

#[test]
fn commands_that_need_no_directory_need_no_home() {
    let home = TestHome::new();
    let nowhere = unwritable(&home);
    let nowhere = nowhere.to_str().unwrap();
    let pages = home.path().join("man");
    let pages = pages.to_str().unwrap();
    let given = [("T2B_SECRETS", SECRET)];
    let key = home.run_with(&["keys", "issue", "alice"], &given).with(0);
    let commands: [(ArgList<'_>, VariableList<'_>); 9] = [
        (&["--help"], &[]),
        (&["gateway", "run", "--help"], &[]),
        (&["completions", "bash"], &[]),
        (&["man", pages], &[]),
        (&["keys", "secret"], &[]),
        (&["keys", "issue", "alice"], &given),
        (&["keys", "verify", key.trim()], &given),
        (&["gateway", "config"], &given),
        (&["gateway", "config"], &[]),
    ];
    for (args, variables) in commands {
        let at_nowhere = [variables, &[("HOME", nowhere)]].concat();
        run(args, variables).with(0);
        run(args, &at_nowhere).with(0);
    }
}

#[test]
fn admin_commands_need_only_the_token() {
    let home = TestHome::new();
    let gateway = home.gateway(&[("T2B_ADMIN_TOKEN", TOKEN)]);
    let nowhere = unwritable(&home);
    let variables = [
        ("T2B_ADMIN_TOKEN", TOKEN),
        ("T2B_ADMIN_LISTEN", gateway.admin.as_str()),
    ];
    let at_nowhere = [&variables[..], &[("HOME", nowhere.to_str().unwrap())]].concat();
    for variables in [&variables[..], &at_nowhere] {
        for args in [
            &["gateway", "status"][..],
            &["keys", "using-old"],
            &["tenant", "suspend", "alice"],
            &["keys", "revoke", "alice"],
        ] {
            run(args, variables).with(0);
        }
    }
}

#[test]
fn what_must_be_written_names_the_directory_and_the_key_that_replaces_it() {
    let home = TestHome::new();
    let nowhere = unwritable(&home);
    let nowhere = nowhere.to_str().unwrap();
    let in_home = [("HOME", nowhere)];
    let with_secret = [("HOME", nowhere), ("T2B_SECRETS", SECRET)];
    let named = [("T2B_STATE_DIR", nowhere)];
    let cases: [(ArgList<'_>, VariableList<'_>, ArgList<'_>); 7] = [
        (
            &["keys", "issue", "alice"],
            &in_home,
            &[nowhere, "secrets_file", "state_dir"],
        ),
        (
            &["gateway", "run"],
            &in_home,
            &[nowhere, "secrets_file", "state_dir"],
        ),
        (
            &["gateway", "run"],
            &with_secret,
            &[nowhere, "admin_token_file", "state_dir"],
        ),
        (
            &["gateway", "run"],
            &named,
            &[nowhere, "secrets_file", "T2B_STATE_DIR"],
        ),
        (
            &["keys", "issue", "alice"],
            &[],
            &["HOME", "secrets_file", "state_dir"],
        ),
        (&["bots"], &in_home, &[nowhere, "--key", "T2B_STATE_DIR"]),
        (&["bots"], &[], &["HOME", "--key", "T2B_STATE_DIR"]),
    ];
    for (args, variables, words) in cases {
        let said = run(args, variables).with(64);
        for word in words {
            assert!(said.contains(word), "{args:?}: no {word} in {said}");
        }
    }
}

#[test]
fn a_gateway_that_cannot_keep_policies_warns_and_says_so_when_they_change() {
    let home = TestHome::new();
    let nowhere = unwritable(&home);
    let nowhere = nowhere.to_str().unwrap();
    let given = [
        ("T2B_SECRETS", SECRET),
        ("T2B_ADMIN_TOKEN", TOKEN),
        ("T2B_LISTEN", "127.0.0.1:0"),
        ("T2B_ADMIN_LISTEN", "127.0.0.1:0"),
        // All of it in one stream, in its order.
        ("T2B_LOG_FORMAT", "json"),
    ];
    for (more, named) in [
        (Some(("HOME", nowhere)), nowhere),
        (Some(("T2B_STATE_DIR", nowhere)), nowhere),
        (None, "state_dir"),
    ] {
        let variables: Vec<_> = given.into_iter().chain(more).collect();
        let mut gateway = PipedProcess::start(command(&["gateway", "run"], &variables));
        let line = gateway.wait_for("WARN");
        assert!(line.contains("revoke") && line.contains(named), "{line}");
        let line = gateway.wait_for("listening");
        let (_, admin) = line.split_once("\"admin\":\"").unwrap();
        let admin = admin.split('"').next().unwrap();
        let asked = [("T2B_ADMIN_TOKEN", TOKEN), ("T2B_ADMIN_LISTEN", admin)];
        let said = run(&["keys", "revoke", "alice"], &asked).with(0);
        assert!(said.contains("revoked: "), "{said}");
        assert!(
            said.contains("warning: ") && said.contains("restart"),
            "{said}"
        );
        let line = gateway.wait_for("policy changed in memory only");
        assert!(line.contains("WARN"), "{line}");
        let said = run(&["tenant", "suspend", "alice", "--json"], &asked).with(0);
        assert!(said.contains("\"persisted\":false"), "{said}");
    }
}

#[test]
fn a_directory_that_is_not_there_yet_is_made_for_a_policy() {
    let home = TestHome::new();
    let gateway = home.gateway(&[("T2B_SECRETS", SECRET), ("T2B_ADMIN_TOKEN", TOKEN)]);
    let asked = [
        ("T2B_SECRETS", SECRET),
        ("T2B_ADMIN_TOKEN", TOKEN),
        ("T2B_ADMIN_LISTEN", gateway.admin.as_str()),
    ];
    let said = home.run_with(&["keys", "revoke", "alice"], &asked).with(0);
    assert!(!said.contains("warning"), "{said}");
    assert!(home.state("policies.json").contains("alice"));
}
