//! What is measured: servers in processes of their own, all on one core.
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

use crate::load::{Talk, Times, Workload};
use crate::process::{LOAD_CORE, Process, pinned_self};

/// Which servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
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
pub struct Servers {
    processes: Vec<Process>,
    _folder: TempDir,
    /// Where clients connect.
    pub clients: SocketAddr,
    /// Where bots connect: another node, if there are two.
    pub bots: SocketAddr,
}

impl Servers {
    /// Starts them on [`SERVER_CORE`](crate::process::SERVER_CORE) and waits until they accept
    /// connections.
    pub fn start(kind: Kind) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        match kind {
            Kind::Raw => {
                let (process, address) = raw::start()?;
                Ok(Self::one(process, folder, address))
            }
            Kind::Gateway => Self::gateways(&current_exe()?, 1),
            Kind::GatewayRedis => Self::gateways(&current_exe()?, 2),
            Kind::Nats => {
                let (process, address) = peers::nats(&folder)?;
                Ok(Self::one(process, folder, address))
            }
            Kind::Mosquitto => {
                let (process, address) = peers::mosquitto(&folder)?;
                Ok(Self::one(process, folder, address))
            }
            Kind::RawRedis => {
                let (redis, url) = redis::start(&folder)?;
                let (first, clients) = raw_redis::start(url, 'a', 'b')?;
                let (second, bots) = raw_redis::start(url, 'b', 'a')?;
                Ok(Self::several([first, second, redis], folder, clients, bots))
            }
            Kind::NatsRoutes => {
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
    pub fn load(&self, talk: Talk, workload: Workload, times: &Times) -> Result<Command> {
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
        self.processes.iter().map(Process::id).collect()
    }

    fn one(process: Process, folder: TempDir, address: SocketAddr) -> Self {
        Self::several([process], folder, address, address)
    }

    fn several(
        processes: impl Into<Vec<Process>>,
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
pub fn missing(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Raw | Kind::Gateway => None,
        Kind::RawRedis | Kind::GatewayRedis => redis::program().is_none().then_some("redis-server"),
        Kind::Nats | Kind::NatsRoutes => peers::program("nats-server")
            .is_none()
            .then_some("nats-server"),
        Kind::Mosquitto => peers::program("mosquitto").is_none().then_some("mosquitto"),
    }
}
