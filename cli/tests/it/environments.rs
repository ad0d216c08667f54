//! Where a gateway starts: without a home, as a user that nobody knows, on a disk that cannot be written, and with
//! each family of addresses.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fixtures::{DEADLINE, RedisServer, blocking_until, tool};

use crate::another_user::AnotherUser;
use crate::harness::{LOOPBACK, PipedProcess, TestHome, http};

const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyz";
const TOKEN: &str = "an-admin-token-of-mine";
const NO_POLICIES: &str = "a revoke or suspend holds only until this process ends";
const NO_JOURNAL: &str = "there is no journal of usage";
const NO_WRITE: &str = "the journal of usage cannot be written";

/// Files with the secrets that a gateway would make itself, for all to read.
struct Secrets {
    secrets: PathBuf,
    admin_token: PathBuf,
}

impl Secrets {
    fn write(dir: &Path) -> Self {
        let write = |name: &str, text: &str| {
            let path = dir.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        Self {
            secrets: write("secrets", SECRET),
            admin_token: write("admin-token", TOKEN),
        }
    }

    fn variables(&self) -> [(&str, &str); 2] {
        [
            ("T2B_SECRETS_FILE", self.secrets.to_str().unwrap()),
            ("T2B_ADMIN_TOKEN_FILE", self.admin_token.to_str().unwrap()),
        ]
    }
}

/// Waits until it listens and is ready.
#[track_caller]
fn is_ready(process: &mut PipedProcess) {
    let line = process.wait_for("listening");
    let (_, admin) = line.split_once("http://").unwrap();
    says_ready(admin.trim());
}

#[track_caller]
fn says_ready(admin: &str) {
    blocking_until(DEADLINE, "it is ready", || {
        let ready = http(admin, "GET /readyz HTTP/1.1");
        ready.contains(" 200 ").then_some(())
    });
}

fn run(more: &[&'static str]) -> Vec<&'static str> {
    [&["gateway", "run"][..], &LOOPBACK, more].concat()
}

#[test]
fn an_unknown_user_without_a_home_or_with_a_directory_that_cannot_be_written() {
    let home = TestHome::new();
    let user = AnotherUser::new(&home);
    let secrets = Secrets::write(home.path());
    let read_only = home.path().join("read-only");
    fs::create_dir(&read_only).unwrap();
    fs::set_permissions(&read_only, fs::Permissions::from_mode(0o555)).unwrap();
    let missing = read_only.join("missing");
    let [read_only, missing] = [&read_only, &missing].map(|path| path.to_str().unwrap());
    let directory = |name, path| vec![(name, path)];
    for (more, warnings) in [
        (Vec::new(), [NO_JOURNAL, NO_POLICIES]),
        (
            directory("T2B_STATE_DIR", read_only),
            [NO_POLICIES, NO_WRITE],
        ),
        (directory("T2B_STATE_DIR", missing), [NO_POLICIES, NO_WRITE]),
        (directory("HOME", missing), [NO_POLICIES, NO_WRITE]),
    ] {
        let variables = [&secrets.variables()[..], &more].concat();
        let mut process = user.start(&[], &run(&[]), &variables);
        is_ready(&mut process);
        // The journal is begun while it serves already.
        process.wait_for_all(&warnings);
        process.terminate().with(0);
    }
}

#[test]
fn with_redis_a_node_without_a_directory_lacks_only_the_journal() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let home = TestHome::new();
    let user = AnotherUser::new(&home);
    let secrets = Secrets::write(home.path());
    let url = redis.url();
    let redis = ("T2B_REDIS_URL", url.as_str());
    let variables = [&secrets.variables()[..], &[redis]].concat();
    let mut process = user.start(&[], &run(&[]), &variables);
    is_ready(&mut process);
    process.wait_for_all(&[NO_JOURNAL]);
    let said = process.terminate().with(0);
    assert!(!said.contains(NO_POLICIES), "{said}");

    let without_journal = [&variables[..], &[("T2B_USAGE_JOURNAL", "0")]].concat();
    let mut process = user.start(&[], &run(&[]), &without_journal);
    is_ready(&mut process);
    let said = process.terminate().with(0);
    assert!(!said.contains("journal"), "{said}");
}

/// Each listens on IPv6; those on all addresses take IPv4 too.
#[test]
fn ipv6_alone_and_both_families() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let home = TestHome::new();
    let secrets = Secrets::write(home.path());
    let key = home.run_with(&["keys", "issue", "alice"], &secrets.variables());
    let key = ("T2B_KEY", key.stdout.trim());
    for (listen, families) in [
        ("[::1]:0", &["[::1]"][..]),
        ("[::]:0", &["[::1]", "127.0.0.1"]),
    ] {
        let args = [
            "gateway",
            "run",
            "--listen",
            listen,
            "--admin-listen",
            listen,
        ];
        let mut process = home.start(&args, &secrets.variables());
        let line = process.wait_for("listening");
        let port = |start: &str, end: char| {
            let (_, address) = line.split_once(start).unwrap();
            let address = address.split(end).next().unwrap();
            address.rsplit_once(':').unwrap().1.to_owned()
        };
        let (public, admin) = (port("ws://", '/'), port("admin http://", ','));
        for host in families {
            says_ready(&format!("{host}:{admin}"));
            let url = format!("ws://{host}:{public}/ws");
            home.run_with(&["bots", "--url", &url], &[key]).with(0);
        }
        let status = ["gateway", "status", "--admin-listen"];
        let address = format!("{}:{admin}", listen.trim_end_matches(":0"));
        let status = [&status[..], &[&address]].concat();
        home.run_with(&status, &secrets.variables()).with(0);
        if families.len() == 1 {
            assert!(std::net::TcpStream::connect(format!("127.0.0.1:{public}")).is_err());
        }
        process.terminate().with(0);
    }
}

#[test]
fn a_machine_without_ipv6_names_the_key() {
    let Some(python) = tool("TEST_PYTHON", "a Python of 3.9 or newer") else {
        return;
    };
    let home = TestHome::new();
    let secrets = Secrets::write(home.path());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/no_ipv6.py");
    let wrapper = [python.to_str().unwrap(), script];
    for (args, key) in [
        (
            ["--listen", "[::]:0", "--admin-listen", "127.0.0.1:0"],
            "(listen)",
        ),
        (
            ["--listen", "127.0.0.1:0", "--admin-listen", "[::]:0"],
            "(admin_listen)",
        ),
    ] {
        let args = [&["gateway", "run"][..], &args].concat();
        let ended = home.start_in(&wrapper, &args, &secrets.variables()).wait();
        let said = ended.with(1);
        let expected = format!("cannot listen on [::]:0 {key}: Address family not supported");
        assert!(said.contains(&expected), "{said}");
    }
    let mut process = home.start_in(&wrapper, &run(&[]), &secrets.variables());
    is_ready(&mut process);
    process.terminate().with(0);
}
