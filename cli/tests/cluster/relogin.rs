//! People who come back after every close, and what they noticed: for rolling restarts under load.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fixtures::pass_until;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::socket::{TestSocket, outcome_of, text_of};

/// How long a sender rests after an answer that is no delivery, and after a refused connection.
const REST: Duration = Duration::from_millis(20);
/// How long a bot listens to its former socket: what was queued there comes within this.
const FAREWELL: Duration = Duration::from_secs(5);

/// What everybody shares.
#[derive(Default)]
struct TrafficLedger {
    /// Message ids that a bot has read.
    arrived: BTreeSet<String>,
    /// Message ids that were answered `delivered` or `duplicate`.
    delivered: BTreeSet<String>,
    /// Close codes, greetings included.
    closes: BTreeMap<u16, usize>,
    /// Answers that are neither.
    refusals: BTreeMap<String, usize>,
    /// Longest time from one delivery of a sender to its next.
    pause: Duration,
}

/// Where everybody connects, with which key.
#[derive(Clone)]
struct ConnectTarget {
    addresses: Vec<String>,
    key: String,
    ends: bool,
}

/// A bot and a sender for each node; each sender writes to all bots in turn.
pub struct RotatingTraffic {
    place: watch::Sender<ConnectTarget>,
    ledger: Arc<Mutex<TrafficLedger>>,
    senders: JoinSet<()>,
    bots: JoinSet<()>,
}

/// What became of everything.
pub struct TrafficOutcome {
    delivered: usize,
    /// Answered `delivered`, and no bot has read it.
    pub lost: usize,
    pub closes: BTreeMap<u16, usize>,
    refusals: BTreeMap<String, usize>,
    /// Longest time from one delivery of a sender to its next.
    pub pause: Duration,
}

impl fmt::Display for TrafficOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            delivered,
            lost,
            closes,
            refusals,
            pause,
        } = self;
        write!(
            f,
            "{delivered} messages delivered, {lost} lost; closes {closes:?}; repeated after {refusals:?}; longest pause of a sender {} ms",
            pause.as_millis()
        )
    }
}

impl RotatingTraffic {
    /// Starts all of them.
    pub fn start(addresses: Vec<String>, key: String) -> Self {
        let count = addresses.len();
        let place = ConnectTarget {
            addresses,
            key,
            ends: false,
        };
        let (place, _) = watch::channel(place);
        let ledger = Arc::new(Mutex::new(TrafficLedger::default()));
        let (mut senders, mut bots) = (JoinSet::new(), JoinSet::new());
        for number in 0..count {
            bots.spawn(hold(number, place.subscribe(), ledger.clone()));
            senders.spawn(send(number, place.subscribe(), ledger.clone()));
        }
        Self {
            place,
            ledger,
            senders,
            bots,
        }
    }

    /// How many messages were delivered so far.
    pub fn delivered(&self) -> usize {
        self.ledger.lock().unwrap().delivered.len()
    }

    /// A node listens elsewhere now. Nobody moves for it.
    pub fn moved(&self, node: usize, address: &str) {
        self.place.send_if_modified(|place| {
            place.addresses[node] = address.to_owned();
            false
        });
    }

    /// Everybody gets a new key and connects anew with it.
    pub fn renew(&self, key: String) {
        self.place.send_modify(|place| place.key = key);
    }

    /// Lets the senders finish what they have begun, then the bots.
    pub async fn stop(mut self) -> TrafficOutcome {
        self.place.send_modify(|place| place.ends = true);
        while let Some(ended) = self.senders.join_next().await {
            ended.unwrap();
        }
        while let Some(ended) = self.bots.join_next().await {
            ended.unwrap();
        }
        let ledger = self.ledger.lock().unwrap();
        TrafficOutcome {
            delivered: ledger.delivered.len(),
            lost: ledger.delivered.difference(&ledger.arrived).count(),
            closes: ledger.closes.clone(),
            refusals: ledger.refusals.clone(),
            pause: ledger.pause,
        }
    }
}

fn bot(number: usize) -> String {
    format!("bot-{number}")
}

async fn rest() {
    pass_until(Instant::now() + REST).await;
}

/// Connects to the node with this number, or to the next that takes it.
async fn connect(
    number: usize,
    client: &str,
    place: &mut watch::Receiver<ConnectTarget>,
    ledger: &Mutex<TrafficLedger>,
) -> TestSocket {
    for attempt in number.. {
        let ConnectTarget { addresses, key, .. } = place.borrow_and_update().clone();
        let address = &addresses[attempt % addresses.len()];
        match TestSocket::connect(address, &key, client).await {
            Ok(socket) => return socket,
            // Nobody listens there.
            Err(1006) => {}
            Err(code) => note_close(ledger, code),
        }
        rest().await;
    }
    unreachable!("it tries for ever")
}

fn note_close(ledger: &Mutex<TrafficLedger>, code: u16) {
    *ledger.lock().unwrap().closes.entry(code).or_default() += 1;
}

/// Writes one message after the other, each again until it is delivered.
async fn send(
    number: usize,
    mut place: watch::Receiver<ConnectTarget>,
    ledger: Arc<Mutex<TrafficLedger>>,
) {
    let client = format!("sender-{number}");
    let mut socket = connect(number, &client, &mut place, &ledger).await;
    let mut last = Instant::now();
    for count in 0_usize.. {
        if place.borrow().ends {
            return;
        }
        let id = format!("{number}-{count}");
        loop {
            if place.has_changed().unwrap_or(false) && !place.borrow().ends {
                socket = connect(number, &client, &mut place, &ledger).await;
            }
            let data = json!({"to": bot(count % 3), "text": "x", "messageId": id});
            let answer = match socket.try_ask("message", data).await {
                Ok(answer) => outcome_of(&answer),
                Err(code) => {
                    note_close(&ledger, code);
                    socket = connect(number, &client, &mut place, &ledger).await;
                    continue;
                }
            };
            if answer == "delivered" || answer == "duplicate" {
                break;
            }
            *ledger.lock().unwrap().refusals.entry(answer).or_default() += 1;
            rest().await;
        }
        let mut ledger = ledger.lock().unwrap();
        ledger.delivered.insert(id);
        ledger.pause = ledger.pause.max(last.elapsed());
        last = Instant::now();
    }
}

/// Holds a bot and reads what it gets.
async fn hold(
    number: usize,
    mut place: watch::Receiver<ConnectTarget>,
    ledger: Arc<Mutex<TrafficLedger>>,
) {
    let client = format!("{}-process", bot(number));
    let mut socket = register(number, &client, &mut place, &ledger).await;
    loop {
        // Both may be cancelled: what they have not given stays where it is.
        let frame = tokio::select! {
            frame = socket.next() => frame,
            _ = place.changed() => {
                if place.borrow().ends {
                    return read_rest(socket, Duration::from_millis(500), &ledger).await;
                }
                // The new socket takes the bot; the old one still has what came before.
                let newer = register(number, &client, &mut place, &ledger).await;
                read_rest(std::mem::replace(&mut socket, newer), FAREWELL, &ledger).await;
                continue;
            }
        };
        match frame {
            Ok(frame) => note_arrival(&ledger, &frame),
            Err(code) => {
                note_close(&ledger, code);
                socket = register(number, &client, &mut place, &ledger).await;
            }
        }
    }
}

/// A socket that holds the bot.
async fn register(
    number: usize,
    client: &str,
    place: &mut watch::Receiver<ConnectTarget>,
    ledger: &Mutex<TrafficLedger>,
) -> TestSocket {
    loop {
        let mut socket = connect(number, client, place, ledger).await;
        let asked = socket.try_ask("register_bot", json!({"botId": bot(number)}));
        match asked.await {
            Ok(answer) if answer["type"] == "bot_registered" => return socket,
            Ok(answer) => {
                let reason = outcome_of(&answer);
                *ledger.lock().unwrap().refusals.entry(reason).or_default() += 1;
            }
            Err(code) => note_close(ledger, code),
        }
        rest().await;
    }
}

/// Reads until it is closed, or nothing comes for so long.
async fn read_rest(mut socket: TestSocket, quiet: Duration, ledger: &Mutex<TrafficLedger>) {
    while let Ok(Ok(frame)) = timeout(quiet, socket.next()).await {
        note_arrival(ledger, &frame);
    }
}

fn note_arrival(ledger: &Mutex<TrafficLedger>, frame: &serde_json::Value) {
    if frame["type"] == "message" {
        let id = text_of(&frame["data"]["messageId"]);
        ledger.lock().unwrap().arrived.insert(id);
    }
}
