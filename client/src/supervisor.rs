//! Keeps one link up: opens the next when one ends, moves when the gateway says so.
//!
//! ```text
//!           ┌────────── lost: wait (backoff), dial ◀─┐
//!  adopt ───┤                                        │ cannot
//!    ▲      └── migrate: wait (window), dial ────────┘
//!    └── opened: register bots there, publish it, retire the old one
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::connect::{AuthOk, Migrate};
use protocol::presence::RegisterBot;
use protocol::t2b::frames::{ClientMessage, ServerMessage};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::Backoff;
use crate::dial::{Socket, dial};
use crate::error::Error;
use crate::events::{Event, Sink};
use crate::link::{Link, Watchers};
use crate::options::Options;
use crate::outlet::Outlet;
use crate::requests::RETRIES;

/// A shorter heartbeat is taken for this: a gateway that says 0 shall not be dialled in a circle.
const HEARTBEAT_MS_MIN: u64 = 10;

/// Where requests go at the moment.
#[derive(Debug, Clone)]
pub(crate) enum State {
    /// Nowhere; they wait.
    Connecting,
    /// To this link.
    Up(Outlet),
    /// Nowhere, for good.
    Stopped(Error),
}

/// The bots that are registered anew on every connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bots(Arc<Mutex<BTreeMap<String, RegisterBot>>>);

impl Bots {
    fn with<T>(&self, use_them: impl FnOnce(&mut BTreeMap<String, RegisterBot>) -> T) -> T {
        use_them(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn remember(&self, bot: RegisterBot) {
        self.with(|bots| bots.insert(bot.bot_id.clone(), bot));
    }

    pub fn forget(&self, bot_id: &str) {
        self.with(|bots| bots.remove(bot_id));
    }

    pub fn holds(&self, bot_id: &str) -> bool {
        self.with(|bots| bots.contains_key(bot_id))
    }

    fn all(&self) -> Vec<RegisterBot> {
        self.with(|bots| bots.values().cloned().collect())
    }
}

/// A link as the supervisor sees it.
struct Live {
    outlet: Outlet,
    task: JoinHandle<Error>,
    migrate: mpsc::Receiver<Migrate>,
    superseded: Arc<AtomicBool>,
    since: Instant,
}

enum Next {
    Lost(Error),
    Move(Duration),
}

pub(crate) struct Supervisor {
    pub options: Options,
    pub events: Sink,
    pub bots: Bots,
    pub state: watch::Sender<State>,
    pub stop: Arc<Notify>,
}

impl Supervisor {
    /// Runs until it is told to stop, all handles are gone, or coming back is of no use.
    pub async fn run(self, first: (Socket, AuthOk)) {
        let stop = Arc::clone(&self.stop);
        let mut current = None;
        let error = tokio::select! {
            error = self.keep_up(first, &mut current) => error,
            () = stop.notified() => Error::Stopped,
            () = self.state.closed() => Error::Stopped,
        };
        self.state.send_replace(State::Stopped(error.clone()));
        if let Some(live) = current {
            live.outlet.retire().await;
            let _ = live.task.await;
        }
        self.events.push(Event::Disconnected {
            error,
            retry_in: None,
        });
    }

    /// `current` is the link that is up, for whoever cancels this.
    async fn keep_up(&self, first: (Socket, AuthOk), current: &mut Option<Live>) -> Error {
        let mut backoff = Backoff::default();
        let mut opened = first;
        loop {
            self.adopt(opened, current).await;
            let Some(live) = current.as_mut() else {
                return Error::Stopped;
            };
            let moved = match next(live).await {
                Next::Lost(error) => Err(error),
                Next::Move(window) => {
                    let wait = window.mul_f64(fastrand::f64());
                    tokio::select! {
                        moved = self.dial_until_up(wait, &mut backoff) => moved,
                        lost = &mut live.task => Err(lost.unwrap_or(Error::Lost)),
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
                    self.state.send_replace(State::Connecting);
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

    fn say_lost(&self, error: Error, wait: Duration) {
        self.events.push(Event::Disconnected {
            error,
            retry_in: Some(wait),
        });
    }

    /// Errors: only those after which trying again is of no use.
    async fn dial_until_up(
        &self,
        mut wait: Duration,
        backoff: &mut Backoff,
    ) -> Result<(Socket, AuthOk), Error> {
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
    async fn adopt(&self, (socket, auth): (Socket, AuthOk), current: &mut Option<Live>) {
        let (outlet, inbox) = Outlet::new(auth.limits.frame_bytes as usize);
        let (migrate_tx, migrate) = mpsc::channel(1);
        let superseded = Arc::new(AtomicBool::new(false));
        let watchers = Watchers {
            events: self.events.clone(),
            bots: self.bots.clone(),
            migrate: migrate_tx,
            superseded: Arc::clone(&superseded),
        };
        let heartbeat = Duration::from_millis(auth.heartbeat_ms.max(HEARTBEAT_MS_MIN));
        let link = Link::new(socket, heartbeat, watchers);
        let live = Live {
            outlet,
            task: tokio::spawn(link.run(inbox)),
            migrate,
            superseded,
            since: Instant::now(),
        };
        let old = current.replace(live);
        self.events.push(Event::Connected(Box::new(auth)));
        if let Some(old) = &old {
            old.superseded.store(true, Ordering::Relaxed);
        }
        if let Some(live) = current {
            self.register_bots(live).await;
            self.state.send_replace(State::Up(live.outlet.clone()));
        }
        if let Some(old) = old {
            old.outlet.retire().await;
        }
    }

    async fn register_bots(&self, live: &Live) {
        for bot in self.bots.all() {
            self.register_again(live, bot).await;
        }
    }

    /// A refusal that may pass is waited out: a gateway that restarts refuses many at once.
    async fn register_again(&self, live: &Live, bot: RegisterBot) {
        let mut backoff = Backoff::default();
        for tries_left in (0..=RETRIES).rev() {
            let registering = live.outlet.ask(ClientMessage::RegisterBot(bot.clone()));
            match timeout(self.options.timeout, registering).await {
                Ok(Ok(ServerMessage::BotRegistered(data))) => {
                    return self.events.push(Event::Registered(data));
                }
                Ok(Err(error @ Error::Refused(_))) if error.retryable() && tries_left > 0 => {
                    sleep(backoff.after(&error, fastrand::f64())).await;
                }
                // Also what ended the connection would end the next: nothing else is in flight here.
                Ok(Err(error))
                    if matches!(error, Error::Refused(_)) || error.forbids_repetition() =>
                {
                    let bot_id = bot.bot_id;
                    self.bots.forget(&bot_id);
                    return self.events.push(Event::RegisterFailed { bot_id, error });
                }
                // The link is ending; the next one tries again.
                Ok(Ok(_) | Err(_)) | Err(_) => return,
            }
        }
    }
}

async fn next(live: &mut Live) -> Next {
    tokio::select! {
        error = &mut live.task => Next::Lost(error.unwrap_or(Error::Lost)),
        Some(migrate) = live.migrate.recv() => {
            Next::Move(Duration::from_millis(migrate.reconnect_within_ms))
        }
    }
}
