//! Owners who write to their bots through the product's own client, which moves when a node asks it to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client::{Client, ClientEvent, ConnectOptions, EventStream, ProxyRules};
use fixtures::{MeasuredTimes, until};
use protocol::Secret;
use protocol::presence::RegisterBot;
use protocol::t2b::frames::SendMessage;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};

use crate::cluster::TestCluster;

/// The name of each tenant's bot.
const BOT: &str = "bot";

/// How many there are, and how often they write.
#[derive(Clone, Copy)]
pub struct LoadSize {
    /// Each has one bot.
    pub tenants: usize,
    /// Of each tenant.
    pub owners: usize,
    /// Between two messages of an owner.
    pub period: Duration,
}

/// What everybody noticed.
#[derive(Default)]
struct MovingLedger {
    /// How often each message was read by its bot, by id.
    read: BTreeMap<String, u32>,
    /// Messages that were answered `delivered` or `duplicate`.
    delivered: BTreeSet<String>,
    /// Messages that were not, by reason.
    failed: BTreeMap<String, usize>,
    /// When each answer came, and how long it took.
    times: Vec<(Instant, Duration)>,
    /// When each connection after the first was up.
    reconnects: Vec<Instant>,
    /// How often a connection was lost before the next one was up.
    lost_links: usize,
}

/// Owners and bots.
pub struct OwnerTraffic {
    ledger: Arc<Mutex<MovingLedger>>,
    stop: watch::Sender<bool>,
    senders: JoinSet<()>,
    /// They end with this.
    _listeners: JoinSet<()>,
    /// The bots' handles: their connections live as long.
    _bots: Vec<Client>,
}

/// What became of all messages.
pub struct MovingOutcome {
    pub delivered: usize,
    /// Delivered and never read.
    pub lost: usize,
    /// Read twice.
    pub doubled: usize,
    pub failed: BTreeMap<String, usize>,
    pub lost_links: usize,
}

impl OwnerTraffic {
    /// Connects everybody by way of `url`; then all owners write.
    pub async fn start(cluster: &TestCluster, url: &str, size: LoadSize) -> Self {
        let ledger = Arc::<Mutex<MovingLedger>>::default();
        let (stop, stopped) = watch::channel(false);
        let (mut senders, mut listeners) = (JoinSet::new(), JoinSet::new());
        let mut bots = Vec::new();
        for tenant in 0..size.tenants {
            let name = format!("tenant{tenant}");
            let key = cluster.key(&name);
            let (bot, events) = connect(url, &key, "bot_process").await;
            let registration = RegisterBot {
                bot_id: BOT.to_owned(),
                name: None,
                kind: None,
                capabilities: Vec::new(),
                description: None,
                config: None,
                takeover: None,
                instance: None,
                confirm: None,
            };
            bot.register(registration).await.unwrap();
            listeners.spawn(listen(Arc::clone(&ledger), events));
            bots.push(bot);
            for owner in 0..size.owners {
                let (phone, events) = connect(url, &key, &format!("phone_{owner}")).await;
                listeners.spawn(listen(Arc::clone(&ledger), events));
                let (ledger, stopped) = (Arc::clone(&ledger), stopped.clone());
                let id = format!("{name}-{owner}");
                senders.spawn(write(ledger, phone, id, size.period, stopped));
            }
        }
        Self {
            ledger,
            stop,
            senders,
            _listeners: listeners,
            _bots: bots,
        }
    }

    /// How long the answers took that came from then on.
    pub fn times_since(&self, since: Instant) -> MeasuredTimes {
        let ledger = self.ledger.lock().unwrap();
        let times = ledger.times.iter().filter(|(at, _)| *at >= since);
        times.map(|(_, took)| *took).collect()
    }

    /// The most connections that came back within one second, from then on.
    pub fn reconnect_peak(&self, since: Instant) -> usize {
        let ledger = self.ledger.lock().unwrap();
        let mut seconds = BTreeMap::<u64, usize>::new();
        for at in ledger.reconnects.iter().filter(|at| **at >= since) {
            *seconds.entry((*at - since).as_secs()).or_default() += 1;
        }
        seconds.into_values().max().unwrap_or(0)
    }

    /// Ends it, and waits until everything that was delivered is read.
    pub async fn end(mut self) -> MovingOutcome {
        // Before the owners end their own.
        let lost_links = self.ledger.lock().unwrap().lost_links;
        self.stop.send_replace(true);
        while let Some(ended) = self.senders.join_next().await {
            ended.unwrap();
        }
        let ledger = &self.ledger;
        until("everything that was delivered is read", async || {
            ledger.lock().unwrap().unread().is_none().then_some(())
        })
        .await;
        let ledger = self.ledger.lock().unwrap();
        MovingOutcome {
            delivered: ledger.delivered.len(),
            lost: usize::from(ledger.unread().is_some()),
            doubled: ledger.read.values().filter(|times| **times > 1).count(),
            failed: ledger.failed.clone(),
            lost_links,
        }
    }
}

impl MovingLedger {
    /// A message that was delivered and is not read.
    fn unread(&self) -> Option<&String> {
        let mut delivered = self.delivered.iter();
        delivered.find(|id| !self.read.contains_key(*id))
    }
}

async fn connect(url: &str, key: &str, client_id: &str) -> (Client, EventStream) {
    let mut options = ConnectOptions::new(url, Secret::new(key.to_owned()));
    options.client_id = Some(client_id.parse().unwrap());
    options.proxy = ProxyRules::direct();
    Client::connect(options).await.unwrap()
}

/// Notes what a connection is told.
async fn listen(ledger: Arc<Mutex<MovingLedger>>, mut events: EventStream) {
    let mut is_first = true;
    while let Some(event) = events.next().await {
        let mut ledger = ledger.lock().unwrap();
        match event {
            ClientEvent::Connected(_) if std::mem::take(&mut is_first) => {}
            ClientEvent::Connected(_) => ledger.reconnects.push(Instant::now()),
            ClientEvent::Message(message) => {
                let id = message.message_id.as_ref().map(ToString::to_string);
                *ledger.read.entry(id.unwrap_or_default()).or_default() += 1;
            }
            ClientEvent::Disconnected { .. } => ledger.lost_links += 1,
            ClientEvent::Lagged { lost } => panic!("{lost} events are lost"),
            ClientEvent::RegisterFailed { error, .. } => panic!("a bot is lost: {error}"),
            ClientEvent::Bots(_)
            | ClientEvent::Partial(_)
            | ClientEvent::Typing(_)
            | ClientEvent::Unreadable(_)
            | ClientEvent::BotStatus(_)
            | ClientEvent::Registered(_)
            | ClientEvent::Unregistered(_)
            | ClientEvent::Refused(_)
            | ClientEvent::Quota(_)
            | ClientEvent::Migrate(_) => {}
        }
    }
}

/// Writes to the bot, again and again.
async fn write(
    ledger: Arc<Mutex<MovingLedger>>,
    phone: Client,
    name: String,
    period: Duration,
    stopped: watch::Receiver<bool>,
) {
    let first = tokio::time::Instant::now() + period.mul_f64(fastrand::f64());
    let mut ticks = interval_at(first, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0u64.. {
        ticks.tick().await;
        if *stopped.borrow() {
            return;
        }
        let id = format!("{name}-{number}");
        let message = SendMessage {
            to: BOT.to_owned(),
            text: Some("hello".to_owned()),
            message_id: Some(id.clone()),
            ..SendMessage::default()
        };
        let began = Instant::now();
        let answer = phone.send(message).await;
        let mut ledger = ledger.lock().unwrap();
        ledger.times.push((Instant::now(), began.elapsed()));
        match answer {
            Ok(_) => drop(ledger.delivered.insert(id)),
            Err(error) => *ledger.failed.entry(error.reason().to_owned()).or_default() += 1,
        }
    }
}
