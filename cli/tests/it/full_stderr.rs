//! Nobody reads the log: the gateway serves on, and says how many lines are lost.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{TestHome, http};

/// Each is a line of the log. So many are more than a pipe holds.
const REQUESTS: usize = 600;
/// The gateway looks every five seconds whether lines were lost.
const TOLD: Duration = Duration::from_secs(20);

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let home = TestHome::new();
    let (gateway, stderr) = home.gateway_unread(&["--log", "debug"]);
    ask(&gateway.public, REQUESTS);
    let health = http(&gateway.admin, "GET /healthz HTTP/1.1");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");

    let begun = Instant::now();
    while dropped(&gateway.admin) == 0 {
        assert!(begun.elapsed() < TOLD, "nothing was dropped");
        ask(&gateway.public, REQUESTS);
    }
    let (told, lines) = channel();
    thread::spawn(move || {
        let all = BufReader::new(stderr).lines().map_while(Result::ok);
        all.for_each(|line| drop(told.send(line)));
    });
    let until = Instant::now() + TOLD;
    let left = || until.saturating_duration_since(Instant::now());
    let said = std::iter::from_fn(|| lines.recv_timeout(left()).ok())
        .any(|line| line.contains("lines of the log were dropped"));
    assert!(said, "the log says what it lost");
}

/// Makes so many requests; each has to be answered.
fn ask(address: &str, requests: usize) {
    for _ in 0..requests {
        let answer = http(address, "GET /v1/bots HTTP/1.1");
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
}

fn dropped(admin: &str) -> u64 {
    let metrics = http(admin, "GET /metrics HTTP/1.1");
    let mut lines = metrics.lines();
    let dropped = lines.find_map(|line| line.strip_prefix("t2b_log_lines_dropped_total "));
    dropped.expect("the series").trim().parse().unwrap()
}
