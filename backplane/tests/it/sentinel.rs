//! Behind sentinels: the master is found, and after a failover the new one is.

use std::fs;
use std::process::{Child, Command, Stdio};

use fixtures::{Client, Redis, redis_program};
use router_core::store::Reply;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::harness::{BOOT, DEADLINE, Node, claim, try_connect};

/// A sentinel that counts alone. Dropped, it is killed.
struct Sentinel {
    port: u16,
    child: Child,
    _directory: TempDir,
}

impl Sentinel {
    fn start(master: u16) -> Option<Self> {
        let program = redis_program()?;
        let directory = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let config = directory.path().join("sentinel.conf");
        let text = format!(
            "bind 127.0.0.1\nport {port}\nsentinel monitor main 127.0.0.1 {master} 1\n\
             sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n"
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
