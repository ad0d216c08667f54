//! How a gateway starts and ends: signals at any time, also as process 1, and a Redis that is away.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fixtures::{DEADLINE, RedisServer, blocking_pass, blocking_until, free_port};

use crate::harness::{LOOPBACK, TestHome, http, http_try};

/// How long the end may take after SIGTERM.
const END: Duration = Duration::from_secs(5);
/// Nobody listens on it.
const NO_REDIS: &str = "redis://127.0.0.1:1";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_hangup_is_logged_and_survived() {
    let home = TestHome::new();
    let mut gateway = home.gateway(&[]);
    for _ in 0..2 {
        gateway.process.signal("-HUP");
        gateway.process.wait_for("SIGHUP");
    }
    assert!(http(&gateway.admin, "GET /healthz HTTP/1.1").contains(" 200 "));
    gateway.process.terminate().with(0);
}

#[test]
fn who_waits_for_redis_ends_at_once() {
    let home = TestHome::new();
    let args = [&["gateway", "run", "--redis", NO_REDIS][..], &LOOPBACK].concat();
    for as_first in [false, true] {
        let wrapper = match as_first {
            true => first_process(),
            false => Some(Vec::new()),
        };
        let Some(wrapper) = wrapper else { continue };
        let mut process = home.start_in(&wrapper, &args, &[("T2B_SECRETS", SECRET)]);
        process.wait_for("redis is not there yet");
        let sent = Instant::now();
        process.signal_innermost("-TERM");
        process.wait().with(0);
        assert!(sent.elapsed() < END, "{:?}", sent.elapsed());
    }
}

#[test]
fn who_reads_its_configuration_ends_at_once() {
    let home = TestHome::new();
    // Opening it for writing waits for a reader: then the gateway reads its secrets.
    let pipe = home.path().join("secrets");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let pipe_path = pipe.to_str().unwrap();
    let args = [
        &["gateway", "run", "--secrets-file", pipe_path][..],
        &LOOPBACK,
    ]
    .concat();
    for as_first in [false, true] {
        let wrapper = match as_first {
            true => first_process(),
            false => Some(Vec::new()),
        };
        let Some(wrapper) = wrapper else { continue };
        let process = home.start_in(&wrapper, &args, &[]);
        let _writer = std::fs::File::options().write(true).open(&pipe).unwrap();
        let sent = Instant::now();
        process.signal_innermost("-TERM");
        process.wait().with(0);
        assert!(sent.elapsed() < END, "{:?}", sent.elapsed());
    }
}

#[test]
fn the_first_process_of_a_container_ends_and_survives_a_hangup() {
    let Some(wrapper) = first_process() else {
        return;
    };
    let home = TestHome::new();
    // Without a terminal the demo ends by itself.
    home.start_in(&wrapper, &["demo"], &[]).wait().with(0);

    let args = [&["gateway", "run"][..], &LOOPBACK].concat();
    let mut process = home.start_in(&wrapper, &args, &[]);
    process.wait_for("listening");
    process.signal_innermost("-HUP");
    process.wait_for("SIGHUP");
    let sent = Instant::now();
    process.signal_innermost("-TERM");
    process.wait().with(0);
    assert!(sent.elapsed() < END, "{:?}", sent.elapsed());
}

/// Redis is away for 3 looks of the gateway, or `TEST_REDIS_AWAY_S` seconds.
#[test]
fn a_redis_that_comes_later_is_waited_for() {
    let Some(mut redis) = RedisServer::start() else {
        return;
    };
    redis.stop();
    let home = TestHome::new();
    let [public, admin] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let url = redis.url();
    let args = [
        "gateway",
        "run",
        "--redis",
        &url,
        "--listen",
        &public,
        "--admin-listen",
        &admin,
    ];
    let begun = Instant::now();
    let mut process = home.start(&args, &[("T2B_SECRETS", SECRET), ("T2B_LOG", "debug")]);
    until("it lives", || {
        http_try(&admin, "GET /healthz HTTP/1.0").is_some_and(|it| it.contains(" 200 "))
    });
    let lives = begun.elapsed();
    assert!(lives < Duration::from_secs(1), "{lives:?}");

    is_starting(&admin, &public);

    process.wait_for("redis is not there yet");
    for _ in 0..3 {
        process.wait_for("redis is still away");
    }
    let away = std::env::var("TEST_REDIS_AWAY_S").map_or(0, |text| text.parse().unwrap());
    let back = begun + Duration::from_secs(away);
    blocking_pass(back.saturating_duration_since(Instant::now()));

    redis.restart();
    let started = Instant::now();
    until("it is ready", || {
        http(&admin, "GET /readyz HTTP/1.1").contains(" 200 ")
    });
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    std::net::TcpStream::connect(&public).unwrap();
    process.wait_for("listening");
    eprintln!("lives after {lives:?}, Redis away for {away} s, ready {took:?} after its start");
    let said = process.terminate().with(0);
    let waits = said.matches("redis is not there yet").count() as u64;
    assert!((1..=1 + away / 60).contains(&waits), "{said}");
    assert_eq!(said.matches("redis is there").count(), 1, "{said}");
}

/// What a node answers while its Redis is away.
fn is_starting(admin: &str, public: &str) {
    until("it says what it waits for", || {
        let ready = http(admin, "GET /readyz HTTP/1.1");
        assert!(ready.contains(" 503 "), "{ready}");
        ready.contains("waiting for Redis: Redis at 127.0.0.1:")
    });
    let metrics = http(admin, "GET /metrics HTTP/1.1");
    assert!(
        metrics.contains(" 200 ") && metrics.contains("t2b_connections 0"),
        "{metrics}"
    );
    let status = http(admin, "GET /admin/v1/status HTTP/1.1");
    assert!(status.contains(" 503 "), "{status}");
    assert!(
        std::net::TcpStream::connect(public).is_err(),
        "nobody listens yet"
    );
}

#[test]
fn what_never_passes_ends_the_start() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let home = TestHome::new();
    let run = |url: &str| {
        let args = [&["gateway", "run", "--redis", url][..], &LOOPBACK].concat();
        home.run_with(&args, &[("T2B_SECRETS", SECRET)])
    };
    run("http://127.0.0.1:1").with(64);
    for kind in ["redis+cluster", "redis+sentinel"] {
        let path = if kind == "redis+cluster" {
            ""
        } else {
            "/master"
        };
        let said = run(&format!("{kind}://127.0.0.1:{}{path}", redis.port())).with(69);
        assert!(said.contains("use a URL redis://"), "{said}");
    }
    let wrong = format!("redis://:not-a-password@127.0.0.1:{}", redis.port());
    redis.command(&["CONFIG", "SET", "requirepass", "password"]);
    for url in [redis.url(), wrong] {
        let begun = Instant::now();
        let said = run(&url).with(77);
        assert!(said.contains("error: redis: "), "{said}");
        assert!(!said.contains("not-a-password"), "{said}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{said}");
    }
}

#[test]
fn a_base_path_is_part_of_every_public_path() {
    let home = TestHome::new();
    let gateway = home.gateway_with(&["--listen", "127.0.0.1:0", "--base-path", "/t2b"], &[]);
    assert_eq!(gateway.url, format!("ws://{}/t2b/ws", gateway.public));
    let _bot = home.echo_bot("bot_a", &gateway.url, &[]);
    let chat = ["chat", "bot_a", "--text", "hello", "--url", &gateway.url];
    assert_eq!(home.run(&chat).stdout, "hello\n");
    let key = home.run(&["keys", "issue", "local"]).with(0);
    let bearer = format!("Authorization: Bearer {}", key.trim());
    let get = |path: &str| http(&gateway.public, &format!("GET {path} HTTP/1.1\r\n{bearer}"));
    assert!(get("/t2b/v1/bots").contains("bot_a"));
    assert!(get("/t2b/v1/openapi.json").contains("\"url\": \"/t2b\""));
    for path in ["/v1/bots", "/ws", "/t2b2/v1/bots", "/t2bv1/bots", "/"] {
        assert!(get(path).contains(" 404 "), "{path} {}", get(path));
    }
    let hint = get("/t2b/");
    assert!(hint.contains("connect a WebSocket to /t2b/ws"), "{hint}");
    assert!(http(&gateway.admin, "GET /healthz HTTP/1.1").contains(" 200 "));
    for wrong in [
        "t2b", "/t2b/", "/", "/a/../b", "/a//b", "/a b", "/a?b", "/a%2fb",
    ] {
        let args = [&["gateway", "run", "--base-path", wrong][..], &LOOPBACK].concat();
        let said = home.run(&args).with(64);
        assert!(said.contains("base_path"), "{said}");
    }
}

/// What makes a command process 1 of a namespace; none where that is not allowed.
fn first_process() -> Option<Vec<&'static str>> {
    let namespace = [
        "unshare",
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--kill-child",
    ];
    let mut command = Command::new(namespace[0]);
    command.args(&namespace[1..]).arg("true");
    let allowed = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        eprintln!("skipped: unshare makes no PID namespace here");
        return None;
    }
    Some(namespace.to_vec())
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    blocking_until(DEADLINE, what, || is_so().then_some(()));
}
