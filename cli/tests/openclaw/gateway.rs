//! The real gateway on ports that it keeps over restarts, and `t2b` as its owner's command. With
//! [`Nodes::Two`] OpenClaw dials into it, and clients into a second node on the same Redis.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::world::{DEADLINE, Place, free_port, until};

/// Whose bots and phones these are.
pub const OWNER: &str = "alice";

/// Whether clients use the node of OpenClaw or another one.
#[derive(Debug, Clone, Copy)]
pub enum Nodes {
    One,
    Two,
}

/// A second node, for clients, and the Redis that both share.
struct Door {
    port: u16,
    admin: u16,
    process: Child,
    redis: fixtures::Redis,
}

/// The gateway's process and what stays when it is killed: its ports and its state directory.
pub struct Gateway {
    home: PathBuf,
    port: u16,
    admin: u16,
    log: PathBuf,
    /// The owner's API key.
    pub key: String,
    process: Option<Child>,
    door: Option<Door>,
}

impl Gateway {
    pub async fn start(place: &Place, nodes: Nodes) -> Self {
        let mut gateway = Self {
            home: place.folder("gateway"),
            port: free_port(),
            admin: free_port(),
            log: place.file("gateway.log"),
            key: String::new(),
            process: None,
            door: None,
        };
        match nodes {
            Nodes::One => {}
            Nodes::Two => gateway.open_door().await,
        }
        gateway.restart().await;
        let issued = gateway.run(&["keys", "issue", OWNER]).await;
        gateway.key = String::from_utf8(issued.stdout).unwrap().trim().to_owned();
        gateway
    }

    /// Starts Redis, and the node that clients use.
    async fn open_door(&mut self) {
        let redis = fixtures::Redis::start().expect("TEST_REDIS names a redis-server");
        let secret = self.run(&["keys", "secret"]).await.stdout;
        std::fs::write(self.home.join("secrets"), secret).unwrap();
        self.start_door(redis, free_port(), free_port()).await;
    }

    async fn start_door(&mut self, redis: fixtures::Redis, port: u16, admin: u16) {
        let listen = format!("127.0.0.1:{port}");
        let admin_listen = format!("127.0.0.1:{admin}");
        let log = log(&self.log.with_file_name("door.log"));
        let mut command = self.t2b(&["gateway", "run", "--log", "debug"]);
        self.share(&mut command, &redis.url());
        command
            .args(["--listen", &listen, "--admin-listen", &admin_listen])
            .env("T2B_STATE_DIR", self.home.join("door"))
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let process = command.spawn().unwrap();
        until("the second node listens", async || {
            TcpStream::connect(&listen).await.ok()
        })
        .await;
        self.door = Some(Door {
            port,
            admin,
            process,
            redis,
        });
    }

    fn share(&self, command: &mut Command, redis: &str) {
        command
            .env("T2B_SECRETS_FILE", self.home.join("secrets"))
            .env("T2B_REDIS_URL", redis);
    }

    /// Starts it where it was before. It keeps its grace period: it says that bots are still coming.
    pub async fn restart(&mut self) {
        let log = log(&self.log);
        let listen = format!("127.0.0.1:{}", self.port);
        let admin = format!("127.0.0.1:{}", self.admin);
        let mut command = self.t2b(&["gateway", "run", "--log", "debug"]);
        command
            .args(["--listen", &listen, "--admin-listen", &admin])
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        self.process = Some(command.spawn().unwrap());
        until("the gateway listens", async || {
            TcpStream::connect(&listen).await.ok()
        })
        .await;
    }

    /// Kills it and every other node, and starts them again.
    pub async fn forget(&mut self) {
        self.kill().await;
        if let Some(mut door) = self.door.take() {
            door.process.kill().await.unwrap();
            self.start_door(door.redis, door.port, door.admin).await;
        }
        self.restart().await;
    }

    /// Kills it as a power cut would.
    pub async fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().await.unwrap();
    }

    /// Asks it to end as a supervisor would: it tells everybody to move, and drains.
    pub async fn stop(&mut self) {
        let process = self.process.take().expect("it runs");
        assert!(terminate(process, DEADLINE).await.success());
    }

    /// Where OpenClaw connects.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/ws", self.port)
    }

    /// Where clients connect.
    pub fn door_url(&self) -> String {
        format!("ws://{}/ws", self.door_address())
    }

    /// Where clients ask over HTTP.
    pub fn door_address(&self) -> String {
        let port = self.door.as_ref().map_or(self.port, |door| door.port);
        format!("127.0.0.1:{port}")
    }

    /// `t2b` with the owner's key, killed when it is dropped.
    pub fn t2b(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_t2b"));
        command
            .env_clear()
            .env("HOME", &self.home)
            .env("T2B_STATE_DIR", self.home.join("state"))
            .args(args)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(door) = &self.door {
            self.share(&mut command, &door.redis.url());
        }
        command
    }

    /// A client command, with the URL and the key that it needs.
    pub fn t2b_client(&self, args: &[&str]) -> Command {
        let mut command = self.t2b(args);
        command
            .args(["--url", &self.door_url()])
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

/// Asks a process to end, and waits until it has.
pub async fn terminate(mut process: Child, most: Duration) -> ExitStatus {
    let pid = process.id().expect("it was not waited for").to_string();
    let mut kill = Command::new("kill");
    kill.args(["-TERM", &pid]);
    succeed(kill).await;
    let ended = timeout(most, process.wait()).await;
    ended.expect("it ends when it is asked to").unwrap()
}

/// A log that is written on over restarts.
pub fn log(path: &PathBuf) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap()
}
