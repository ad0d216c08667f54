//! Behind sentinels: the master is found, and after a failover the new one is.

use std::fs;
use std::process::{Child, Command, Stdio};

use fixtures::{Client, Redis, redis_program};
use router_core::store::Reply;
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use crate::harness::{BOOT, DEADLINE, Node, claim, try_connect};

/// A sentinel that counts alone. Dropped, it is killed.
struct Sentinel {
    port: u16,
    child: Child,
    _directory: TempDir,
}

impl Sentinel {
    fn start(master: u16) -> Option<Self> {
        Self::start_with(master, "")
    }

    /// With more lines of configuration.
    fn start_with(master: u16, more: &str) -> Option<Self> {
        let program = redis_program()?;
        let directory = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let config = directory.path().join("sentinel.conf");
        let text = format!(
            "bind 127.0.0.1\nport {port}\nsentinel monitor main 127.0.0.1 {master} 1\n\
             sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n{more}\n"
        );
        fs::write(&config, text).unwrap();
        let child = Command::new(program)
            .arg(&config)
            .arg("--sentinel")
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self {
            port,
            child,
            _directory: directory,
        })
    }

    /// Waits until it answers.
    async fn answers(&self) {
        until(|| {
            let said = Client::connect(self.port).and_then(|mut it| it.command(&["PING"]));
            said.is_ok()
        })
        .await;
    }

    /// Waits until it knows of the master's replica.
    async fn knows_a_replica(&self) {
        until(|| {
            let Ok(mut client) = Client::connect(self.port) else {
                return false;
            };
            let said = client.command(&["SENTINEL", "REPLICAS", "main"]);
            said.is_ok_and(|said| matches!(said, fixtures::Value::Array(all) if !all.is_empty()))
        })
        .await;
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_is_followed() {
    let (Some(mut master), Some(replica)) = (Redis::start(), Redis::start()) else {
        return;
    };
    replica.command(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    let Some(sentinel) = Sentinel::start(master.port()) else {
        return;
    };
    sentinel.knows_a_replica().await;
    let url = format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{}", sentinel.port);
    let mut node = Node::start(&format!("{url}/main"), BOOT).await;
    let first = node.ask("alice", claim("bot", 1)).await;
    assert!(matches!(first, Reply::Claimed { .. }), "{first:?}");
    assert!(try_connect(&format!("{url}/other")).await.is_err());
    master.kill();
    node.link_is_back().await;
    let second = node.ask("alice", claim("bot", 2)).await;
    assert!(matches!(second, Reply::Claimed { .. }), "{second:?}");
    assert_eq!(replica.command(&["ROLE"]).members()[0].text(), "master");
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_with_a_password_need_no_database() {
    let Some(redis) = Redis::start() else { return };
    redis.command(&["ACL", "SETUSER", "t2b", "on", ">pw", "~*", "&*", "+@all"]);
    redis.command(&["CONFIG", "SET", "requirepass", "pw"]);
    let more = "requirepass pw\nsentinel auth-pass main pw\n\
                user t2b on >pw +sentinel|get-master-addr-by-name";
    let Some(sentinel) = Sentinel::start_with(redis.port(), more) else {
        return;
    };
    sentinel.answers().await;
    let url = format!("redis+sentinel://t2b:pw@127.0.0.1:{}/main/1", sentinel.port);
    let node = Node::start(&url, BOOT).await;
    let claimed = node.ask("alice", claim("bot", 1)).await;
    assert!(matches!(claimed, Reply::Claimed { .. }), "{claimed:?}");
}

/// More silent sentinels than there is time to wait for, and one that names a master that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn sentinels_that_are_of_no_use_cost_nothing() {
    let Some(redis) = Redis::start() else { return };
    let (Some(lost), Some(good)) = (Sentinel::start(1), Sentinel::start(redis.port())) else {
        return;
    };
    lost.answers().await;
    good.answers().await;
    // Connections are accepted by the system, and never answered.
    let silent: Vec<_> = (0..12)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let ports = silent.iter().map(|it| it.local_addr().unwrap().port());
    let hosts: Vec<_> = ports
        .chain([lost.port, good.port])
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    let url = format!("redis+sentinel://{}/main", hosts.join(","));
    let node = timeout(DEADLINE, Node::start(&url, BOOT)).await.unwrap();
    assert!(node.backplane.state().connected);
}
