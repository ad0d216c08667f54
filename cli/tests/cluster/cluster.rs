//! Several gateways on one Redis, each behind a proxy of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fixtures::{RedisOptions, RedisProxy, RedisServer, t2b, until};
use gateway::config::{Config, ConfigSources, new_secret};
use protocol::TenantId;
use tempfile::TempDir;
use tokio::process::Command;

use crate::gateway::{GatewayNode, NodeEnvironment};
use crate::socket::TestSocket;

/// Limits out of the way, as the cases are about other things. No takeover counts.
const LIMITS: &str = "
[limits]
messages_per_second = 10000000
messages_burst = 10000000
frames_per_second = 10000000
frames_burst = 10000000
registers_per_second = 10000000
registers_burst = 10000000
outbound_bytes = 16777216
outbound_frames = 65536
takeovers_per_minute = 0
";
/// More of them, which the previous release does not know.
const NEW_LIMITS: &str = "bytes_per_second = 4294967295
bytes_burst = 4294967295
";
/// How a node goes away, which the previous release does not know either: the traffic of most cases does not move by
/// itself, and is closed after the shortest time.
const DRAIN: &str = "drain_wait = \"100ms\"
drain_window = \"5s\"
";
/// Lines of each log that are shown when a case fails.
const TAIL: usize = 25;

/// How a cluster is made. The default: three nodes, each connected to Redis directly.
pub struct ClusterSetup {
    pub nodes: usize,
    /// No node is told of Redis.
    pub alone: bool,
    /// A proxy between each node and Redis.
    pub proxied: bool,
    /// Redis keeps its data over a restart.
    pub appendonly: bool,
    /// More of the configuration, TOML.
    pub config: &'static str,
    /// Whether the previous release reads the configuration too.
    pub for_previous: bool,
    /// How a node goes away, TOML.
    pub drain: &'static str,
    /// More of the environment of each node.
    pub environment: NodeEnvironment,
    /// More of the environment of the first node.
    pub first: NodeEnvironment,
    /// More of the environment of Redis.
    pub redis_environment: NodeEnvironment,
}

impl Default for ClusterSetup {
    fn default() -> Self {
        Self {
            nodes: 3,
            alone: false,
            proxied: false,
            appendonly: false,
            config: "",
            for_previous: false,
            drain: DRAIN,
            environment: Vec::new(),
            first: Vec::new(),
            redis_environment: Vec::new(),
        }
    }
}

pub struct TestCluster {
    pub nodes: Vec<GatewayNode>,
    /// One a node, if there are any.
    pub proxies: Vec<RedisProxy>,
    pub redis: RedisServer,
    /// What keys are made from.
    config: Config,
    place: TempDir,
}

impl TestCluster {
    /// Starts everything; then every node knows every other.
    pub async fn start(setup: ClusterSetup) -> Self {
        let place = tempfile::tempdir().unwrap();
        let options = RedisOptions {
            appendonly: setup.appendonly,
            environment: setup.redis_environment,
            ..RedisOptions::default()
        };
        let redis = RedisServer::start_with(options).expect("the test looked for the program");
        let file = |name: &str| place.path().join(name);
        let secret = new_secret().unwrap();
        std::fs::write(file("secrets"), secret.reveal()).unwrap();
        let secrets = file("secrets").display().to_string();
        let text = format!("secrets_file = {secrets:?}\nstart_grace = \"0\"\nlog = \"info\"\n");
        let (drain, new_limits) = match setup.for_previous {
            true => ("", ""),
            false => (setup.drain, NEW_LIMITS),
        };
        let text = text + drain + LIMITS + new_limits + setup.config;
        std::fs::write(file("t2b.toml"), text).unwrap();

        let mut cluster = Self {
            nodes: Vec::new(),
            proxies: Vec::new(),
            config: config_for_keys(file("keys"), secrets),
            redis,
            place,
        };
        for number in 0..setup.nodes {
            let mut url = cluster.redis.url();
            if setup.proxied {
                let proxy = RedisProxy::start(cluster.redis.port(), number as u64);
                url = proxy.url();
                cluster.proxies.push(proxy);
            }
            let mut environment = setup.environment.clone();
            if number == 0 {
                environment.extend(setup.first.iter().cloned());
            }
            let url = (!setup.alone).then_some(url);
            let node = cluster.node(number, url, environment).await;
            cluster.nodes.push(node);
        }
        cluster.is_whole().await;
        cluster
    }

    /// Starts a node with a home of its own, and waits until it listens.
    pub async fn node(
        &self,
        number: usize,
        redis_url: Option<String>,
        environment: NodeEnvironment,
    ) -> GatewayNode {
        let config = self.place.path().join("t2b.toml");
        GatewayNode::start(self.home(number), &config, redis_url, environment).await
    }

    /// The state directory of a node, also of one that never started.
    pub fn state(&self, number: usize) -> PathBuf {
        self.home(number).join("state")
    }

    fn home(&self, number: usize) -> PathBuf {
        self.place.path().join(format!("node-{number}"))
    }

    /// Waits until every node is ready and knows every other, and no more than those.
    pub async fn is_whole(&self) {
        for (number, node) in self.nodes.iter().enumerate() {
            until(&format!("node {number} sees all others live"), async || {
                let seen = node.nodes().await?;
                let others = seen["nodes"].as_array()?;
                let live = others.iter().all(|other| other["state"] == "live");
                let ready = node.get("/readyz").await?.0 == 200 && seen["degraded"] == false;
                (ready && live && others.len() == self.nodes.len() - 1).then_some(())
            })
            .await;
        }
    }

    /// The key of a tenant that never revoked one.
    pub fn key(&self, tenant: &str) -> String {
        let tenant = TenantId::parse(tenant).unwrap();
        self.config.keyring().issue_key(&tenant, 0).reveal().clone()
    }

    /// Writes these secrets to a file of this name, the first first; its path.
    pub fn write_secrets(&self, name: &str, secrets: &[&str]) -> String {
        let path = self.place.path().join(name);
        std::fs::write(&path, secrets.join("\n")).unwrap();
        path.display().to_string()
    }

    /// The secret that all nodes start with.
    pub fn first_secret(&self) -> String {
        std::fs::read_to_string(self.place.path().join("secrets")).unwrap()
    }

    /// The key of a tenant, made from the first secret of this file.
    pub fn key_by(&self, secrets_file: &str, tenant: &str) -> String {
        let config = config_for_keys(self.place.path().join("keys"), secrets_file.to_owned());
        let tenant = TenantId::parse(tenant).unwrap();
        config.keyring().issue_key(&tenant, 0).reveal().clone()
    }

    /// What `t2b keys` with these arguments prints, as an operator of the cluster runs it.
    pub async fn keys(&self, args: &[&str]) -> Result<String, String> {
        let program = env!("CARGO_BIN_EXE_t2b").as_ref();
        let mut command = t2b(program, &self.place.path().join("keys"), &["keys"]);
        command
            .args(args)
            .args(["--redis", &self.redis.url()])
            .arg("--config")
            .arg(self.place.path().join("t2b.toml"));
        let output = Command::from(command).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
        match output.status.success() {
            true => Ok(text(output.stdout)),
            false => Err(text(output.stderr)),
        }
    }

    /// A socket of this tenant on this node, under this client id.
    pub async fn socket(&self, node: usize, tenant: &str, client: &str) -> TestSocket {
        let address = &self.nodes[node].public;
        TestSocket::connect(address, &self.key(tenant), client)
            .await
            .unwrap()
    }

    /// A socket that holds a bot.
    pub async fn bot(&self, node: usize, tenant: &str, bot: &str) -> TestSocket {
        let mut socket = self.socket(node, tenant, &format!("{bot}-process")).await;
        socket.register(bot).await;
        socket
    }

    /// Waits until these bots, and no others of the tenant, are online as every node sees it.
    pub async fn bots_online(&self, tenant: &str, bots: &[&str]) {
        for node in 0..self.nodes.len() {
            let mut socket = self.socket(node, tenant, "looker").await;
            until(&format!("node {node} sees {bots:?} online"), async || {
                (socket.bots_online().await == bots).then_some(())
            })
            .await;
        }
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (number, node) in self.nodes.iter().enumerate() {
                eprintln!("--- node {number}\n{}", node.last_lines(TAIL));
            }
        }
    }
}

fn config_for_keys(state_dir: PathBuf, secrets_file: String) -> Config {
    let state_dir = state_dir.display().to_string();
    let environment = [
        ("T2B_STATE_DIR", state_dir),
        ("T2B_SECRETS_FILE", secrets_file),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value));
    Config::load(ConfigSources {
        environment: BTreeMap::from(environment),
        file_limit: 1024,
        ..ConfigSources::default()
    })
    .unwrap()
}
