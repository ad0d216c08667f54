//! The gateway as a server to be measured: as it is shipped, every check and counter on, with limits
//! that nothing here reaches.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Result;
use gateway::Gateway;
use gateway::config::{Config, ConfigSources, raise_file_limit};
use protocol::{Secret, TenantId};
use router_core::auth::Keyring;
use tempfile::TempDir;

use crate::process::{SERVER_CORE, ServerProcess, pinned};

/// Signs keys for a gateway that only lives on loopback, for a minute.
const SECRET: &str = "for-measurements-only-0123456789";

/// Rates are switched off by their values, not by leaving the check out.
const LIMITS: &str = "
[limits]
messages_per_second = 1000000000
messages_burst = 1000000000
frames_per_second = 1000000000
frames_burst = 1000000000
bytes_per_second = 4294967295
bytes_burst = 4294967295
";

/// The API key of a user.
pub fn key_of(user: &str) -> Result<String> {
    let keyring = Keyring::new(&[Secret::new(SECRET.to_owned())])?;
    Ok(keyring
        .issue_key(&TenantId::parse(user)?, 0)
        .reveal()
        .clone())
}

/// Starts one on the servers' core, alone or as a node of the cluster that a Redis makes. `program`: a
/// build of this one.
pub fn start(
    program: &Path,
    folder: &TempDir,
    name: &str,
    redis: Option<SocketAddr>,
) -> Result<(ServerProcess, SocketAddr)> {
    start_with(program, folder, name, &GatewayText::of(redis))
}

/// Starts one whose configuration says more.
pub(crate) fn start_with(
    program: &Path,
    folder: &TempDir,
    name: &str,
    text: &GatewayText<'_>,
) -> Result<(ServerProcess, SocketAddr)> {
    let mut command = pinned(SERVER_CORE, program);
    command.arg("serve-gateway").arg(write(folder, name, text)?);
    ServerProcess::announced(command)
}

/// What configurations differ in.
pub(crate) struct GatewayText<'a> {
    pub redis: Option<SocketAddr>,
    /// Where probes and metrics are.
    pub admin: SocketAddr,
    /// More lines.
    pub more: &'a str,
}

impl GatewayText<'_> {
    fn of(redis: Option<SocketAddr>) -> Self {
        Self {
            redis,
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            more: "",
        }
    }
}

/// Writes a configuration and returns its file; the folder takes the gateway's state too.
pub fn configure(folder: &TempDir, name: &str, redis: Option<SocketAddr>) -> Result<PathBuf> {
    write(folder, name, &GatewayText::of(redis))
}

fn write(folder: &TempDir, name: &str, text: &GatewayText<'_>) -> Result<PathBuf> {
    let GatewayText { redis, admin, more } = text;
    let file = folder.path().join(format!("{name}.toml"));
    let state = folder.path().join(name);
    let store = redis.map_or(String::new(), |address| {
        format!("redis_url = \"redis://{address}\"\n")
    });
    let text = format!(
        "listen = \"127.0.0.1:0\"\nadmin_listen = \"{admin}\"\nsecrets = [\"{SECRET}\"]\n\
         state_dir = \"{}\"\nstart_grace = \"0s\"\nlog = \"warn\"\n{store}{more}{LIMITS}",
        state.display()
    );
    fs::write(&file, text)?;
    Ok(file)
}

/// Serves until it is killed; the first line of stdout is its address.
pub fn serve(config: impl AsRef<Path>) -> Result<()> {
    let config = Config::load(ConfigSources {
        file: Some(config.as_ref().to_owned()),
        file_limit: raise_file_limit(),
        ..ConfigSources::default()
    })?;
    let _telemetry = gateway::telemetry::init(&config)?;
    gateway::machine::runtime()?.block_on(async {
        let gateway = Gateway::bind(config).await?;
        println!("{}", gateway.addresses().public);
        gateway.run().await?;
        Ok(())
    })
}
