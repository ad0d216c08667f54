//! Tells the supervisor how the gateway is, if there is one: systemd with `Type=notify`, or whoever else sets
//! `NOTIFY_SOCKET`.
//!
//! | told | when |
//! | --- | --- |
//! | `READY=1` | it serves: the store is there, and the public listener listens |
//! | `WATCHDOG=1` | twice in each `WATCHDOG_USEC`, as long as the runtime runs tasks |
//! | `STOPPING=1` | it was told to end, and begins its drain |
//!
//! Source: sd_notify(3), sd_watchdog_enabled(3).

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use gateway::GatewayShutdown;
use tokio::time::interval;

pub const READY: &str = "READY=1";
const STOPPING: &str = "STOPPING=1";
const WATCHDOG: &str = "WATCHDOG=1";

/// How long the supervisor may take no message. It holds a worker up, and a message that is lost may end the
/// process.
const TAKEN: Duration = Duration::from_secs(1);

/// The supervisor, or nobody.
#[derive(Clone)]
pub struct Supervisor(Option<Arc<UnixDatagram>>);

impl Supervisor {
    /// Finds it, and from now on tells it that the process lives, and when it begins to end. To be called inside
    /// the runtime, when there is a log.
    pub fn find(shutdown: &GatewayShutdown) -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let socket = socket.and_then(|name| match connect(&name) {
            Ok(socket) => Some(Arc::new(socket)),
            Err(error) => {
                tracing::warn!(%error, "NOTIFY_SOCKET: the supervisor cannot be reached");
                None
            }
        });
        let found = Self(socket);
        if found.0.is_some() {
            tokio::spawn(found.clone().say_when_it_ends(shutdown.clone()));
            if let Some(period) = watchdog() {
                tokio::spawn(found.clone().live(period));
            }
        }
        found
    }

    /// Says one thing.
    pub fn tell(&self, state: &str) {
        let Some(socket) = &self.0 else { return };
        if let Err(error) = socket.send(state.as_bytes()) {
            tracing::warn!(%error, state, "the supervisor does not listen");
        }
    }

    async fn say_when_it_ends(self, shutdown: GatewayShutdown) {
        shutdown.begun().await;
        self.tell(STOPPING);
    }

    async fn live(self, period: Duration) {
        let mut half = interval(period / 2);
        loop {
            half.tick().await;
            self.tell(WATCHDOG);
        }
    }
}

/// A path, or after `@` the name of an abstract socket.
fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(TAKEN))?;
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => socket.connect_addr(&abstract_address(name)?)?,
        None => socket.connect(name)?,
    }
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<std::os::unix::net::SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    std::os::unix::net::SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &[u8]) -> io::Result<std::os::unix::net::SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// How long this process may say nothing; none: the supervisor does not watch it.
fn watchdog() -> Option<Duration> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    if number("WATCHDOG_PID").is_some_and(|pid| pid != u64::from(process::id())) {
        return None;
    }
    number("WATCHDOG_USEC")
        .filter(|period| *period > 1)
        .map(Duration::from_micros)
}
