//! A gateway to be loaded, and the program that loads it.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Output};
use std::thread;

use gateway::config::Config;
use gateway::{Gateway, GatewayShutdown, ListenAddresses};
use serde_json::Value;
use tempfile::TempDir;

/// A gateway in this process, until it is dropped.
pub struct TestGateway {
    pub addresses: ListenAddresses,
    pub dir: TempDir,
    shutdown: GatewayShutdown,
    thread: Option<thread::JoinHandle<()>>,
}

impl TestGateway {
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    pub fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::for_test(dir.path()).unwrap();
        change(&mut config);
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let gateway = Gateway::bind(config).await.unwrap();
                let told = (gateway.addresses(), gateway.shutdown_handle());
                sender.send(told).unwrap();
                gateway.run().await.unwrap();
            });
        });
        let (addresses, shutdown) = receiver.recv().unwrap();
        Self {
            addresses,
            dir,
            shutdown,
            thread: Some(thread),
        }
    }

    pub fn secret(&self) -> String {
        let path = self.dir.path().join("secret");
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        self.shutdown.begin();
        let ended = self.thread.take().map(thread::JoinHandle::join);
        assert!(ended.is_none_or(|it| it.is_ok()) || thread::panicking());
    }
}

/// How a run of the program ended.
pub struct FinishedRun {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// What it wrote with `--json`; null if it wrote nothing.
    pub report: Value,
}

impl FinishedRun {
    pub fn p99_of(&self, name: &str) -> f64 {
        let value = self.report[name]["p99_ms"].as_f64();
        value.unwrap_or_else(|| panic!("no {name}: {}", self.stdout))
    }

    pub fn count(&self, name: &str) -> u64 {
        self.report["counts"][name].as_u64().unwrap()
    }
}

/// Runs the program. Nothing of this machine's own settings reaches it.
pub fn program(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_t2b-loadtest"));
    for (name, _) in std::env::vars() {
        if name.starts_with("T2B_") {
            command.env_remove(name);
        }
    }
    command.args(args).output().unwrap()
}

/// `run SCENARIO`, for half a second, against servers whose secret is in a file.
pub fn run(scenario: &str, urls: &[SocketAddr], secret: &str, args: &[&str]) -> FinishedRun {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("result.json");
    let urls: Vec<_> = urls.iter().map(|it| format!("ws://{it}/ws")).collect();
    let mut all = vec!["run", scenario, "--json", json.to_str().unwrap()];
    all.extend(["--secrets-file", secret]);
    all.extend(["--duration", "500ms", "--warm-up", "100ms"]);
    urls.iter().for_each(|url| all.extend(["--url", url]));
    all.extend(args);
    let output = program(&all);
    let text = fs::read_to_string(&json).unwrap_or_default();
    FinishedRun {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        report: serde_json::from_str(&text).unwrap_or_default(),
    }
}
