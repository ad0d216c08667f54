//! One real gateway process, started for one case.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fixtures::{LoggedProcess, blocking_pass, blocking_until, t2b};
use loadtest::credentials::KeySource;
use protocol::Secret;
use tempfile::TempDir;

/// Signs every key of the suite.
const SECRET: &str = "neighbours-secret-0123456789abcdef-only-for-tests";
/// The admin token of the node.
pub const ADMIN_TOKEN: &str = "neighbours-admin-token-0123456789abcdef";
/// Memory that a node may use, bytes: the bound that every case has to respect.
pub const MEMORY_MAX: u64 = 512 * 1024 * 1024;
/// How long a start may take.
const START: Duration = Duration::from_secs(30);

/// A gateway process and its folder; both go when this is dropped.
pub struct TestNode {
    process: LoggedProcess,
    _home: TempDir,
    /// Where bots and clients connect.
    pub public: SocketAddr,
    /// Where operators connect.
    pub admin: SocketAddr,
}

/// The program to test: `TEST_T2B`, an older build for the "before" column, or the one just built.
pub fn program() -> (PathBuf, bool) {
    match std::env::var_os("TEST_T2B") {
        Some(path) => (PathBuf::from(path), true),
        None => (PathBuf::from(env!("CARGO_BIN_EXE_t2b")), false),
    }
}

impl TestNode {
    /// Starts a node with these lines of configuration beside the common ones.
    pub fn start(config: &str, redis_url: Option<&str>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (program, is_older) = program();
        let memory = match is_older {
            true => String::new(),
            false => format!("memory_max = \"{MEMORY_MAX}B\"\n"),
        };
        let text = format!(
            "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nstart_grace = \"0s\"\n\
             secrets = [\"{SECRET}\"]\nadmin_token = \"{ADMIN_TOKEN}\"\n{memory}{config}"
        );
        std::fs::write(home.path().join("t2b.toml"), text).unwrap();
        let mut command = t2b(&program, &home.path().join("state"), &["gateway", "run"]);
        command.env("T2B_CONFIG", home.path().join("t2b.toml"));
        if let Some(url) = redis_url {
            command.args(["--redis", url]);
        }
        let process = LoggedProcess::spawn(command, &home.path().join("log"));
        let addresses = blocking_until(START, "the gateway listens", || process.listening());
        Self {
            public: addresses.public.parse().unwrap(),
            admin: addresses.admin.parse().unwrap(),
            process,
            _home: home,
        }
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The last lines of its log.
    pub fn last_lines(&self, lines: usize) -> String {
        self.process.last_lines(lines)
    }

    /// CPU time that the process used so far.
    pub fn cpu(&self) -> Duration {
        loadtest::process::cpu_of(self.pid()).unwrap()
    }

    /// The part of a core that the process uses over the next `time`.
    pub fn load_over(&self, time: Duration) -> f64 {
        let (cpu, began) = (self.cpu(), Instant::now());
        blocking_pass(time);
        (self.cpu() - cpu).as_secs_f64() / began.elapsed().as_secs_f64()
    }
}

/// The API key of a tenant.
pub fn key(tenant: &str, number: usize) -> String {
    let secret = KeySource::Secret(Secret::new(SECRET.to_owned()));
    secret.key(tenant, number).unwrap().reveal().clone()
}
