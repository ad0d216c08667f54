//! One real gateway process, started for one case.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use loadtest::credentials::Credentials;
use protocol::Secret;
use tempfile::TempDir;

use crate::wait::until;

/// Signs every key of the suite.
const SECRET: &str = "neighbours-secret-0123456789abcdef-only-for-tests";
/// The admin token of the node.
pub const ADMIN_TOKEN: &str = "neighbours-admin-token-0123456789abcdef";
/// Memory that a node may use, bytes: the bound that every case has to respect.
pub const MEMORY_MAX: u64 = 512 * 1024 * 1024;
/// How long a start may take.
const START: Duration = Duration::from_secs(30);

/// A gateway process and what it needs; both end when this is dropped.
pub struct Node {
    home: TempDir,
    process: Child,
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

impl Node {
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
        let log = File::create(home.path().join("log")).unwrap();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("T2B_STATE_DIR", home.path().join("state"))
            .env("T2B_CONFIG", home.path().join("t2b.toml"))
            .args(["gateway", "run"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        if let Some(url) = redis_url {
            command.args(["--redis", url]);
        }
        let process = command.spawn().unwrap();
        let (public, admin) = addresses(home.path());
        Self {
            home,
            process,
            public,
            admin,
        }
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The last lines of its log.
    pub fn tail(&self, lines: usize) -> String {
        let text = std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// CPU time that the process used so far.
    pub fn cpu(&self) -> Duration {
        loadtest::process::cpu_of(self.pid()).unwrap()
    }

    /// The part of a core that the process uses over the next `time`.
    pub fn load_over(&self, time: Duration) -> f64 {
        let (cpu, began) = (self.cpu(), Instant::now());
        crate::wait::let_pass(time);
        (self.cpu() - cpu).as_secs_f64() / began.elapsed().as_secs_f64()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It is gone already if it failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The API key of a tenant.
pub fn key(tenant: &str, number: usize) -> String {
    let secret = Credentials::Secret(Secret::new(SECRET.to_owned()));
    secret.key(tenant, number).unwrap().reveal().clone()
}

/// Reads `listening: ws://A/ws, admin http://B` from the log.
fn addresses(home: &Path) -> (SocketAddr, SocketAddr) {
    let line = until(START, "the gateway listens", || {
        let log = std::fs::read_to_string(home.join("log")).unwrap_or_default();
        let line = log.lines().find(|line| line.starts_with("listening: "));
        line.map(str::to_owned)
    });
    let between = |start: &str, ends: &[char]| {
        let (_, rest) = line.split_once(start).unwrap();
        rest.split(ends).next().unwrap().parse().unwrap()
    };
    (between("ws://", &['/']), between("http://", &[',', ' ']))
}
