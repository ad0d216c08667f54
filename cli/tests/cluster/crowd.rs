//! Thousands of bots, a socket each, and those who watch them come and go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fixtures::{DEADLINE, pass_until};
use futures_util::StreamExt;
use futures_util::stream::{self};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::socket::{Closed, Socket};

/// Sockets that are opened at once; a node turns away more than 256 handshakes of one address.
const AT_ONCE: usize = 64;
/// Over how long those who lost their node come back, as the crate `client` does at first.
const COME_BACK: Duration = Duration::from_secs(1);

/// A bot of the crowd: which tenant's, which of that tenant.
pub type Bot = (usize, usize);

pub fn tenant(number: usize) -> String {
    format!("tenant-{number}")
}

pub fn name(bot: Bot) -> String {
    format!("bot-{}", bot.1)
}

/// Something that happened to a bot.
#[derive(Debug)]
pub struct Told {
    pub bot: Bot,
    pub at: Instant,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    /// Its socket holds it, on this node.
    Registered { node: usize },
    /// Its socket lost it to another.
    Replaced,
    /// Its socket was closed.
    Closed(Closed),
    /// It got a message.
    Message,
    /// A watcher on this node was told that it is online, or not.
    Seen { node: usize, online: bool },
}

/// What the crowd does when its node goes.
#[derive(Clone, Copy)]
pub struct ComeBack {
    /// Bots of each tenant that come back, from the first.
    pub bots: usize,
    /// Nodes that they come back to.
    pub nodes: [usize; 2],
}

/// All sockets of it; dropped, they are closed.
pub struct Crowd {
    told: UnboundedReceiver<Told>,
    sender: UnboundedSender<Told>,
    tasks: JoinSet<()>,
    /// Everything told so far, in order.
    pub story: Vec<Told>,
}

impl Crowd {
    /// Registers `bots` bots of each of `tenants` tenants on a node, a socket each.
    pub async fn gather(
        cluster: &Cluster,
        node: usize,
        (tenants, bots): (usize, usize),
        come_back: Option<ComeBack>,
    ) -> Self {
        let (sender, told) = unbounded_channel();
        let mut crowd = Self {
            told,
            sender,
            tasks: JoinSet::new(),
            story: Vec::new(),
        };
        let everyone = (0..tenants).flat_map(|tenant| (0..bots).map(move |bot| (tenant, bot)));
        let everyone: Vec<Bot> = everyone.collect();
        let opened = stream::iter(&everyone).map(|bot| async move {
            let socket = cluster.bot(node, &tenant(bot.0), &name(*bot)).await;
            (*bot, socket)
        });
        let opened: Vec<_> = opened.buffer_unordered(AT_ONCE).collect().await;
        let addresses: Vec<String> = cluster.nodes.iter().map(|n| n.public.clone()).collect();
        for (bot, socket) in opened {
            let come_back = come_back.filter(|back| bot.1 < back.bots);
            let life = Life {
                bot,
                told: crowd.sender.clone(),
                key: cluster.key(&tenant(bot.0)),
                addresses: addresses.clone(),
                come_back,
            };
            crowd.tasks.spawn(life.run(socket));
        }
        crowd
    }

    /// Watches the bots of every tenant from a node.
    pub async fn watch_from(&mut self, cluster: &Cluster, node: usize, tenants: usize) {
        for number in 0..tenants {
            let socket = cluster.socket(node, &tenant(number), "watcher").await;
            self.tasks
                .spawn(watch(socket, node, number, self.sender.clone()));
        }
    }

    /// Takes what is told until it is enough. `what`: for the message if it never is.
    pub async fn until(&mut self, what: &str, mut is_enough: impl FnMut(&[Told]) -> bool) {
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

    /// For each bot, the first time since `since` that this was told of it.
    pub fn first(&self, since: Instant, is_it: impl Fn(&What) -> bool) -> BTreeMap<Bot, Instant> {
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
struct Life {
    bot: Bot,
    told: UnboundedSender<Told>,
    key: String,
    addresses: Vec<String>,
    come_back: Option<ComeBack>,
}

impl Life {
    async fn run(self, mut socket: Socket) {
        loop {
            let code = self.serve(&mut socket).await;
            self.tell(What::Closed(code));
            let Some(back) = self.come_back.filter(|_| code == 1006) else {
                return;
            };
            socket = self.again(back).await;
        }
    }

    /// Reads until the socket is closed.
    async fn serve(&self, socket: &mut Socket) -> Closed {
        loop {
            let frame = match socket.next().await {
                Ok(frame) => frame,
                Err(code) => return code,
            };
            match frame["type"].as_str() {
                Some("message") => self.tell(What::Message),
                Some("bot_unregistered") => self.tell(What::Replaced),
                Some(_) | None => {}
            }
        }
    }

    /// Comes back to one of the other nodes, as often as it takes.
    async fn again(&self, back: ComeBack) -> Socket {
        let client = format!("{}-process", name(self.bot));
        loop {
            pass_until(Instant::now() + COME_BACK.mul_f64(fastrand::f64())).await;
            let node = back.nodes[fastrand::usize(..back.nodes.len())];
            let Ok(mut socket) = Socket::connect(&self.addresses[node], &self.key, &client).await
            else {
                continue;
            };
            let asked = socket.try_ask("register_bot", json!({"botId": name(self.bot)}));
            if asked
                .await
                .is_ok_and(|answer| answer["type"] == "bot_registered")
            {
                self.tell(What::Registered { node });
                return socket;
            }
        }
    }

    fn tell(&self, what: What) {
        let (bot, at) = (self.bot, Instant::now());
        // Nobody listens any more at the end of the case.
        let _ = self.told.send(Told { bot, at, what });
    }
}

async fn watch(mut socket: Socket, node: usize, tenant: usize, told: UnboundedSender<Told>) {
    while let Ok(frame) = socket.next().await {
        if frame["type"] == "bot_status"
            && let Some(bot) = number_of(&frame["data"]["botId"])
        {
            let online = frame["data"]["status"] == "online";
            let (bot, at, what) = ((tenant, bot), Instant::now(), What::Seen { node, online });
            let _ = told.send(Told { bot, at, what });
        }
    }
}

fn number_of(id: &Value) -> Option<usize> {
    id.as_str()?.strip_prefix("bot-")?.parse().ok()
}
