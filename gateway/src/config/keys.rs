//! The one table of configuration keys: the flags, the environment, the file and the documents are
//! all made from it.

use protocol::error::Since;

/// What a key's text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// `IP:PORT`; `localhost:PORT` is `127.0.0.1:PORT`.
    Address,
    /// Any text.
    Text,
    /// A credential: printed as `***`, never part of an error.
    Secret,
    /// Several credentials.
    Secrets,
    /// Several texts.
    List,
    /// A file or folder.
    Path,
    /// `true` or `false`.
    Switch,
    /// A time with its unit: `500ms`, `30s`, `5m`, `24h`, `7d`.
    Duration,
    /// Bytes with their unit: `512B`, `64KiB`, `1MiB`, `2GiB`.
    Size,
    /// A whole number.
    Count,
    /// A number from 0 to 1.
    Fraction,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

impl KeyKind {
    /// Whether commas in the environment and in flags separate values.
    pub(crate) const fn is_list(self) -> bool {
        matches!(self, KeyKind::List | KeyKind::Secrets)
    }

    /// Whether the value is masked wherever it is printed.
    pub(crate) const fn is_secret(self) -> bool {
        matches!(self, KeyKind::Secret | KeyKind::Secrets)
    }

    /// What a help text shows for its value, as in `--listen IP:PORT`.
    pub const fn placeholder(self) -> &'static str {
        match self {
            KeyKind::Address => "IP:PORT",
            KeyKind::Text => "TEXT",
            KeyKind::Secret => "SECRET",
            KeyKind::Secrets => "SECRET,…",
            KeyKind::List => "TEXT,…",
            KeyKind::Path => "PATH",
            KeyKind::Switch => "true|false",
            KeyKind::Duration => "TIME",
            KeyKind::Size => "SIZE",
            KeyKind::Count => "NUMBER",
            KeyKind::Fraction => "0..1",
            KeyKind::OneOf(_) => "WORD",
        }
    }
}

/// One configuration key.
#[derive(Debug)]
pub struct ConfigKey {
    /// As in the file; `--name-with-dashes` as a flag, `T2B_NAME` in the environment.
    pub name: &'static str,
    /// The value of a key that is not set; empty = none.
    pub default: &'static str,
    /// What its text means.
    pub kind: KeyKind,
    /// Its help text.
    pub help: &'static str,
    /// A reserved key accepts only its default, so that nobody relies on a key that does nothing.
    pub since: Since,
}

impl ConfigKey {
    /// The row of that name.
    pub fn of(name: &str) -> Option<&'static ConfigKey> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Its name in the environment.
    pub fn variable(&self) -> String {
        format!("T2B_{}", self.name.to_ascii_uppercase())
    }

    /// Its name as a flag, without the dashes.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

const LOG_FORMATS: &[&str] = &["text", "json"];

macro_rules! keys {
    ($( $name:ident = $default:literal, $kind:expr, $since:expr, $help:literal; )*) => {
        /// Every key, in the order of the documents. The tables `[limits]`, `[plans.<name>]` and
        /// `[tenants.<id>]` exist in the file only.
        pub const KEYS: &[ConfigKey] = &[ $( ConfigKey {
            name: stringify!($name), default: $default, kind: $kind, help: $help, since: $since,
        }, )* ];
    };
}

keys! {
    listen            = "127.0.0.1:3000", KeyKind::Address, Since::Now, "Where bots and clients connect";
    admin_listen      = "127.0.0.1:9464", KeyKind::Address, Since::Now, "Where operators, probes and Prometheus connect";
    admin_token       = "", KeyKind::Secret, Since::Now, "Bearer token of /admin/v1: 16 or more printable ASCII characters without spaces. Prefer admin_token_file, because other users of the machine can read a flag. Unset: one is made in the state directory if admin_listen is loopback; otherwise /admin/v1 is off";
    admin_token_file  = "", KeyKind::Path, Since::Now, "File that holds the admin token, alone on a line; lines that begin with # are comments";
    secrets           = "", KeyKind::Secrets, Since::Now, "Secrets that sign API keys and tokens, 32 bytes or more each. The gateway signs with the first and verifies with all. Prefer secrets_file. Unset: the gateway makes one in the state directory if listen is loopback and redis_url is unset";
    secrets_file      = "", KeyKind::Path, Since::Now, "File that holds the secrets, one per line; lines that begin with # are comments";
    state_dir         = "", KeyKind::Path, Since::Now, "Folder of the secret, the admin token and, without Redis, the key generations and suspensions. Unset: ~/.local/state/t2b";
    data_dir          = "", KeyKind::Path, Since::Reserved("stored messages"), "Folder for stored messages";
    redis_url         = "", KeyKind::Secret, Since::Now, "The Redis (7 or newer) that the nodes of a cluster share: redis://, redis+sentinel:// or redis+cluster://; with rediss instead of redis it uses TLS. Unset: a single node. --redis is an alias of --redis-url. If the URL has a password, prefer redis_url_file, because other users of the machine can read a flag";
    redis_url_file    = "", KeyKind::Path, Since::Now, "File that holds the Redis URL, alone on a line; lines that begin with # are comments";
    redis_prefix      = "t2b", KeyKind::Text, Since::Now, "Prefix of every key and channel in Redis. Two clusters on one Redis need different prefixes";
    redis_insecure    = "false", KeyKind::Switch, Since::Now, "Skips verification of the Redis server's certificate. For a private CA, set the environment variable SSL_CERT_FILE instead; the CAs in that file replace the system's CAs";
    redis_client_cert = "", KeyKind::Path, Since::Now, "Certificate chain that the gateway shows to a Redis that asks its clients for one, PEM. Requires redis_client_key and a rediss URL. The gateway reads both files when it starts";
    redis_client_key  = "", KeyKind::Path, Since::Now, "Private key of redis_client_cert, PEM. Requires redis_client_cert";
    base_path         = "", KeyKind::Text, Since::Now, "Path prefix of the public listener, like /t2b: WebSockets then connect to /t2b/ws, and the HTTP API is below /t2b/v1";
    tls_cert          = "", KeyKind::Path, Since::Now, "Certificate chain of the public listener, PEM. Requires tls_key";
    tls_key           = "", KeyKind::Path, Since::Now, "Private key of the public listener, PEM. Requires tls_cert";
    admin_tls_cert    = "", KeyKind::Path, Since::Now, "Certificate chain of the admin listener, PEM. Requires admin_tls_key. The t2b commands that ask a running gateway need this key too: they accept this certificate, and for the address in admin_listen those that a CA of this file or of the system has issued";
    admin_tls_key     = "", KeyKind::Path, Since::Now, "Private key of the admin listener, PEM. Requires admin_tls_cert";
    admin_client_ca   = "", KeyKind::Path, Since::Now, "CA certificates, PEM. If set, the admin listener accepts only clients with a certificate that one of these CAs has issued, also for probes and metrics. Requires admin_tls_cert";
    admin_client_cert = "", KeyKind::Path, Since::Now, "Certificate chain that the t2b commands show to an admin listener with admin_client_ca, PEM. Requires admin_client_key. The gateway itself does not use it";
    admin_client_key  = "", KeyKind::Path, Since::Now, "Private key of admin_client_cert, PEM. Requires admin_client_cert";
    allowed_origins   = "", KeyKind::List, Since::Now, "Origins of web pages that may connect and use the HTTP API in addition to the gateway's own, like https://app.example.org or https://*.example.org; null = pages without an origin; * = all";
    allowed_hosts     = "", KeyKind::List, Since::Now, "Values of Host that the gateway accepts in addition to IP addresses and localhost, like bots.example.org, *.example.org or bots.example.org:8443; * = all. The public listener checks Host only if listen is loopback; the admin listener always checks it";
    trusted_proxies   = "", KeyKind::List, Since::Now, "Addresses or networks whose X-Forwarded-For is trusted";
    query_keys        = "true", KeyKind::Switch, Since::Now, "Whether /ws accepts a credential in ?token=, which old SDKs send";
    sockets_max       = "", KeyKind::Count, Since::Now, "Maximum number of open sockets. Unset: the open-file limit minus 256, or a quarter of memory_max divided by 16 KiB, whichever is smaller";
    log               = "info", KeyKind::Text, Since::Now, "Log filter: off, error, warn, info, debug or trace, or module=level, several separated by commas";
    log_format        = "text", KeyKind::OneOf(LOG_FORMATS), Since::Now, "Format of log lines: text or json";
    trace_sample      = "0.01", KeyKind::Fraction, Since::Now, "Fraction of the messages that are traced. Traces need the environment variable OTEL_EXPORTER_OTLP_ENDPOINT, the URL of a collector of OTLP over HTTP";
    handshake_timeout = "10s", KeyKind::Duration, Since::Now, "Time limit for each of these: TLS and the request head together; the first credential; each 4 KiB of an HTTP request body or answer; a kept-alive connection that is idle";
    heartbeat         = "25s", KeyKind::Duration, Since::Now, "How often the gateway pings a socket, from 1s to 24h. It closes a socket from which it receives nothing, not even a TCP acknowledgement, for two periods";
    drain_wait        = "5s", KeyKind::Duration, Since::Now, "How long a node that shuts down still takes new sockets after /readyz says 503, so that load balancers notice. A node without other nodes does not wait";
    drain_window      = "30s", KeyKind::Duration, Since::Now, "The time over which a node that shuts down asks its sockets to move to other nodes, and closes those that stay; it is longer if the other nodes cannot take them so fast";
    drain_deadline    = "60s", KeyKind::Duration, Since::Now, "The time after which a node that shuts down ends in any case, with exit code 1; at least drain_wait + drain_window";
    ready_when_degraded = "true", KeyKind::Switch, Since::Now, "Whether a node that cannot reach Redis reports ready. With false, a Redis outage takes all nodes out of the load balancer at once";
    isolate_after     = "60s", KeyKind::Duration, Since::Now, "How long a node that cannot reach Redis keeps all its sockets if no other node answers it; then it asks 1 % of them per second to move. If most of the others answer that they reach Redis, it is not ready within 10 s, and asks 5 % per second. 0 = it keeps them in any case";
    rebalance         = "false", KeyKind::Switch, Since::Now, "Whether a node with over 20 % more sockets than the average of all nodes asks some to move to other nodes: 0.5 % of the average per second";
    start_grace       = "60s", KeyKind::Duration, Since::Now, "How long after its start a node without redis_url answers every unknown name with bot_offline, because bots may still be reconnecting; 0 = never";
    default_plan      = "", KeyKind::Text, Since::Now, "The plan of every tenant that has no other: a name of [plans]. Unset: tenants have no plan unless you give them one";
    cluster_name      = "t2b", KeyKind::Text, Since::Now, "Name of this cluster in the ids of usage rows. Two clusters whose usage goes to one billing system need different names. All nodes of a cluster need the same. If you change it, the ids of all rows change";
    usage_flush       = "10s", KeyKind::Duration, Since::Now, "How often a node books the usage of each tenant in the ledger, from 1s to 5m";
    usage_journal     = "100ms", KeyKind::Duration, Since::Now, "How often a node writes usage that is not booked to the state directory, from 10ms to 10s; 0 = never. A node that is killed loses at most the usage of this time, or of usage_flush without a journal";
    usage_keep        = "62d", KeyKind::Duration, Since::Now, "How long the ledger keeps each hour of usage, from 32d to 400d. A change counts for hours in which nothing is booked yet";
    tenant_series_max = "2000", KeyKind::Count, Since::Now, "Maximum number of tenants with series of their own at /metrics/tenants; 0 = /metrics/tenants is off. The first tenants that a process meets have series until it ends; all others share the series tenant=\"_other\"";
    memory_max        = "", KeyKind::Size, Since::Now, "The most memory that this process may use, the kernel's buffers of its sockets included; at least 128MiB. Unset: the container's limit, or the machine's memory if there is none";
    store_bytes       = "", KeyKind::Size, Since::Now, "The most memory that the memory store may use, at most half of memory_max. Unset: 256MiB, or a quarter of memory_max if that is less";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct() {
        for (i, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..i].iter().all(|other| other.name != key.name));
        }
    }

    #[test]
    fn a_key_has_three_spellings() {
        let key = ConfigKey::of("admin_token_file").unwrap();
        assert_eq!(key.flag(), "admin-token-file");
        assert_eq!(key.variable(), "T2B_ADMIN_TOKEN_FILE");
    }
}
