//! A log of JSON: every line of stderr is one object, and says which node it is from. So do failures
//! before there is a log.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;

use crate::another_user::AnotherUser;
use crate::harness::{EndedProcess, LOOPBACK, TestHome, http};

const JSON: (&str, &str) = ("T2B_LOG_FORMAT", "json");

/// Each line of a text, as an object of this machine's node.
#[track_caller]
fn objects(text: &str) -> Vec<Value> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let objects = text.lines().map(|line| {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(object["node"], name.trim(), "{line}");
        assert_eq!(line.matches("\"node\":").count(), 1, "{line}");
        for field in ["timestamp", "level", "message"] {
            assert!(object[field].is_string(), "{field}: {line}");
        }
        object
    });
    objects.collect()
}

#[test]
fn every_line_has_the_node() {
    let home = TestHome::new();
    let gateway = home.gateway(&[JSON, ("T2B_LOG", "debug")]);
    http(&gateway.public, "GET /v1/bots HTTP/1.1");
    let ended = gateway.process.terminate();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    let lines = objects(&ended.stderr);
    let listening = lines.iter().find(|line| line["message"] == "listening");
    assert!(listening.unwrap()["url"].is_string());
}

#[test]
fn a_start_that_fails_is_one_line() {
    let home = TestHome::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let file = home.path().join("t2b.toml");
    fs::write(&file, "log_format = \"json\"\n").unwrap();
    let file = ["--config", file.to_str().unwrap()];
    let flag = ["--log-format", "json"];
    let in_use = ["--admin-listen", "127.0.0.1:0", "--listen", &taken];
    type Case<'a> = (
        Vec<&'a str>,
        &'a [(&'a str, &'a str)],
        i32,
        &'a str,
        &'a str,
    );
    let cases: [Case<'_>; 6] = [
        (
            vec!["--heartbeat", "25"],
            &[JSON],
            64,
            "config",
            "heartbeat (--heartbeat)",
        ),
        (
            [&flag[..], &["--heartbeat", "25"]].concat(),
            &[],
            64,
            "config",
            "heartbeat (--heartbeat)",
        ),
        (
            vec!["--no-such-flag"],
            &[JSON],
            64,
            "usage",
            "--no-such-flag",
        ),
        (
            vec!["--config", "/nonexistent/file"],
            &[JSON],
            64,
            "config",
            "/nonexistent/file",
        ),
        (in_use.to_vec(), &[JSON], 1, "listen", &taken),
        ([&file[..], &in_use].concat(), &[], 1, "listen", &taken),
    ];
    for (args, variables, exit, reason, text) in cases {
        let args = [vec!["gateway", "run"], args].concat();
        let EndedProcess {
            status,
            stdout,
            stderr,
        } = home.run_with(&args, variables);
        assert_eq!(status.code(), Some(exit), "{args:?}: {stderr}");
        assert_eq!(stdout, "", "{args:?}");
        let lines = objects(&stderr);
        let last = lines.last().unwrap();
        assert_eq!(
            (&last["reason"], &last["level"]),
            (&reason.into(), &"ERROR".into()),
            "{stderr}"
        );
        assert_eq!(last["exit"], exit.to_string(), "{stderr}");
        assert!(last["message"].as_str().unwrap().contains(text), "{stderr}");
    }
}

/// A process that may have no thread panics while it makes its runtime.
#[test]
fn a_panic_is_one_line() {
    let home = TestHome::new();
    let user = AnotherUser::new(&home);
    let args = [&["gateway", "run"][..], &LOOPBACK].concat();
    let one_thread = ["prlimit", "--nproc=1"];
    let ended = user.start(&one_thread, &args, &[JSON]).wait();
    assert_eq!(ended.status.code(), Some(101), "{}", ended.stderr);
    let lines = objects(&ended.stderr);
    let [line] = &lines[..] else {
        panic!("{}", ended.stderr);
    };
    assert_eq!(
        (&line["reason"], &line["thread"]),
        (&"panic".into(), &"main".into())
    );
    assert!(
        line["location"].as_str().unwrap().contains(".rs:"),
        "{line}"
    );
    // A person reads the usual text.
    let said = user.start(&one_thread, &args, &[]).wait().with(101);
    assert!(said.contains("thread 'main'"), "{said}");
}
