//! A Redis without persistence, for two nodes.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::peers::on_path;
use crate::process::{SERVER_CORE, ServerProcess, free_addresses, pinned};

/// Where redis-server is: `TEST_REDIS`, as `scripts/tools.sh` installs it, or on the path.
pub fn program() -> Option<PathBuf> {
    let named = std::env::var_os("TEST_REDIS").map(PathBuf::from);
    let installed = PathBuf::from(".cache/redis/redis-server");
    named
        .filter(|file| file.exists())
        .or_else(|| installed.exists().then_some(installed))
        .or_else(|| on_path("redis-server"))
}

/// Starts one on the servers' core.
pub fn start(folder: &TempDir) -> Result<(ServerProcess, SocketAddr)> {
    let program = program().context("redis-server is not installed; run: make tools")?;
    let [address] = free_addresses()?;
    let mut command = pinned(SERVER_CORE, program);
    command
        .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(folder.path());
    Ok((ServerProcess::listening(command, address)?, address))
}
