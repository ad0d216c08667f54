//! The checked configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backplane::{ClientCertificate, RedisConfig, StoreClock};
use protocol::lane::LaneKeys;
use protocol::{Limits, PlanName, Secret, TenantId};
use router_core::auth::Keyring;
use router_core::env::{Millis, Settings};
use router_core::terms::{Plan, TenantSettings};

use super::cidr::Cidr;
use super::drain::DrainTimes;
use super::effective_line::EffectiveLine;
use super::hosts::{HostPattern, OriginPattern};
use super::kept_sources::KeptSources;
use super::log_format::LogFormat;
use super::otlp::OtlpExport;
use crate::trace::FrameTracer;

/// Where the certificate of a listener or of a client lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// Certificates of the authorities that clients of a listener need a certificate of, PEM; none: clients
    /// need none.
    pub client_ca: Option<PathBuf>,
}

/// How a command speaks TLS with the admin listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminPeer {
    /// Certificate chain of the listener, PEM.
    pub cert: PathBuf,
    /// What the command shows.
    pub client: Option<TlsFiles>,
}

/// A checked configuration. See [`KEYS`](super::KEYS) for what each key means.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address of the public listener; port 0 = any free one.
    pub listen: SocketAddr,
    /// Address of the admin listener; port 0 = any free one.
    pub admin_listen: SocketAddr,
    /// Bearer token of `/admin/v1`; none: `/admin/v1` answers 404.
    pub admin_token: Option<Secret<String>>,
    /// Each strong enough: the first signs, all verify. None only for a [`ConfigPurpose`](super::ConfigPurpose) that needs none.
    pub secrets: Vec<Secret<String>>,
    /// The file that the secret was kept in, if nobody gave one: for the start line.
    pub secret_made_in: Option<PathBuf>,
    /// Folder for what must outlive the process; it may not exist yet. None: nobody named one, and
    /// there is no home.
    pub state_dir: Option<PathBuf>,
    /// The Redis that the nodes share; none: this node stands alone.
    pub redis_url: Option<Secret<String>>,
    /// First part of every key and channel in Redis.
    pub redis_prefix: String,
    /// Whether the certificate of a `rediss://` server is not checked.
    pub redis_insecure: bool,
    /// What is shown to a Redis that asks its clients for a certificate.
    pub redis_client: Option<ClientCertificate>,
    /// Whether a node whose Redis does not answer is ready.
    pub ready_when_degraded: bool,
    /// What the paths of the public listener begin with, like `/t2b`; empty: nothing.
    pub base_path: String,
    /// TLS of the public listener, if wanted.
    pub tls: Option<TlsFiles>,
    /// TLS of the admin listener, if wanted.
    pub admin_tls: Option<TlsFiles>,
    /// The same for a command that asks it.
    pub admin_peer: Option<AdminPeer>,
    /// Origins that may connect beside the gateway's own.
    pub allowed_origins: Vec<OriginPattern>,
    /// Hosts that are answered beside IP addresses and localhost.
    pub allowed_hosts: Vec<HostPattern>,
    /// Whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<Cidr>,
    /// Whether `?token=` on `/ws` is accepted.
    pub query_keys: bool,
    /// Most sockets at once.
    pub sockets_max: usize,
    /// Log filter, as `tracing_subscriber::EnvFilter` reads it.
    pub log: String,
    /// Part of the messages that are traced, from 0 to 1.
    pub trace_sample: f64,
    /// The collector that traces go to, as the `OTEL_…` variables say.
    pub otlp: OtlpExport,
    /// Form of log lines.
    pub log_format: LogFormat,
    /// How long TLS and the request head together, and the first credential, may each take; how long
    /// the body of an HTTP request and the answer may stand still; how long a kept-alive connection may be
    /// idle.
    pub handshake_timeout: Duration,
    /// How often a socket is pinged.
    pub heartbeat: Duration,
    /// After which time without Redis and without answers of other nodes a node gives up its sockets; zero: never.
    pub isolate_after: Duration,
    /// Whether a node gives sockets to nodes that have fewer.
    pub rebalance: bool,
    /// How the node goes away.
    pub(crate) drain: DrainTimes,
    /// How long after the start unknown bots are `bot_offline`; zero = not at all.
    pub start_grace: Duration,
    /// Name of the cluster in the ids of usage rows.
    pub cluster_name: String,
    /// How often the usage of a tenant is booked.
    pub usage_flush: Duration,
    /// How often usage that is not booked is written to the state directory; zero: never.
    pub usage_journal: Duration,
    /// How long the usage ledger keeps an hour, hours.
    pub usage_keep_hours: u32,
    /// Most tenants with series of their own.
    pub tenant_series_max: usize,
    /// Most memory of this process, the kernel's buffers of its sockets included, bytes.
    pub memory_max: u64,
    /// Most memory of the memory store, bytes.
    pub store_bytes: u64,
    /// Limits of every tenant that has none of its own.
    pub limits: Limits,
    /// What tenants may use, by plan.
    pub plans: BTreeMap<PlanName, Plan>,
    /// The plan of every tenant that has no other.
    pub default_plan: Option<PlanName>,
    /// Tenants with settings of their own.
    pub tenants: BTreeMap<TenantId, TenantSettings>,
    /// What is doubtful and no error, a sentence each, without credentials: for the log or stderr.
    pub warnings: Vec<String>,
    /// What each key came to, and where from; credentials masked.
    pub(super) effective: Vec<EffectiveLine>,
    /// What it was made from.
    pub(super) sources: KeptSources,
}

impl Config {
    /// The secrets, ready to verify and sign.
    pub fn keyring(&self) -> Keyring {
        Keyring::new(&self.secrets).expect("the secrets were checked when they were read")
    }

    /// The Redis that nodes share, if they do. Times are its own.
    pub fn redis(&self) -> Option<RedisConfig> {
        self.redis_url.as_ref().map(|url| RedisConfig {
            url: url.clone(),
            prefix: self.redis_prefix.clone(),
            insecure: self.redis_insecure,
            client: self.redis_client.clone(),
            usage_keep_hours: self.usage_keep_hours,
            clock: StoreClock::Server,
        })
    }

    /// What decides which frames are traced.
    pub(crate) fn tracer(&self) -> FrameTracer {
        let exports = self.otlp.endpoint.is_some();
        FrameTracer::new(if exports { self.trace_sample } else { 0.0 })
    }

    /// What it was made from.
    pub(crate) fn sources(&self) -> KeptSources {
        self.sources.clone()
    }

    /// What signs the packets between nodes.
    pub fn lane_keys(&self) -> LaneKeys {
        LaneKeys::new(&self.secrets)
    }

    /// What the routing machines need of it. `now_ms`: Unix milliseconds of the start.
    pub fn settings(&self, now_ms: Millis) -> Settings {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let grace_until_ms = match ms(self.start_grace) {
            0 => 0,
            grace => now_ms.saturating_add(grace),
        };
        Settings {
            limits: Arc::new(self.limits.clone()),
            plans: self.plans.clone(),
            default_plan: self.default_plan.clone(),
            tenants: self.tenants.clone(),
            first_secret: self.keyring().first_id(),
            heartbeat_ms: ms(self.heartbeat),
            handshake_timeout_ms: ms(self.handshake_timeout),
            grace_until_ms,
            usage_flush_ms: ms(self.usage_flush),
            ..Settings::default()
        }
    }
}
