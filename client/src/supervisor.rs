//! Keeps one link up: opens the next when one ends, moves when the gateway says so.
//!
//! ```text
//!           ┌────────── lost: wait (backoff), dial ◀─┐
//!  adopt ───┤                                        │ cannot
//!    ▲      └── migrate: wait (window), dial ────────┘
//!    └── opened: register bots there, publish it, retire the old one
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use protocol::connect::{AuthOk, Migrate};
use protocol::presence::RegisterBot;
use protocol::t2b::frames::{ClientMessage, ServerMessage};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::{RETRIES, RetryBackoff};
use crate::dial::{WatchedSocket, dial};
use crate::error::ClientError;
use crate::events::{ClientEvent, EventSink};
use crate::held_bots::HeldBots;
use crate::link::{GatewayLink, LinkWatchers};
use crate::options::ConnectOptions;
use crate::outlet::LinkHandle;

/// A shorter heartbeat is taken for this: a gateway that says 0 shall not be dialled in a circle.
const HEARTBEAT_MS_MIN: u64 = 10;

/// Where requests go at the moment.
#[derive(Debug, Clone)]
pub(crate) enum LinkState {
    /// Nowhere; they wait.
    Connecting,
    /// To this link.
    Up(LinkHandle),
    /// Nowhere, for good.
    Stopped(ClientError),
}

/// A link as the supervisor sees it.
struct LiveLink {
    outlet: LinkHandle,
    task: JoinHandle<ClientError>,
    migrate: mpsc::Receiver<Migrate>,
    superseded: Arc<AtomicBool>,
    since: Instant,
}

enum NextLink {
    Lost(ClientError),
    Move(Duration),
}

pub(crate) struct LinkSupervisor {
    pub options: ConnectOptions,
    pub events: EventSink,
    pub bots: HeldBots,
    pub state: watch::Sender<LinkState>,
    pub stop: Arc<Notify>,
}

impl LinkSupervisor {
    /// Runs until it is told to stop, all handles are gone, or coming back is of no use.
    pub async fn run(self, first: (WatchedSocket, AuthOk)) {
        let stop = Arc::clone(&self.stop);
        let mut current = None;
        let error = tokio::select! {
            error = self.keep_up(first, &mut current) => error,
            () = stop.notified() => ClientError::Stopped,
            () = self.state.closed() => ClientError::Stopped,
        };
        self.state.send_replace(LinkState::Stopped(error.clone()));
        if let Some(live) = current {
            live.outlet.retire().await;
            let _ = live.task.await;
        }
        self.events.push(ClientEvent::Disconnected {
            error,
            retry_in: None,
        });
    }

    /// `current` is the link that is up, for whoever cancels this.
    async fn keep_up(
        &self,
        first: (WatchedSocket, AuthOk),
        current: &mut Option<LiveLink>,
    ) -> ClientError {
        let mut backoff = RetryBackoff::default();
        let mut opened = first;
        loop {
            self.adopt(opened, current).await;
            let Some(live) = current.as_mut() else {
                return ClientError::Stopped;
            };
            let moved = match next(live).await {
                NextLink::Lost(error) => Err(error),
                NextLink::Move(window) => {
                    let wait = window.mul_f64(fastrand::f64());
                    tokio::select! {
                        moved = self.dial_until_up(wait, &mut backoff) => moved,
                        lost = &mut live.task => Err(lost.unwrap_or(ClientError::Lost)),
                    }
                }
            };
            opened = match moved {
                Ok(opened) => opened,
                Err(error) => {
                    let up = current
                        .take()
                        .map_or(Duration::ZERO, |live| live.since.elapsed());
                    if error.stops() {
                        return error;
                    }
                    self.state.send_replace(LinkState::Connecting);
                    let wait = backoff.after_link(&error, up, fastrand::f64());
                    self.say_lost(error, wait);
                    match self.dial_until_up(wait, &mut backoff).await {
                        Ok(opened) => opened,
                        Err(error) => return error,
                    }
                }
            };
        }
    }

    fn say_lost(&self, error: ClientError, wait: Duration) {
        self.events.push(ClientEvent::Disconnected {
            error,
            retry_in: Some(wait),
        });
    }

    /// Errors: only those after which trying again is of no use.
    async fn dial_until_up(
        &self,
        mut wait: Duration,
        backoff: &mut RetryBackoff,
    ) -> Result<(WatchedSocket, AuthOk), ClientError> {
        loop {
            sleep(wait).await;
            let error = match dial(&self.options).await {
                Ok(opened) => return Ok(opened),
                Err(error) if error.stops() => return Err(error),
                Err(error) => error,
            };
            wait = backoff.after(&error, fastrand::f64());
            self.say_lost(error, wait);
        }
    }

    /// Makes an opened connection the current link: its bots first, so that nobody is refused.
    async fn adopt(&self, (socket, auth): (WatchedSocket, AuthOk), current: &mut Option<LiveLink>) {
        let (outlet, inbox) = LinkHandle::new(auth.limits.frame_bytes as usize);
        let (migrate_tx, migrate) = mpsc::channel(1);
        let superseded = Arc::new(AtomicBool::new(false));
        let watchers = LinkWatchers {
            events: self.events.clone(),
            bots: self.bots.clone(),
            migrate: migrate_tx,
            superseded: Arc::clone(&superseded),
        };
        let heartbeat = Duration::from_millis(auth.heartbeat_ms.max(HEARTBEAT_MS_MIN));
        let link = GatewayLink::new(socket, heartbeat, watchers);
        let live = LiveLink {
            outlet,
            task: tokio::spawn(link.run(inbox)),
            migrate,
            superseded,
            since: Instant::now(),
        };
        let old = current.replace(live);
        self.events.push(ClientEvent::Connected(Box::new(auth)));
        if let Some(old) = &old {
            old.superseded.store(true, Ordering::Relaxed);
        }
        if let Some(live) = current {
            self.register_bots(live).await;
            self.state.send_replace(LinkState::Up(live.outlet.clone()));
        }
        if let Some(old) = old {
            old.outlet.retire().await;
        }
    }

    async fn register_bots(&self, live: &LiveLink) {
        for bot in self.bots.all() {
            self.register_again(live, bot).await;
        }
    }

    /// A refusal that may pass is waited out: a gateway that restarts refuses many at once.
    async fn register_again(&self, live: &LiveLink, bot: RegisterBot) {
        let mut backoff = RetryBackoff::default();
        for tries_left in (0..=RETRIES).rev() {
            let registering = live.outlet.ask(ClientMessage::RegisterBot(bot.clone()));
            match timeout(self.options.timeout, registering).await {
                Ok(Ok(ServerMessage::BotRegistered(data))) => {
                    return self.events.push(ClientEvent::Registered(data));
                }
                Ok(Err(error @ ClientError::Refused(_))) if error.retryable() && tries_left > 0 => {
                    sleep(backoff.after(&error, fastrand::f64())).await;
                }
                // Also what ended the connection would end the next: nothing else is in flight here.
                Ok(Err(error))
                    if matches!(error, ClientError::Refused(_)) || error.forbids_repetition() =>
                {
                    let bot_id = bot.bot_id;
                    self.bots.forget(&bot_id);
                    return self
                        .events
                        .push(ClientEvent::RegisterFailed { bot_id, error });
                }
                // The link is ending; the next one tries again.
                Ok(Ok(_) | Err(_)) | Err(_) => return,
            }
        }
    }
}

async fn next(live: &mut LiveLink) -> NextLink {
    tokio::select! {
        error = &mut live.task => NextLink::Lost(error.unwrap_or(ClientError::Lost)),
        Some(migrate) = live.migrate.recv() => {
            NextLink::Move(Duration::from_millis(migrate.reconnect_within_ms))
        }
    }
}
