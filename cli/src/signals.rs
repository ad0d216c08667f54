//! The signals of the commands that serve: `gateway run` and `demo`.
//!
//! | signal | does |
//! | --- | --- |
//! | SIGTERM, SIGINT (Ctrl-C) | the first begins the drain, or ends a start; the second ends the process |
//! | SIGHUP | the gateway reads its configuration again; while it starts, once it serves |
//!
//! They are handled before anything else is done. The first process of a container (PID 1) has no
//! default actions: a signal that nobody handles is lost there.

use gateway::{GatewayShutdown, ReloadRequests};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::CommandFailure;

/// What the signals ask for.
#[derive(Default)]
pub struct SignalRequests {
    pub shutdown: GatewayShutdown,
    pub reloads: ReloadRequests,
}

/// Handles them from now on. To be called inside the runtime.
pub fn handle() -> Result<SignalRequests, CommandFailure> {
    let requests = SignalRequests::default();
    pass_to(&requests.shutdown)?;
    let mut hangup = listen(SignalKind::hangup())?;
    let reloads = requests.reloads.clone();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reloads.request();
        }
    });
    Ok(requests)
}

/// Lets the signals from now on end this too.
pub fn pass_to(shutdown: &GatewayShutdown) -> Result<(), CommandFailure> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let begins = shutdown.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => begins.begin(),
                _ = interrupt.recv() => begins.begin(),
            }
        }
    });
    Ok(())
}

fn listen(kind: SignalKind) -> Result<Signal, CommandFailure> {
    signal(kind).map_err(|error| CommandFailure::failed("signals", error))
}
