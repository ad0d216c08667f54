//! The signals of the commands that serve: `gateway run` and `demo`.
//!
//! | signal | does |
//! | --- | --- |
//! | SIGTERM, SIGINT (Ctrl-C) | the first begins the drain, or ends a start; the second ends the process |
//! | SIGHUP | one line of the log: the configuration is not read again |
//!
//! They are handled before anything else is done. The first process of a container (PID 1) has no
//! default actions: a signal that nobody handles is lost there.

use gateway::GatewayShutdown;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::CommandFailure;

/// Handles them from now on. To be called inside the runtime.
pub fn handle() -> Result<GatewayShutdown, CommandFailure> {
    let shutdown = GatewayShutdown::default();
    pass_to(&shutdown)?;
    Ok(shutdown)
}

/// Lets the signals from now on end this too.
pub fn pass_to(shutdown: &GatewayShutdown) -> Result<(), CommandFailure> {
    let listen = |kind| signal(kind).map_err(|error| CommandFailure::failed("signals", error));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut hangup = listen(SignalKind::hangup())?;
    let begins = shutdown.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => begins.begin(),
                _ = interrupt.recv() => begins.begin(),
                _ = hangup.recv() => tracing::warn!(
                    "SIGHUP: the configuration is not read again; restart the gateway to change it"
                ),
            }
        }
    });
    Ok(())
}
