//! The real gateway on ports that it keeps over restarts, and `t2b` as its owner's command. With
//! [`NodeCount::Two`] OpenClaw dials into it, and clients into a second node on the same Redis.

use std::path::PathBuf;
use std::process::Output;

use fixtures::{LoggedProcess, RedisServer, free_port};
use tokio::process::Command;

use crate::world::{DEADLINE, TestFolder, until};

/// Whose bots and phones these are.
pub const OWNER: &str = "alice";

/// Whether clients use the node of OpenClaw or another one.
#[derive(Debug, Clone, Copy)]
pub enum NodeCount {
    One,
    Two,
}

/// A second node, for clients, and the Redis that both share.
struct ClientNode {
    port: u16,
    admin: u16,
    /// Ends when this is dropped.
    process: LoggedProcess,
    redis: RedisServer,
}

/// The gateway's process and what stays when it is killed: its ports and its state directory.
pub struct OwnerGateway {
    home: PathBuf,
    port: u16,
    admin: u16,
    log: PathBuf,
    /// The owner's API key.
    pub key: String,
    process: Option<LoggedProcess>,
    client_node: Option<ClientNode>,
}

impl OwnerGateway {
    pub async fn start(place: &TestFolder, nodes: NodeCount) -> Self {
        let mut gateway = Self {
            home: place.folder("gateway"),
            port: free_port(),
            admin: free_port(),
            log: place.file("gateway.log"),
            key: String::new(),
            process: None,
            client_node: None,
        };
        match nodes {
            NodeCount::One => {}
            NodeCount::Two => gateway.add_client_node().await,
        }
        gateway.restart().await;
        let issued = gateway.run(&["keys", "issue", OWNER]).await;
        gateway.key = String::from_utf8(issued.stdout).unwrap().trim().to_owned();
        gateway
    }

    /// Starts Redis, and the node that clients use.
    async fn add_client_node(&mut self) {
        let redis = RedisServer::start().expect("TEST_REDIS names a redis-server");
        let secret = self.run(&["keys", "secret"]).await.stdout;
        std::fs::write(self.home.join("secrets"), secret).unwrap();
        self.start_client_node(redis, free_port(), free_port())
            .await;
    }

    async fn start_client_node(&mut self, redis: RedisServer, port: u16, admin: u16) {
        let mut command = self.run_command(port, admin, "client-node");
        self.share(&mut command, &redis.url());
        let log = self.log.with_file_name("client-node.log");
        let process = LoggedProcess::spawn(command, &log);
        until("the second node listens", async || process.listening()).await;
        self.client_node = Some(ClientNode {
            port,
            admin,
            process,
            redis,
        });
    }

    fn share(&self, command: &mut std::process::Command, redis: &str) {
        command
            .env("T2B_SECRETS_FILE", self.home.join("secrets"))
            .env("T2B_REDIS_URL", redis);
    }

    /// Starts it where it was before. It keeps its grace period: it says that bots are still coming.
    pub async fn restart(&mut self) {
        let command = self.run_command(self.port, self.admin, "state");
        let process = LoggedProcess::spawn(command, &self.log);
        until("the gateway listens", async || process.listening()).await;
        self.process = Some(process);
    }

    fn run_command(&self, port: u16, admin: u16, state_dir: &str) -> std::process::Command {
        let mut command = self.command(state_dir, &["gateway", "run", "--log", "debug"]);
        command
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--admin-listen", &format!("127.0.0.1:{admin}")]);
        command
    }

    /// Kills it and every other node, and starts them again.
    pub async fn forget(&mut self) {
        self.kill();
        if let Some(node) = self.client_node.take() {
            let ClientNode {
                port,
                admin,
                process,
                redis,
            } = node;
            // Killed before the next one takes its ports.
            drop(process);
            self.start_client_node(redis, port, admin).await;
        }
        self.restart().await;
    }

    /// Kills it as a power cut does.
    pub fn kill(&mut self) {
        drop(self.process.take().expect("it runs"));
    }

    /// Asks it to end as a supervisor would: it tells everybody to move, and drains.
    pub async fn stop(&mut self) {
        let process = self.process.take().expect("it runs");
        assert!(process.terminate(DEADLINE).await.success());
    }

    /// Where OpenClaw connects.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/ws", self.port)
    }

    /// Where clients connect.
    pub fn client_url(&self) -> String {
        format!("ws://{}/ws", self.client_address())
    }

    /// Where clients ask over HTTP.
    pub fn client_address(&self) -> String {
        let port = self
            .client_node
            .as_ref()
            .map_or(self.port, |node| node.port);
        format!("127.0.0.1:{port}")
    }

    /// `t2b` on this gateway's state directory, killed when it is dropped.
    pub fn t2b(&self, args: &[&str]) -> Command {
        let mut command = Command::from(self.command("state", args));
        command.kill_on_drop(true);
        command
    }

    fn command(&self, state_dir: &str, args: &[&str]) -> std::process::Command {
        let program = env!("CARGO_BIN_EXE_t2b").as_ref();
        let mut command = fixtures::t2b(program, &self.home.join(state_dir), args);
        command.env("HOME", &self.home);
        if let Some(node) = &self.client_node {
            self.share(&mut command, &node.redis.url());
        }
        command
    }

    /// A client command, with the URL and the key that it needs.
    pub fn t2b_client(&self, args: &[&str]) -> Command {
        let mut command = self.t2b(args);
        command
            .args(["--url", &self.client_url()])
            .env("T2B_KEY", &self.key);
        command
    }

    /// Runs `t2b` on this gateway's state directory; it has to succeed.
    pub async fn run(&self, args: &[&str]) -> Output {
        succeed(self.t2b(args)).await
    }

    /// Voids every key of the owner so far.
    pub async fn revoke(&self) {
        let admin = format!("127.0.0.1:{}", self.admin);
        self.run(&["keys", "revoke", OWNER, "--admin-listen", &admin])
            .await;
    }
}

/// Runs to the end, which has to be a good one.
pub async fn succeed(mut command: Command) -> Output {
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}
