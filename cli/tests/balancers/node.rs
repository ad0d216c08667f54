//! A gateway process behind the load balancers.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use fixtures::{DEADLINE, LoggedProcess, http_exchange, t2b, until, until_within};

/// How long a probe may take.
const PROBE: Duration = Duration::from_secs(1);

/// One gateway, on an address of its own.
pub struct Node {
    /// Its address, without a port.
    address: String,
    /// Where it keeps its admin token.
    home: PathBuf,
    admin_port: u16,
    process: Mutex<LoggedProcess>,
}

/// What is not the same for all nodes.
pub struct NodeSetup {
    pub address: String,
    pub public_port: u16,
    pub admin_port: u16,
    pub redis_url: String,
}

impl Node {
    /// Starts it, and waits until it is ready.
    pub async fn start(setup: NodeSetup, place: &Path) -> Self {
        let NodeSetup {
            address,
            public_port,
            admin_port,
            redis_url,
        } = setup;
        let home = place.join(&address);
        std::fs::create_dir_all(&home).unwrap();
        let mut command = t2b(
            env!("CARGO_BIN_EXE_t2b").as_ref(),
            &home,
            &["gateway", "run"],
        );
        command
            .env("T2B_CONFIG", place.join("t2b.toml"))
            .env("T2B_LISTEN", format!("{address}:{public_port}"))
            .env("T2B_ADMIN_LISTEN", format!("{address}:{admin_port}"))
            .env("T2B_REDIS_URL", redis_url);
        let process = LoggedProcess::spawn(command, &home.join("log"));
        let node = Self {
            address,
            home,
            admin_port,
            process: Mutex::new(process),
        };
        until("the gateway is ready", async || node.answers(200).await).await;
        node
    }

    /// `Some` if `/readyz` answers with this status.
    pub async fn answers(&self, status: u16) -> Option<()> {
        let answered = self.ask("GET /readyz", "").await?;
        (answered == status).then_some(())
    }

    /// `POST /admin/v1/drain` or `undrain`, which has to be taken.
    pub async fn order(&self, what: &str) {
        let token = std::fs::read_to_string(self.home.join("admin-token")).unwrap();
        let head = format!("Authorization: Bearer {}\r\n", token.trim());
        let answered = self.ask(&format!("POST /admin/v1/{what}"), &head).await;
        assert_eq!(answered, Some(200), "{what}");
    }

    async fn ask(&self, request: &str, head: &str) -> Option<u16> {
        let address = (self.address.as_str(), self.admin_port);
        let host = &self.address;
        let request =
            format!("{request} HTTP/1.1\r\nHost: {host}\r\n{head}Connection: close\r\n\r\n");
        let answer = http_exchange(address, request.as_bytes(), PROBE).await?;
        Some(answer.status)
    }

    /// The line of its access log that says who opened this connection.
    pub fn connected_line(&self, connection: &str) -> Option<String> {
        let printed = self.process.lock().unwrap().printed();
        let mut lines = printed.lines().filter(|line| line.contains(" connected "));
        lines
            .find(|line| line.contains(connection))
            .map(str::to_owned)
    }

    /// Sends it a signal, such as `-STOP`.
    pub fn signal(&self, signal: &str) {
        self.process.lock().unwrap().signal(signal);
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.process.lock().unwrap().exit_status().is_some()
    }

    /// How it ended; waits until it has.
    pub async fn exit_code(&self) -> Option<i32> {
        let ended = until_within(DEADLINE * 2, "the node ends", async || {
            self.process.lock().unwrap().exit_status()
        });
        ended.await.code()
    }

    /// The last lines that it printed.
    pub fn last_lines(&self) -> String {
        self.process.lock().unwrap().last_lines(20)
    }
}
