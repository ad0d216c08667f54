//! Thousands of bots, a socket each, and those who watch them come and go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fixtures::{DEADLINE, MeasuredTimes, pass_until};
use futures_util::StreamExt;
use futures_util::stream::{self};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::cluster::TestCluster;
use crate::socket::{CloseStatus, TestSocket};

/// Sockets that are opened at once; a node turns away more than 256 handshakes of one address.
const AT_ONCE: usize = 64;
/// Over how long those who lost their node come back, as the crate `client` does at first.
const COME_BACK: Duration = Duration::from_secs(1);

/// A bot of the group: which tenant's, which of that tenant.
pub type GroupBot = (usize, usize);

pub fn tenant(number: usize) -> String {
    format!("tenant-{number}")
}

pub fn name(bot: GroupBot) -> String {
    format!("bot-{}", bot.1)
}

/// Something that happened to a bot.
#[derive(Debug)]
pub struct BotEvent {
    pub bot: GroupBot,
    pub at: Instant,
    pub what: EventKind,
}

#[derive(Debug)]
pub enum EventKind {
    /// Its socket holds it, on this node.
    Registered { node: usize },
    /// Its socket lost it to another.
    Replaced,
    /// Its socket was closed.
    Closed(CloseStatus),
    /// It got a message.
    Message,
    /// A watcher on this node was told that it is online, or not.
    Seen { node: usize, online: bool },
}

/// What the group does when its node goes.
#[derive(Clone, Copy)]
pub struct ComeBack {
    /// Bots of each tenant that come back, from the first.
    pub bots: usize,
    /// Nodes that they come back to.
    pub nodes: [usize; 2],
}

/// All sockets of it; dropped, they are closed.
pub struct BotGroup {
    told: UnboundedReceiver<BotEvent>,
    sender: UnboundedSender<BotEvent>,
    tasks: JoinSet<()>,
    bots: Vec<GroupBot>,
    /// Everything told so far, in order.
    pub story: Vec<BotEvent>,
}

impl BotGroup {
    /// Registers `bots` bots of each of `tenants` tenants on a node, a socket each.
    pub async fn gather(
        cluster: &TestCluster,
        node: usize,
        (tenants, bots): (usize, usize),
        come_back: Option<ComeBack>,
    ) -> Self {
        let (sender, told) = unbounded_channel();
        let mut group = Self {
            told,
            sender,
            tasks: JoinSet::new(),
            bots: (0..tenants)
                .flat_map(|tenant| (0..bots).map(move |bot| (tenant, bot)))
                .collect(),
            story: Vec::new(),
        };
        let opened = stream::iter(&group.bots).map(|bot| async move {
            let socket = cluster.bot(node, &tenant(bot.0), &name(*bot)).await;
            (*bot, socket)
        });
        let opened: Vec<_> = opened.buffer_unordered(AT_ONCE).collect().await;
        let addresses: Vec<String> = cluster.nodes.iter().map(|n| n.public.clone()).collect();
        for (bot, socket) in opened {
            let come_back = come_back.filter(|back| bot.1 < back.bots);
            let life = BotTask {
                bot,
                told: group.sender.clone(),
                key: cluster.key(&tenant(bot.0)),
                addresses: addresses.clone(),
                come_back,
            };
            group.tasks.spawn(life.run(socket));
        }
        group
    }

    /// Watches the bots of every tenant from a node.
    pub async fn watch_from(&mut self, cluster: &TestCluster, node: usize, tenants: usize) {
        for number in 0..tenants {
            let socket = cluster.socket(node, &tenant(number), "watcher").await;
            self.tasks
                .spawn(watch(socket, node, number, self.sender.clone()));
        }
    }

    /// Takes what is told until it is enough. `what`: for the message if it never is.
    pub async fn until(&mut self, what: &str, mut is_enough: impl FnMut(&[BotEvent]) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_enough(&self.story) {
            let left = deadline.saturating_duration_since(Instant::now());
            let next = timeout(left, self.told.recv()).await;
            let Ok(told) = next else {
                panic!("still not so that {what}; {} were told", self.story.len());
            };
            self.story.push(told.expect("it has a sender itself"));
            while let Ok(told) = self.told.try_recv() {
                self.story.push(told);
            }
        }
    }

    /// Waits until the watchers on these nodes were told of every bot that passes that it is online, or
    /// offline; how long after `since` each was told.
    pub async fn seen(
        &mut self,
        watchers: [usize; 2],
        since: Instant,
        is_online: bool,
        passes: &dyn Fn(&GroupBot) -> bool,
    ) -> MeasuredTimes {
        let bots = self.bots.iter().filter(|bot| passes(bot)).count();
        let mut times = MeasuredTimes::default();
        for watcher in watchers {
            let is_it = |what: &EventKind| matches!(what, EventKind::Seen { node, online } if *node == watcher && *online == is_online);
            let what = format!("node {watcher} sees {bots} bots, online: {is_online}");
            self.until(&what, |story| {
                let told = story.iter();
                let told = told.filter(|told| told.at >= since && passes(&told.bot));
                told.filter(|told| is_it(&told.what)).count() >= bots
            })
            .await;
            let seen = self.first(since, is_it).into_iter();
            let seen = seen.filter(|(bot, _)| passes(bot));
            seen.for_each(|(_, at)| times.push(at - since));
        }
        times
    }

    /// For each bot, the first time since `since` that this was told of it.
    pub fn first(
        &self,
        since: Instant,
        is_it: impl Fn(&EventKind) -> bool,
    ) -> BTreeMap<GroupBot, Instant> {
        let mut first = BTreeMap::new();
        for told in &self.story {
            if told.at >= since && is_it(&told.what) {
                first.entry(told.bot).or_insert(told.at);
            }
        }
        first
    }
}

/// One bot's process.
struct BotTask {
    bot: GroupBot,
    told: UnboundedSender<BotEvent>,
    key: String,
    addresses: Vec<String>,
    come_back: Option<ComeBack>,
}

impl BotTask {
    async fn run(self, mut socket: TestSocket) {
        loop {
            let code = self.serve(&mut socket).await;
            self.tell(EventKind::Closed(code));
            let Some(back) = self.come_back.filter(|_| code == 1006) else {
                return;
            };
            socket = self.again(back).await;
        }
    }

    /// Reads until the socket is closed.
    async fn serve(&self, socket: &mut TestSocket) -> CloseStatus {
        loop {
            let frame = match socket.next().await {
                Ok(frame) => frame,
                Err(code) => return code,
            };
            match frame["type"].as_str() {
                Some("message") => self.tell(EventKind::Message),
                Some("bot_unregistered") => self.tell(EventKind::Replaced),
                Some(_) | None => {}
            }
        }
    }

    /// Comes back to one of the other nodes, as often as it takes.
    async fn again(&self, back: ComeBack) -> TestSocket {
        let client = format!("{}-process", name(self.bot));
        loop {
            pass_until(Instant::now() + COME_BACK.mul_f64(fastrand::f64())).await;
            let node = back.nodes[fastrand::usize(..back.nodes.len())];
            let Ok(mut socket) =
                TestSocket::connect(&self.addresses[node], &self.key, &client).await
            else {
                continue;
            };
            let asked = socket.try_ask("register_bot", json!({"botId": name(self.bot)}));
            if asked
                .await
                .is_ok_and(|answer| answer["type"] == "bot_registered")
            {
                self.tell(EventKind::Registered { node });
                return socket;
            }
        }
    }

    fn tell(&self, what: EventKind) {
        let (bot, at) = (self.bot, Instant::now());
        // Nobody listens any more at the end of the case.
        let _ = self.told.send(BotEvent { bot, at, what });
    }
}

async fn watch(
    mut socket: TestSocket,
    node: usize,
    tenant: usize,
    told: UnboundedSender<BotEvent>,
) {
    while let Ok(frame) = socket.next().await {
        if frame["type"] == "bot_status"
            && let Some(bot) = number_of(&frame["data"]["botId"])
        {
            let online = frame["data"]["status"] == "online";
            let (bot, at, what) = (
                (tenant, bot),
                Instant::now(),
                EventKind::Seen { node, online },
            );
            let _ = told.send(BotEvent { bot, at, what });
        }
    }
}

fn number_of(id: &Value) -> Option<usize> {
    id.as_str()?.strip_prefix("bot-")?.parse().ok()
}
