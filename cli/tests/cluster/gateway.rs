//! One real gateway process, and what its operator may ask and do.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::wait::{DEADLINE, until};

/// How long an answer of the admin door may take.
const ANSWER: Duration = Duration::from_secs(3);

/// Names and values.
pub type Environment = Vec<(&'static str, String)>;

/// A process and what stays when it is killed.
pub struct Gateway {
    home: PathBuf,
    config: PathBuf,
    /// None: it stands alone.
    redis_url: Option<String>,
    /// Beside where its state and configuration are.
    environment: Environment,
    /// How often it was started; each start has a log of its own.
    starts: u32,
    /// The program that the next start runs.
    pub program: PathBuf,
    /// Where bots and clients connect, `IP:PORT`.
    pub public: String,
    admin: String,
    process: Option<Child>,
}

impl Gateway {
    /// Starts it and waits until it listens. `config`: the file that all nodes share.
    pub async fn start(
        home: PathBuf,
        config: &Path,
        redis_url: Option<String>,
        environment: Environment,
    ) -> Self {
        std::fs::create_dir_all(&home).unwrap();
        let mut gateway = Self {
            home,
            config: config.to_owned(),
            redis_url,
            environment,
            starts: 0,
            program: own_program(),
            public: String::new(),
            admin: String::new(),
            process: None,
        };
        gateway.restart().await;
        gateway
    }

    /// Starts it anew, on other ports.
    pub async fn restart(&mut self) {
        self.starts += 1;
        let log = File::create(self.log()).unwrap();
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("T2B_STATE_DIR", self.home.join("state"))
            .env("T2B_CONFIG", &self.config)
            .envs(self.redis_url.iter().map(|url| ("T2B_REDIS_URL", url)))
            .envs(self.environment.iter().cloned())
            .args(["gateway", "run"])
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true);
        self.process = Some(command.spawn().unwrap());
        let line = until("the gateway listens", async || {
            let log = std::fs::read_to_string(self.log()).unwrap();
            let line = log.lines().find(|line| line.starts_with("listening: "));
            line.map(str::to_owned)
        })
        .await;
        // `listening: ws://A/ws, admin http://B`
        let between = |start: &str, ends: &[char]| {
            let (_, rest) = line.split_once(start).unwrap();
            rest.split(ends).next().unwrap().to_owned()
        };
        self.public = between("ws://", &['/']);
        self.admin = between("http://", &[',', ' ']);
    }

    /// Gives the next start another value of a variable.
    pub fn set(&mut self, name: &'static str, value: String) {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value));
    }

    /// What `t2b gateway status` prints of it.
    pub async fn status(&self) -> String {
        self.ask(&["gateway", "status"]).await
    }

    /// What `t2b keys using-old` prints of it.
    pub async fn using_old(&self) -> String {
        self.ask(&["keys", "using-old"]).await
    }

    async fn ask(&self, args: &[&str]) -> String {
        let mut command = Command::new(own_program());
        command
            .env_clear()
            .env("T2B_STATE_DIR", self.home.join("state"))
            .env("T2B_CONFIG", &self.config)
            .env("T2B_ADMIN_LISTEN", &self.admin)
            .envs(self.redis_url.iter().map(|url| ("T2B_REDIS_URL", url)))
            .args(args);
        let output = command.output().await.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// All that it printed since it was started.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.home.join(format!("log-{}", self.starts))
    }

    /// The last lines that it printed.
    pub fn tail(&self, lines: usize) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Whether it has printed this since its last start.
    pub fn log_has(&self, text: &str) -> bool {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        log.contains(text)
    }

    /// Ends it as a power cut would.
    pub async fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().await.unwrap();
    }

    /// Ends it as its operator would, and waits until it ended. Panics: it says that it failed.
    pub async fn stop(&mut self) {
        self.signal("-TERM").await;
        let mut process = self.process.take().expect("it runs");
        let status = timeout(DEADLINE, process.wait()).await;
        let status = status.expect("it ends in time").unwrap();
        assert!(status.success(), "{status}: {}", self.tail(10));
    }

    /// Lets it hang: its sockets stand, nothing is answered.
    pub async fn pause(&self) {
        self.signal("-STOP").await;
    }

    /// Lets it go on after [`Self::pause`].
    pub async fn resume(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("it runs");
        let pid = process.id().expect("it was not waited for").to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().await;
        assert!(sent.unwrap().success(), "kill {signal} {pid}");
    }

    /// `GET` on the admin door; the status and the body. `None`: no answer.
    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        self.admin_request("GET", path).await
    }

    /// An order to the admin door, which has to be taken.
    pub async fn order(&self, path: &str) -> Value {
        let (status, body) = self.admin_request("POST", path).await.expect("an answer");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// `GET /admin/v1/nodes`: what it sees of the cluster.
    pub async fn nodes(&self) -> Option<Value> {
        let (status, body) = self.get("/admin/v1/nodes").await?;
        assert_eq!(status, 200, "{body}");
        Some(serde_json::from_str(&body).unwrap())
    }

    /// Every series of `/metrics` by its name, labels included.
    pub async fn metrics(&self) -> BTreeMap<String, f64> {
        let (_, body) = self.get("/metrics").await.expect("an answer");
        let series = body.lines().filter(|line| !line.starts_with('#'));
        let series = series.filter_map(|line| line.rsplit_once(' '));
        series
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect()
    }

    async fn admin_request(&self, method: &str, path: &str) -> Option<(u16, String)> {
        let token = std::fs::read_to_string(self.home.join("state/admin-token")).ok()?;
        let authorization = format!("Authorization: Bearer {}\r\n", token.trim());
        let head = format!("{method} {path} HTTP/1.1\r\n{authorization}");
        http(&self.admin, &head, "").await
    }

    /// A request to the HTTP API with a key; the status and the body.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Option<(u16, String)> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        );
        http(&self.public, &head, &body.to_string()).await
    }
}

/// The program under test.
fn own_program() -> PathBuf {
    env!("CARGO_BIN_EXE_t2b").into()
}

/// One request, and the answer's status and body; `None`: none came in time.
async fn http(address: &str, head: &str, body: &str) -> Option<(u16, String)> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let length = body.len();
        let request = format!(
            "{head}Host: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    };
    timeout(ANSWER, exchange).await.ok().flatten()
}
