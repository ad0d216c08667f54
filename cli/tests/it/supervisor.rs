//! What a supervisor such as systemd is told, over a real socket.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use fixtures::{DEADLINE, blocking_until};

use crate::harness::{LOOPBACK, PipedProcess, TestHome, http};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Twice as often as a process has to say that it lives.
const WATCHDOG_USEC: (&str, &str) = ("WATCHDOG_USEC", "100000");

/// Listens to a process.
struct Listener(UnixDatagram);

impl Listener {
    fn at(home: &TestHome) -> (Self, String) {
        let path = home.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        (Self::of(socket), path.display().to_string())
    }

    fn of(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self(socket)
    }

    fn hears(&self) -> String {
        let mut bytes = [0; 256];
        let length = self.0.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    /// All that is told until `last`, which is the last.
    fn until(&self, last: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while heard.last().is_none_or(|told| told != last) {
            heard.push(self.hears());
        }
        heard
    }
}

fn run(home: &TestHome, variables: &[(&str, &str)]) -> PipedProcess {
    home.start(&[&["gateway", "run"][..], &LOOPBACK].concat(), variables)
}

#[test]
fn a_supervisor_hears_that_it_serves_lives_and_ends() {
    let home = TestHome::new();
    let (listener, path) = Listener::at(&home);
    let notify = ("NOTIFY_SOCKET", path.as_str());
    let mut process = run(&home, &[notify, WATCHDOG_USEC]);
    let heard = listener.until("READY=1");
    assert!(heard.iter().all(|told| told != "STOPPING=1"), "{heard:?}");
    let line = process.wait_for("listening");
    let (_, admin) = line.split_once("http://").unwrap();
    let admin = admin.split(',').next().unwrap();
    blocking_until(DEADLINE, "it is ready", || {
        let ready = http(admin, "GET /readyz HTTP/1.1");
        ready.contains(" 200 ").then_some(())
    });
    for _ in 0..5 {
        assert_eq!(listener.hears(), "WATCHDOG=1");
    }
    process.signal("-TERM");
    let heard = listener.until("STOPPING=1");
    let (_, before) = heard.split_last().unwrap();
    assert!(before.iter().all(|told| told == "WATCHDOG=1"), "{heard:?}");
    process.wait().with(0);
}

#[test]
fn a_start_that_waits_for_redis_lives_and_is_not_ready() {
    let home = TestHome::new();
    let (listener, path) = Listener::at(&home);
    let mut process = run(
        &home,
        &[
            ("NOTIFY_SOCKET", &path),
            ("T2B_SECRETS", SECRET),
            ("T2B_REDIS_URL", "redis://127.0.0.1:1"),
            WATCHDOG_USEC,
        ],
    );
    process.wait_for("redis is not there yet");
    for _ in 0..5 {
        assert_eq!(listener.hears(), "WATCHDOG=1");
    }
    process.signal("-TERM");
    let heard = listener.until("STOPPING=1");
    assert!(!heard.contains(&"READY=1".to_owned()), "{heard:?}");
    process.wait().with(0);
}

#[test]
fn who_is_not_watched_says_no_more_than_it_has_to() {
    let home = TestHome::new();
    let name = format!("t2b-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = Listener::of(UnixDatagram::bind_addr(&address).unwrap());
    let notify = format!("@{name}");
    // Another process is watched.
    for more in [&[][..], &[WATCHDOG_USEC, ("WATCHDOG_PID", "1")]] {
        let process = run(
            &home,
            &[&[("NOTIFY_SOCKET", notify.as_str())][..], more].concat(),
        );
        assert_eq!(listener.hears(), "READY=1");
        process.signal("-TERM");
        assert_eq!(listener.hears(), "STOPPING=1");
        process.wait().with(0);
    }
}

#[test]
fn a_supervisor_that_is_not_there_stops_nothing() {
    let home = TestHome::new();
    let mut process = run(
        &home,
        &[("NOTIFY_SOCKET", "/nonexistent/notify"), WATCHDOG_USEC],
    );
    process.wait_for("the supervisor cannot be reached");
    process.wait_for("listening");
    process.terminate().with(0);
}
