//! What all load balancers share: Redis, two gateways, a certificate, and where everything listens.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use fixtures::{RedisServer, free_port};
use gateway::config::{Config, ConfigSources, new_secret};
use protocol::TenantId;
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;

use crate::node::{Node, NodeSetup};

/// The name of the site in all files of `deploy/balancers`.
pub const SITE: &str = "bots.example.org";
/// What stands for `10.77.0.` of those files.
pub const NETWORK: &str = "127.0.0.";
/// The last numbers of the addresses of the nodes in those files.
const NODES: [u8; 2] = [11, 12];
/// Long enough for the load balancers to notice, and for a look at the old sockets, before those are moved.
const DRAIN_WAIT: &str = "10s";
const DRAIN_WINDOW: &str = "3s";

pub struct Stage {
    shared: Arc<SharedStage>,
    public_port: u16,
    admin_port: u16,
    place: TempDir,
    _redis: RedisServer,
}

/// What the passages use.
pub struct SharedStage {
    pub nodes: Vec<Node>,
    pub tls: Arc<ClientConfig>,
    config: Config,
    sources: AtomicU16,
}

/// What a file of `deploy/balancers` has to be told.
pub struct StageAddresses<'a> {
    pub place: &'a Path,
    pub public_port: u16,
    pub admin_port: u16,
}

impl Stage {
    /// Starts Redis and the gateways.
    pub async fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let redis = RedisServer::start().expect("the test looked for the program");
        let file = |name: &str| place.path().join(name);
        fs::write(file("secrets"), new_secret().unwrap().reveal()).unwrap();
        let secrets = file("secrets").display().to_string();
        let config = format!(
            "secrets_file = {secrets:?}\nallowed_hosts = [\"{SITE}\"]\ntrusted_proxies = [\"127.0.0.1\"]\n\
             drain_wait = \"{DRAIN_WAIT}\"\ndrain_window = \"{DRAIN_WINDOW}\"\n"
        );
        fs::write(file("t2b.toml"), config).unwrap();
        let tls = certificate(place.path());
        let (public_port, admin_port) = (free_port(), free_port());
        let mut nodes = Vec::new();
        for last in NODES {
            let setup = NodeSetup {
                address: format!("{NETWORK}{last}"),
                public_port,
                admin_port,
                redis_url: redis.url(),
            };
            nodes.push(Node::start(setup, place.path()).await);
        }
        let shared = SharedStage {
            nodes,
            tls,
            config: config_for_keys(file("keys"), secrets),
            sources: AtomicU16::new(0),
        };
        Self {
            shared: Arc::new(shared),
            public_port,
            admin_port,
            place,
            _redis: redis,
        }
    }

    pub fn shared(&self) -> Arc<SharedStage> {
        Arc::clone(&self.shared)
    }

    pub fn nodes(&self) -> &[Node] {
        &self.shared.nodes
    }

    pub fn addresses(&self) -> StageAddresses<'_> {
        StageAddresses {
            place: self.place.path(),
            public_port: self.public_port,
            admin_port: self.admin_port,
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (number, node) in self.nodes().iter().enumerate() {
                eprintln!("--- node {number}\n{}", node.last_lines());
            }
        }
    }
}

impl SharedStage {
    /// A key of this tenant.
    pub fn key(&self, tenant: &str) -> String {
        let tenant = TenantId::parse(tenant).unwrap();
        self.config.keyring().issue_key(&tenant, 0).reveal().clone()
    }

    /// An address of loopback that no client had before. The access log has at most 20 lines a minute of each address.
    pub fn next_source(&self) -> Ipv4Addr {
        let [high, low] = self.sources.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Ipv4Addr::new(127, 100, high, low)
    }

    /// Which node has this connection, and the line of its access log.
    pub fn find(&self, connection: &str) -> Option<(usize, String)> {
        let mut nodes = self.nodes.iter().enumerate();
        nodes.find_map(|(number, node)| Some((number, node.connected_line(connection)?)))
    }
}

/// Writes `tls.crt`, `tls.key` and both in `both.pem`; what a client needs to trust them.
fn certificate(place: &Path) -> Arc<ClientConfig> {
    let params = CertificateParams::new([SITE.to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let (crt, key) = (certificate.pem(), key.serialize_pem());
    fs::write(place.join("both.pem"), format!("{crt}{key}")).unwrap();
    fs::write(place.join("tls.crt"), crt).unwrap();
    fs::write(place.join("tls.key"), key).unwrap();

    let mut roots = RootCertStore::empty();
    let der = CertificateDer::from(certificate.der().to_vec());
    roots.add(der).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn config_for_keys(state_dir: PathBuf, secrets_file: String) -> Config {
    let state_dir = state_dir.display().to_string();
    let environment = [
        ("T2B_STATE_DIR", state_dir),
        ("T2B_SECRETS_FILE", secrets_file),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value));
    Config::load(ConfigSources {
        environment: environment.into(),
        file_limit: 1024,
        ..ConfigSources::default()
    })
    .unwrap()
}
