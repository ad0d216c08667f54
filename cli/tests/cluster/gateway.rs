//! One real gateway process, and what its operator may ask and do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use fixtures::{LoggedProcess, http_exchange, last_lines, until};
use protocol::UsageHour;
use serde_json::Value;

/// How long an HTTP answer may take.
const ANSWER: Duration = Duration::from_secs(3);

/// Longest time for a node to end: the default of `drain_deadline`, and a little more.
const DRAIN: Duration = Duration::from_secs(65);

/// What became of a node's sockets when it went away.
#[derive(Debug)]
pub struct DrainedSockets {
    pub asked: u64,
    pub moved: u64,
}

/// Names and values.
pub type NodeEnvironment = Vec<(&'static str, String)>;

/// A process and what stays when it is killed.
pub struct GatewayNode {
    home: PathBuf,
    config: PathBuf,
    /// None: it stands alone.
    redis_url: Option<String>,
    /// Beside where its state and configuration are.
    environment: NodeEnvironment,
    /// How often it was started; each start has a log of its own.
    starts: u32,
    /// The program that the next start runs.
    pub program: PathBuf,
    /// Where bots and clients connect, `IP:PORT`.
    pub public: String,
    admin: String,
    process: Option<LoggedProcess>,
}

impl GatewayNode {
    /// Starts it and waits until it listens. `config`: the file that all nodes share.
    pub async fn start(
        home: PathBuf,
        config: &Path,
        redis_url: Option<String>,
        environment: NodeEnvironment,
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
        self.start_on("127.0.0.1:0", "127.0.0.1:0").await;
    }

    /// Starts it anew, where it was before.
    pub async fn restart_in_place(&mut self) {
        let (public, admin) = (self.public.clone(), self.admin.clone());
        self.start_on(&public, &admin).await;
    }

    /// The ports of the public and the admin listener.
    pub fn ports(&self) -> (u16, u16) {
        let port = |address: &str| {
            let address: std::net::SocketAddr = address.parse().unwrap();
            address.port()
        };
        (port(&self.public), port(&self.admin))
    }

    async fn start_on(&mut self, listen: &str, admin_listen: &str) {
        self.starts += 1;
        let mut command = self.command(&self.program, &["gateway", "run"]);
        command.envs(self.environment.iter().cloned()).args([
            "--listen",
            listen,
            "--admin-listen",
            admin_listen,
        ]);
        let process = LoggedProcess::spawn(command, &self.log());
        let addresses = until("the gateway listens", async || process.listening()).await;
        self.public = addresses.public;
        self.admin = addresses.admin;
        self.process = Some(process);
        // The line comes a moment before the admin API answers.
        until("the gateway serves", async || {
            let (status, _) = self.get("/admin/v1/nodes").await?;
            (status != 503).then_some(())
        })
        .await;
    }

    fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = fixtures::t2b(program, &self.home.join("state"), args);
        command
            .env("T2B_CONFIG", &self.config)
            .envs(self.redis_url.iter().map(|url| ("T2B_REDIS_URL", url)));
        command
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

    /// The exit code of `t2b gateway status`, and what it prints.
    pub async fn status_code(&self) -> (Option<i32>, String) {
        let output = self.output(&["gateway", "status"]).await;
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    }

    /// What `t2b gateway drain --wait` prints, once no socket is left.
    pub async fn drain(&self) -> String {
        self.ask(&["gateway", "drain", "--wait"]).await
    }

    /// What `t2b gateway undrain` prints.
    pub async fn undrain(&self) -> String {
        self.ask(&["gateway", "undrain"]).await
    }

    /// What `t2b keys using-old` prints of it.
    pub async fn using_old(&self) -> String {
        self.ask(&["keys", "using-old"]).await
    }

    /// What `t2b usage check` prints of it: it finds nothing wrong.
    pub async fn usage_check(&self) -> String {
        self.ask(&["usage", "check"]).await.trim().to_owned()
    }

    /// What it prints of the hours from this one on.
    pub async fn usage_check_hours(&self, hour: UsageHour) -> String {
        let (from, to) = (hour.rfc3339(), hour.plus(2).rfc3339());
        let args = ["usage", "check", "--from", &from, "--to", &to];
        self.ask(&args).await.trim().to_owned()
    }

    /// What `t2b usage export` prints of an hour.
    pub async fn usage_export(&self, hour: UsageHour) -> String {
        let (from, to) = (hour.rfc3339(), hour.plus(1).rfc3339());
        let args = [
            "usage", "export", "--as", "csv", "--from", &from, "--to", &to,
        ];
        self.ask(&args).await
    }

    /// How long the journals of its state directory are, in all.
    pub fn journal_bytes(&self) -> u64 {
        let entries = std::fs::read_dir(self.home.join("state/usage")).into_iter();
        let files = entries.flatten().flatten();
        let journals =
            files.filter(|file| file.path().extension().is_some_and(|it| it == "journal"));
        journals
            .filter_map(|file| Some(file.metadata().ok()?.len()))
            .sum()
    }

    /// The exit code of `t2b usage check --from FROM`, and what it prints.
    pub async fn usage_check_from(&self, from: &str) -> (Option<i32>, String) {
        let output = self.output(&["usage", "check", "--from", from]).await;
        let printed = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), printed)
    }

    async fn ask(&self, args: &[&str]) -> String {
        let output = self.output(args).await;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    async fn output(&self, args: &[&str]) -> Output {
        let mut command = self.command(&own_program(), args);
        command.env("T2B_ADMIN_LISTEN", &self.admin);
        let output = tokio::process::Command::from(command).output();
        output.await.unwrap()
    }

    /// Everything that it printed since it was started.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.home.join(format!("log-{}", self.starts))
    }

    /// The last lines that it printed.
    pub fn last_lines(&self, lines: usize) -> String {
        last_lines(&self.log(), lines)
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        drop(self.process.take().expect("it runs"));
    }

    /// How many sockets it asked to move, and what came of it, once it has ended.
    pub fn drained(&self) -> DrainedSockets {
        let printed = self.printed();
        let line = printed.lines().rfind(|line| line.contains("drain ended"));
        let line = line.expect("it says that the drain ended");
        let number = |name: &str| {
            let (_, rest) = line.split_once(&format!(" {name}="))?;
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        };
        let number = |name| number(name).unwrap_or_else(|| panic!("no {name} in {line}"));
        DrainedSockets {
            asked: number("asked"),
            moved: number("moved"),
        }
    }

    /// Ends it as its operator does, and waits until it ended. Panics: it says that it failed.
    pub async fn stop(&mut self) {
        let process = self.process.take().expect("it runs");
        let status = process.terminate(DRAIN).await;
        assert!(status.success(), "{status}: {}", self.last_lines(10));
    }

    /// Stops it without a word: its sockets stay open, and nothing is answered.
    pub fn pause(&self) {
        self.process.as_ref().expect("it runs").signal("-STOP");
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&self) {
        self.process.as_ref().expect("it runs").signal("-CONT");
    }

    /// `GET` on the admin listener; the status and the body. `None`: no answer.
    pub async fn get(&self, path: &str) -> Option<(u16, String)> {
        self.admin_request("GET", path, "").await
    }

    /// `PUT` of JSON on the admin listener, which has to be taken.
    pub async fn put(&self, path: &str, body: &Value) -> Value {
        self.taken("PUT", path, &body.to_string()).await
    }

    /// `DELETE` on the admin listener, which has to be taken.
    pub async fn delete(&self, path: &str) -> Value {
        self.taken("DELETE", path, "").await
    }

    /// An order to the admin listener, which has to be taken.
    pub async fn order(&self, path: &str) -> Value {
        self.taken("POST", path, "").await
    }

    /// An order to the admin listener; the status and the text. `None`: no answer.
    pub async fn try_order(&self, path: &str) -> Option<(u16, String)> {
        self.admin_request("POST", path, "").await
    }

    async fn taken(&self, method: &str, path: &str, body: &str) -> Value {
        let answer = self.admin_request(method, path, body).await;
        let (status, body) = answer.expect("an answer");
        assert_eq!(status, 200, "{method} {path}: {body}");
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
        self.series("/metrics").await
    }

    /// As [`Self::metrics`], of `/metrics/tenants`.
    pub async fn tenant_metrics(&self) -> BTreeMap<String, f64> {
        self.series("/metrics/tenants").await
    }

    async fn series(&self, page: &str) -> BTreeMap<String, f64> {
        let (_, body) = self.get(page).await.expect("an answer");
        let series = body.lines().filter(|line| !line.starts_with('#'));
        let series = series.filter_map(|line| line.rsplit_once(' '));
        series
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect()
    }

    async fn admin_request(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let token = std::fs::read_to_string(self.home.join("state/admin-token")).ok()?;
        let authorization = format!("Authorization: Bearer {}\r\n", token.trim());
        let head = format!("{method} {path} HTTP/1.1\r\n{authorization}");
        exchange(&self.admin, &head, body).await
    }

    /// A request to the HTTP API with a key; the status and the body.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Option<(u16, String)> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        );
        exchange(&self.public, &head, &body.to_string()).await
    }
}

/// The program under test.
fn own_program() -> PathBuf {
    env!("CARGO_BIN_EXE_t2b").into()
}

/// One request; the status and the body. `None`: no answer.
async fn exchange(address: &str, head: &str, body: &str) -> Option<(u16, String)> {
    let length = body.len();
    let request = format!(
        "{head}Host: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let answer = http_exchange(address, request.as_bytes(), ANSWER).await?;
    (answer.status != 0).then_some((answer.status, answer.body))
}
