//! Each scenario, small, against a real gateway.

use std::net::SocketAddr;

use crate::harness::{FinishedRun, TestGateway, program, run};

/// Runs a scenario with a few `--set`s; it has to end well.
fn good(scenario: &str, server: &TestGateway, changes: &[&str]) -> FinishedRun {
    let metrics = format!("http://{}", server.addresses.admin);
    let mut args = vec!["--metrics", &metrics];
    changes.iter().for_each(|it| args.extend(["--set", it]));
    let ran = run(
        scenario,
        &[server.addresses.public],
        &server.secret(),
        &args,
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.report["breaches"], serde_json::json!([]));
    assert_eq!(ran.count("lost"), 0);
    ran
}

#[test]
fn pingpong_counts_what_the_gateway_counts() {
    let server = TestGateway::start_with(|config| {
        config.limits.frames_per_second = 1_000_000;
        config.limits.frames_burst = 1_000_000;
        config.limits.bytes_per_second = u32::MAX;
        config.limits.bytes_burst = u32::MAX;
        config.limits.messages_per_second = 1_000_000;
        config.limits.messages_burst = 1_000_000;
    });
    let ran = good("pingpong", &server, &["pairs=4", "window=2", "threads=2"]);
    let delivered = ran.count("messages_delivered");
    assert!(delivered > 100, "{delivered}");
    assert!(ran.p99_of("round_trip") >= ran.p99_of("one_way") / 2.0);
    let own = &ran.report["servers"][0]["counters"]["t2b_messages_delivered_total"];
    let own = own.as_f64().unwrap();
    let ratio = own / delivered as f64;
    assert!((0.8..1.25).contains(&ratio), "{own} against {delivered}");
    assert!(
        ran.report["cpu_us_per_message"].as_f64().unwrap() > 0.0,
        "its process was found"
    );
    assert_eq!(ran.report["sockets"], 8);
    assert_eq!(ran.report["generator"]["busy"].as_array().unwrap().len(), 2);
}

#[test]
fn open_keeps_its_rate() {
    let server = TestGateway::start();
    let ran = good(
        "open",
        &server,
        &["pairs=4", "rate=400", "thresholds.p99_ms=5000"],
    );
    assert_eq!(
        ran.count("messages_sent"),
        400,
        "200 questions and their answers"
    );
    assert_eq!(ran.report["round_trip"]["count"], 200);
    assert_eq!(ran.report["thresholds"][0]["key"], "p99_ms");
}

#[test]
fn idle_sockets_stay() {
    let server = TestGateway::start();
    let ran = good("idle", &server, &["sockets=20"]);
    assert_eq!(ran.report["sockets"], 20);
    let gauges = &ran.report["servers"][0]["gauges"];
    assert_eq!(gauges["t2b_connections"], 20.0);
}

#[test]
fn several_source_addresses_are_taken_in_turn() {
    let server = TestGateway::start();
    let changes = [
        "source_addresses=[\"127.0.0.2\", \"127.0.0.3\"]",
        "sockets=4",
    ];
    let ran = good("idle", &server, &changes);
    assert_eq!(ran.report["sockets"], 4);
    let nowhere = ["--source", "192.0.2.1", "--set", "setup=300ms"];
    let ran = run(
        "idle",
        &[server.addresses.public],
        &server.secret(),
        &nowhere,
    );
    assert_eq!(ran.code, 69);
    assert!(
        ran.stderr.contains("address not available"),
        "{}",
        ran.stderr
    );
}

#[test]
fn fanout_reaches_every_device() {
    let server = TestGateway::start();
    let ran = good("fanout", &server, &["clients=5", "devices=3", "rate=100"]);
    assert_eq!(ran.count("messages_sent"), 50);
    assert_eq!(ran.report["one_way"]["count"], 150);
}

#[test]
fn churn_makes_its_visits() {
    let server = TestGateway::start();
    let ran = good("churn", &server, &["rate=40", "at_once=20", "messages=2"]);
    assert_eq!(ran.count("visits"), 20);
    assert_eq!(ran.report["connect"]["count"].as_u64().unwrap() / 2, 20);
    assert_eq!(ran.report["closes"], serde_json::json!({}));
}

#[test]
fn after_a_storm_everybody_is_back() {
    let server = TestGateway::start();
    let ran = good("storm", &server, &["pairs=10", "jitter=100ms"]);
    let storm = &ran.report["storm"];
    assert_eq!(
        (&storm["pairs"], &storm["not_back"]),
        (&10.into(), &0.into())
    );
    assert_eq!(storm["back"]["count"], 10);
    assert!(storm["all_back_s"].as_f64().unwrap() < 5.0);
}

#[test]
fn who_does_not_read_is_told_apart() {
    let server = TestGateway::start_with(|config| config.limits.outbound_bytes = 256 * 1024);
    // Half a second of it is more than the gateway and the system keep for two sockets.
    let changes = [
        "pairs=6",
        "stalled=0.3",
        "rate=200",
        "stalled_rate=600",
        "stalled_bytes=100000",
        // A busy machine is not what is tried here.
        "thresholds.p99_ms=5000",
    ];
    let ran = good("slow", &server, &changes);
    assert_eq!(ran.report["errors"], serde_json::json!({}));
    let provoked = ran.report["expected"].as_object().unwrap();
    assert!(provoked.contains_key("recipient_busy"), "{provoked:?}");
    assert_eq!(ran.report["round_trip"]["count"], 100);
}

#[test]
fn mixed_has_all_kinds() {
    let server = TestGateway::start();
    let changes = [
        "open.pairs=2",
        "partials.pairs=2",
        "partials.rate=200",
        "typing.pairs=2",
        "idle.sockets=5",
        "thresholds.p99_ms=5000",
    ];
    let ran = good("mixed", &server, &changes);
    assert!(ran.count("partials_delivered") > 50);
    assert!(ran.count("typing_delivered") > 10);
    assert!(ran.report["ack"]["count"].as_u64().unwrap() > 50);
}

#[test]
fn a_missed_threshold_is_exit_1_and_is_said() {
    let server = TestGateway::start();
    let urls = [server.addresses.public];
    let changes = ["--set", "pairs=1", "--set", "thresholds.p50_ms=0.0001"];
    let ran = run("open", &urls, &server.secret(), &changes);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("MISSED"), "{}", ran.stdout);
}

#[test]
fn refusals_are_counted_by_reason() {
    let server = TestGateway::start_with(|config| {
        config.limits.messages_per_second = 10;
        config.limits.messages_burst = 10;
    });
    let changes = ["--set", "pairs=1"];
    let ran = run(
        "pingpong",
        &[server.addresses.public],
        &server.secret(),
        &changes,
    );
    assert_eq!(
        ran.code, 1,
        "a threshold, and no wrong delivery: {}",
        ran.stdout
    );
    assert!(ran.report["errors"]["rate_limited"].as_u64().unwrap() > 0);
    assert!(ran.stdout.contains("raise its [limits]"));
}

#[test]
fn wrong_credentials_end_it_at_once() {
    let (server, other) = (TestGateway::start(), TestGateway::start());
    let ran = run("idle", &[server.addresses.public], &other.secret(), &[]);
    assert_eq!(ran.code, 69);
    assert!(
        ran.stderr.contains("refuses the credentials"),
        "{}",
        ran.stderr
    );
}

#[test]
fn nobody_there_ends_it_at_once() {
    let server = TestGateway::start();
    let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let ran = run("idle", &[nobody], &server.secret(), &[]);
    assert_eq!(ran.code, 69);
    assert!(ran.stderr.contains("not reachable"), "{}", ran.stderr);
}

#[test]
fn a_page_is_made_and_two_results_are_compared() {
    let server = TestGateway::start();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (json, html, again) = (path("a.json"), path("a.html"), path("b.html"));
    let url = format!("ws://{}", server.addresses.public);
    let run = program(&[
        "run",
        "idle",
        "-q",
        "--set",
        "sockets=2",
        "--duration",
        "200ms",
        "--warm-up",
        "0",
        "--secrets-file",
        &server.secret(),
        "--url",
        &url,
        "--json",
        &json,
        "--html",
        &html,
    ]);
    assert!(run.status.success());
    assert!(run.stderr.is_empty(), "-q says nothing");
    assert!(program(&["report", &json, "-o", &again]).status.success());
    let pages = [&html, &again].map(|path| std::fs::read_to_string(path).unwrap());
    assert_eq!(pages[0], pages[1]);
    let same = program(&["compare", &json, &json]);
    assert!(same.status.success());
    assert!(String::from_utf8_lossy(&same.stdout).contains("1.000"));
}

#[test]
fn usage_errors_are_exit_64_and_name_the_key() {
    for (args, word) in [
        (&["run", "idle", "--set", "sokets=1"][..], "sokets"),
        (&["run", "nothing"], "pingpong"),
        (&["run", "idle", "--url", "http://x"], "ws://"),
        (&["run", "idle", "--bad"], "--bad"),
    ] {
        let output = program(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(word), "{args:?}: {stderr}");
    }
    let listed = program(&["list"]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), 8);
    let shown = program(&["show", "open"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("[open]"));
}

#[test]
fn both_nodes_of_a_cluster_are_loaded() {
    let Some(redis) = fixtures::RedisServer::start() else {
        return;
    };
    let url = redis.url();
    let first = TestGateway::start_with(|config| {
        config.redis_url = Some(protocol::Secret::new(url.clone()))
    });
    let secret = std::fs::read_to_string(first.secret()).unwrap();
    let second = TestGateway::start_with(|config| {
        config.redis_url = Some(protocol::Secret::new(url.clone()));
        config.secrets = vec![protocol::Secret::new(secret.trim().to_owned())];
    });
    let urls = [first.addresses.public, second.addresses.public];
    let args = [
        "--redis",
        &url,
        "--set",
        "pairs=4",
        "--set",
        "thresholds.p99_ms=5000",
    ];
    let ran = run("open", &urls, &first.secret(), &args);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.report["redis"]["commands_per_s"].as_f64().unwrap() > 1.0);
    assert_eq!(ran.report["gateways"].as_array().unwrap().len(), 2);
}
