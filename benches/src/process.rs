//! Child processes on a core of their own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// The core of whatever serves.
pub const SERVER_CORE: usize = 0;
/// The core of whatever drives it.
pub const LOAD_CORE: usize = 1;

/// This program again, with other arguments, on one core. Needs `taskset` (util-linux).
pub fn pinned(core: usize, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new("taskset");
    command
        .args(["-c", &core.to_string()])
        .arg(std::env::current_exe()?)
        .args(arguments);
    Ok(command)
}

/// A server in a process of its own; dropped, it is killed.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts the raw relay.
    pub fn raw() -> Result<Self> {
        Self::start(&["serve-raw"])
    }

    /// Starts the gateway.
    pub fn gateway(config: &Path) -> Result<Self> {
        let config = config.to_str().context("the folder's name is no text")?;
        Self::start(&["serve-gateway", config])
    }

    fn start(arguments: &[&str]) -> Result<Self> {
        let mut child = pinned(SERVER_CORE, arguments)?
            .stdout(Stdio::piped())
            .spawn()
            .context("taskset (util-linux) is needed")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Ok(address) = line.trim().parse() else {
            child.kill()?;
            bail!("the server said {line:?} instead of its address");
        };
        Ok(Self { child, address })
    }

    /// Its process id; `taskset` becomes the program it starts.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
