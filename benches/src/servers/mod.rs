//! The servers under measurement: processes of their own, all on one core.
//!
//! | file | holds |
//! | --- | --- |
//! | `raw.rs` | the yardstick: fastwebsockets and tokio, nothing checked |
//! | `raw_redis.rs` | the same as two nodes, batches over Redis between them |
//! | `gateway.rs` | the product, one node or two over Redis |
//! | `redis.rs` | the Redis that both use |
//! | `peers.rs` | nats-server and mosquitto, if they are installed |

pub mod gateway;
mod peers;
pub mod raw;
pub mod raw_redis;
pub mod redis;

use std::env::current_exe;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use crate::load::{RoundTimes, RoundWorkload, TalkKind};
use crate::process::{LOAD_CORE, ServerProcess, pinned_self};

/// Which servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// One raw relay.
    Raw,
    /// Two raw relays and a Redis.
    RawRedis,
    /// One gateway with the store in its memory.
    Gateway,
    /// Two gateways and a Redis.
    GatewayRedis,
    /// One nats-server.
    Nats,
    /// A cluster of two nats-servers.
    NatsRoutes,
    /// One mosquitto.
    Mosquitto,
}

/// Running servers; dropped, they are killed.
#[derive(Debug)]
pub(crate) struct RunningServers {
    processes: Vec<ServerProcess>,
    _folder: TempDir,
    /// Where clients connect.
    pub clients: SocketAddr,
    /// Where bots connect: another node, if there are two.
    pub bots: SocketAddr,
}

impl RunningServers {
    /// Starts them on [`SERVER_CORE`](crate::process::SERVER_CORE) and waits until they accept
    /// connections.
    pub fn start(kind: ServerKind) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        match kind {
            ServerKind::Raw => {
                let (process, address) = raw::start()?;
                Ok(Self::one(process, folder, address))
            }
            ServerKind::Gateway => Self::gateways(&current_exe()?, 1),
            ServerKind::GatewayRedis => Self::gateways(&current_exe()?, 2),
            ServerKind::Nats => {
                let (process, address) = peers::nats(&folder)?;
                Ok(Self::one(process, folder, address))
            }
            ServerKind::Mosquitto => {
                let (process, address) = peers::mosquitto(&folder)?;
                Ok(Self::one(process, folder, address))
            }
            ServerKind::RawRedis => {
                let (redis, url) = redis::start(&folder)?;
                let (first, clients) = raw_redis::start(url, 'a', 'b')?;
                let (second, bots) = raw_redis::start(url, 'b', 'a')?;
                Ok(Self::several([first, second, redis], folder, clients, bots))
            }
            ServerKind::NatsRoutes => {
                let ([first, second], [clients, bots]) = peers::nats_routes(&folder)?;
                Ok(Self::several([first, second], folder, clients, bots))
            }
        }
    }

    /// Starts gateways of a build of this program: one, or two and a Redis.
    pub fn gateways(program: &Path, nodes: u8) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        if nodes == 1 {
            let (process, address) = gateway::start(program, &folder, "node", None)?;
            return Ok(Self::one(process, folder, address));
        }
        let (redis, address) = redis::start(&folder)?;
        let (first, clients) = gateway::start(program, &folder, "a", Some(address))?;
        let (second, bots) = gateway::start(program, &folder, "b", Some(address))?;
        Ok(Self::several([first, second, redis], folder, clients, bots))
    }

    /// The command that drives them for one round, from the load's core.
    pub fn load(
        &self,
        talk: TalkKind,
        workload: RoundWorkload,
        times: &RoundTimes,
    ) -> Result<Command> {
        let mut load = pinned_self(LOAD_CORE)?;
        load.args(["load", "--talk", &talk.argument()])
            .args(["--clients", &self.clients.to_string()])
            .args(["--bots", &self.bots.to_string()])
            .args(["--workload", &workload.to_string()])
            .args(["--warm-up-ms", &times.warm_up_ms.to_string()])
            .args(["--measure-ms", &times.measure_ms.to_string()])
            .args(["--trips-min", &times.trips_min.to_string()]);
        for id in self.ids() {
            load.args(["--server", &id.to_string()]);
        }
        Ok(load)
    }

    /// All their process ids.
    pub fn ids(&self) -> Vec<u32> {
        self.processes.iter().map(ServerProcess::id).collect()
    }

    fn one(process: ServerProcess, folder: TempDir, address: SocketAddr) -> Self {
        Self::several([process], folder, address, address)
    }

    fn several(
        processes: impl Into<Vec<ServerProcess>>,
        folder: TempDir,
        clients: SocketAddr,
        bots: SocketAddr,
    ) -> Self {
        Self {
            processes: processes.into(),
            _folder: folder,
            clients,
            bots,
        }
    }
}

/// Whether what it needs is installed; if not, what is missing.
pub fn missing(kind: ServerKind) -> Option<&'static str> {
    match kind {
        ServerKind::Raw | ServerKind::Gateway => None,
        ServerKind::RawRedis | ServerKind::GatewayRedis => {
            redis::program().is_none().then_some("redis-server")
        }
        ServerKind::Nats | ServerKind::NatsRoutes => peers::program("nats-server")
            .is_none()
            .then_some("nats-server"),
        ServerKind::Mosquitto => peers::program("mosquitto").is_none().then_some("mosquitto"),
    }
}
