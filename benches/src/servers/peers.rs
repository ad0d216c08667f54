//! Other relays, as Debian ships them: nats-server and mosquitto, both over WebSocket.
//!
//! Near their defaults; what is set is in the texts below. Source: performance figures of peers are
//! only fair with writes batched as each does by itself, so nothing is tuned.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::process::{SERVER_CORE, ServerProcess, free_addresses, pinned};

/// Where `scripts/peers.sh` unpacks Debian's packages.
const INSTALLED: &str = ".cache/peers";

/// A peer's program: as installed for us, or on the path.
pub fn program(name: &str) -> Option<PathBuf> {
    let installed = Path::new(INSTALLED).join("usr/sbin").join(name);
    installed
        .exists()
        .then_some(installed)
        .or_else(|| on_path(name))
}

/// A program on the path, or where Debian puts servers.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn command(name: &str) -> Result<std::process::Command> {
    let program =
        program(name).with_context(|| format!("{name} is not installed; run: scripts/peers.sh"))?;
    let mut command = pinned(SERVER_CORE, program);
    // The libraries that were unpacked beside it; `taskset` needs none of them.
    command.env("LD_LIBRARY_PATH", Path::new(INSTALLED).join("lib"));
    Ok(command)
}

/// One nats-server.
pub(crate) fn nats(folder: &TempDir) -> Result<(ServerProcess, SocketAddr)> {
    let [plain, socket] = free_addresses()?;
    Ok((nats_node(folder, "n1", plain, socket, "")?, socket))
}

/// Two nats-servers that know each other.
pub(crate) fn nats_routes(folder: &TempDir) -> Result<([ServerProcess; 2], [SocketAddr; 2])> {
    let [plain_1, plain_2, socket_1, socket_2, route_1, route_2] = free_addresses()?;
    let cluster = |own: SocketAddr, other: SocketAddr| {
        format!(
            "cluster {{ name: bench, listen: \"{own}\", routes: [\"nats-route://{other}\"] }}\n"
        )
    };
    let first = nats_node(folder, "n1", plain_1, socket_1, &cluster(route_1, route_2))?;
    let second = nats_node(folder, "n2", plain_2, socket_2, &cluster(route_2, route_1))?;
    Ok(([first, second], [socket_1, socket_2]))
}

fn nats_node(
    folder: &TempDir,
    name: &str,
    plain: SocketAddr,
    socket: SocketAddr,
    cluster: &str,
) -> Result<ServerProcess> {
    let file = folder.path().join(format!("{name}.conf"));
    let text = format!(
        "server_name: {name}\nlisten: \"{plain}\"\n\
         websocket {{ listen: \"{socket}\", no_tls: true, compression: false }}\n{cluster}"
    );
    fs::write(&file, text)?;
    let mut command = command("nats-server")?;
    command.arg("-c").arg(&file);
    ServerProcess::listening(command, socket)
}

/// One mosquitto. Without a plain listener beside the WebSocket one it ends at once.
pub(crate) fn mosquitto(folder: &TempDir) -> Result<(ServerProcess, SocketAddr)> {
    let [plain, socket] = free_addresses()?;
    let file = folder.path().join("mosquitto.conf");
    let text = format!(
        "persistence false\nmax_queued_messages 0\nallow_anonymous true\nlog_type none\n\
         listener {} 127.0.0.1\nprotocol mqtt\n\
         listener {} 127.0.0.1\nprotocol websockets\n",
        plain.port(),
        socket.port()
    );
    fs::write(&file, text)?;
    let mut command = command("mosquitto")?;
    command.arg("-c").arg(&file);
    Ok((ServerProcess::listening(command, socket)?, socket))
}
