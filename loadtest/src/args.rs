//! The command line of `run`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use loadtest::credentials::{GivenCredentials, KeySource};
use protocol::Secret;

/// The arguments of `run`.
#[derive(Args)]
pub struct RunArgs {
    /// The name of a built-in scenario, or the path of a TOML file
    pub scenario: String,
    /// The WebSocket URL of a gateway. Repeat the flag for several gateways: the client and the bot of each pair
    /// then connect to different gateways
    #[arg(
        long,
        short,
        default_value = "ws://127.0.0.1:3000/ws",
        value_name = "WS_URL"
    )]
    pub url: Vec<String>,
    /// Changes a value of the scenario: duration=30s, pairs=500, thresholds.p99_ms=5
    #[arg(long = "set", short = 's', value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// How long to measure: 30s, 5m
    #[arg(long, short, value_name = "TIME")]
    duration: Option<String>,
    /// How long traffic runs before it is counted
    #[arg(long, value_name = "TIME")]
    warm_up: Option<String>,
    /// How many threads generate load
    #[arg(long, short, value_name = "N")]
    threads: Option<usize>,
    /// The local address to connect from. Repeat the flag to use several addresses in turn
    #[arg(long, value_name = "IP")]
    source: Vec<std::net::IpAddr>,

    /// An API key. Repeat the flag to use several keys in turn. Prefer --keys: other users of this machine can read a flag
    #[arg(long, value_name = "KEY", help_heading = "Credentials")]
    key: Vec<String>,
    /// A file of API keys, one per line, as `key` or `tenant,key`
    #[arg(long, value_name = "FILE", help_heading = "Credentials")]
    keys: Option<PathBuf>,
    /// The gateway's secrets file. The load test makes a key for each tenant that the scenario needs
    #[arg(
        long,
        env = "T2B_SECRETS_FILE",
        value_name = "FILE",
        help_heading = "Credentials"
    )]
    secrets_file: Option<PathBuf>,
    /// The gateway's secrets. Prefer the variable or the file
    #[arg(
        long,
        env = "T2B_SECRETS",
        hide_env_values = true,
        value_name = "SECRET",
        help_heading = "Credentials"
    )]
    secrets: Option<String>,
    /// The prefix of the names of the tenants that the load test makes keys for
    #[arg(
        long,
        default_value = "load-",
        value_name = "NAME",
        help_heading = "Credentials"
    )]
    pub tenant_prefix: String,

    /// The URL of a gateway's metrics, like http://127.0.0.1:9464/metrics. Repeat it for each --url, in the same
    /// order
    #[arg(long, value_name = "HTTP_URL", help_heading = "Servers")]
    pub metrics: Vec<String>,
    /// The process id of a gateway, to measure its CPU and memory. Without --pid, the load test finds gateways of
    /// this machine by their port
    #[arg(long, value_name = "PID", help_heading = "Servers")]
    pub pid: Vec<u32>,
    /// The Redis that the gateways share: redis://[user:password@]host:port
    #[arg(
        long,
        env = "T2B_REDIS_URL",
        hide_env_values = true,
        value_name = "REDIS_URL",
        help_heading = "Servers"
    )]
    pub redis: Option<String>,

    /// Writes the result as JSON
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub json: Option<PathBuf>,
    /// Writes the result as an HTML page
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub html: Option<PathBuf>,
    /// Hides the progress
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
}

impl RunArgs {
    /// `--set`s, after those that the other flags stand for.
    pub fn changes(&self) -> Vec<String> {
        let texts = [("duration", &self.duration), ("warm_up", &self.warm_up)];
        let texts = texts.into_iter().filter_map(|(key, value)| {
            let value = value.as_ref()?;
            Some(format!("{key}={value:?}"))
        });
        let threads = self.threads.map(|threads| format!("threads={threads}"));
        let sources = (!self.source.is_empty()).then(|| {
            let list: Vec<_> = self.source.iter().map(|it| format!("\"{it}\"")).collect();
            format!("source_addresses=[{}]", list.join(","))
        });
        let flags = texts.chain(threads).chain(sources);
        flags.chain(self.set.iter().cloned()).collect()
    }

    /// Where keys come from.
    pub fn credentials(&self, is_local: bool) -> Result<KeySource> {
        let given = GivenCredentials {
            keys: self.key.iter().cloned().map(Secret::new).collect(),
            keys_file: self.keys.clone(),
            secrets: self.secrets.clone().map(Secret::new),
            secrets_file: self.secrets_file.clone(),
        };
        KeySource::find(given, is_local)
    }
}
