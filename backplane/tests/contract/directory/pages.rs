//! Directories that are read in several pages: complete, bounded, and right whatever happens between
//! two pages.

use std::collections::{BTreeMap, BTreeSet};

use backplane::{Backplane, InboundMessage};
use fixtures::RedisServer;
use protocol::{ClientId, ConnectionId};
use router_core::store::{
    BotRecord, ConnRecord, DirectoryChange, DirectoryEvent, DirectoryQuery, DirectoryReply,
    DirectorySnapshot, EntryRelease, HeldEntries, StoreReply, StoreResult,
};
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::harness::{at, connect, request, run, url_of};
use crate::support::store::DEADLINE;
use crate::support::words::{boot, claim, client, forget, load, release};

/// What the limits allow by default.
const CONNS: usize = 10_000;
const CLIENTS: usize = 10_000;

fn conn(number: usize) -> ConnectionId {
    // Not one of those that `words.rs` names.
    ConnectionId::from_ulid(&format!("{:026}", 1000 + number)).unwrap()
}

fn name(number: usize) -> ClientId {
    client(&format!("client-{number}"))
}

/// A node has these connections.
fn conns_of(node: u8, numbers: std::ops::Range<usize>) -> DirectoryQuery {
    let conns = numbers.map(|number| {
        let (boot, client) = (boot(node), name(number));
        (conn(number), ConnRecord { boot, client })
    });
    DirectoryQuery::Assert(Box::new(HeldEntries {
        boot: boot(node),
        bots: vec![],
        conns: conns.collect(),
        generation: 0,
    }))
}

async fn try_ask(
    node: &Backplane,
    now_ms: u64,
    query: DirectoryQuery,
) -> StoreResult<DirectoryReply> {
    let tenant = "alice".parse().unwrap();
    let reply = node.execute(request(&tenant, at(now_ms, query))).await;
    reply.and_then(StoreReply::into_directory)
}

async fn ask(node: &Backplane, now_ms: u64, query: DirectoryQuery) -> DirectoryReply {
    try_ask(node, now_ms, query).await.unwrap()
}

async fn snapshot(node: &Backplane, now_ms: u64, dead: &[u8]) -> DirectorySnapshot {
    let reply = ask(node, now_ms, load(dead)).await;
    let DirectoryReply::Loaded(snapshot) = reply else {
        panic!("{reply:?}");
    };
    *snapshot
}

/// How often a script ran.
fn scripts(redis: &RedisServer) -> u64 {
    let stats = redis.command(&["INFO", "commandstats"]);
    let calls = stats.text().lines().find_map(|line| {
        let rest = line.strip_prefix("cmdstat_evalsha:calls=")?;
        rest.split(',').next()?.parse().ok()
    });
    calls.unwrap_or_default()
}

#[test]
fn the_largest_directory_is_read_in_pages() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    run(async {
        let node = connect(&url_of(&redis)).await;
        for from in (0..CONNS).step_by(1000) {
            let held = conns_of(1 + (from / 1000 % 2) as u8, from..from + 1000);
            assert_eq!(ask(&node, 10, held).await, DirectoryReply::Asserted(vec![]));
        }
        let names: Vec<String> = (0..CLIENTS + 500).map(|n| format!("gone-{n}")).collect();
        for (n, names) in names.chunks(250).enumerate() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            ask(&node, 20 + n as u64, release(200, &[], &names)).await;
        }
        let before = scripts(&redis);
        let all = snapshot(&node, 100, &[]).await;
        let pages = scripts(&redis) - before;
        assert_eq!((all.conns.len(), all.clients.len()), (CONNS, CLIENTS));
        assert!(
            all.clients.iter().all(|(_, seen_ms)| *seen_ms >= 22),
            "the oldest are gone"
        );
        assert!((20..80).contains(&pages), "{pages} pages");

        // A node dies with half of the connections.
        let left = snapshot(&node, 200, &[1]).await;
        assert_eq!(left.conns.len(), CONNS / 2);
        assert_eq!(left.clients.len(), CLIENTS);
        let held = conns_of(1, 0..1000);
        assert_eq!(
            ask(&node, 210, held).await,
            DirectoryReply::Asserted(vec![])
        );
        let dead = [boot(1), boot(2)].into();
        assert_eq!(
            ask(&node, 220, DirectoryQuery::Reap { dead }).await,
            DirectoryReply::Done
        );
        assert_eq!(snapshot(&node, 230, &[]).await.conns, []);
        let slow = redis.command(&["SLOWLOG", "GET", "3"]);
        println!("slowest calls: {slow:?}");
    });
}

#[test]
fn client_ids_of_an_older_version_are_taken_over() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    run(async {
        let node = connect(&url_of(&redis)).await;
        ask(&node, 10, claim("bot", 1)).await;
        let names: Vec<String> = (0..65_536).map(|n| format!("s:c{n}")).collect();
        for names in names.chunks(1000) {
            let fields = names.iter().flat_map(|name| [name.as_str(), "5"]);
            let command = ["HSET", "t2b:{alice}:dir"].into_iter().chain(fields);
            redis.command(&command.collect::<Vec<_>>());
        }
        redis.command(&["HSET", "t2b:{alice}:dir", "s:last", "9"]);
        let all = snapshot(&node, 20, &[]).await;
        let names: BTreeSet<_> = all.clients.iter().map(|(id, _)| id.as_str()).collect();
        assert!(
            names.len() <= CLIENTS && names.contains("last"),
            "{}",
            names.len()
        );
        assert_eq!(all.bots.len(), 1);
        let fields = redis.command(&["HLEN", "t2b:{alice}:dir"]).integer();
        assert_eq!(fields, 2, "the bot, and `born`");
        let clients = redis.command(&["ZCARD", "t2b:{alice}:seen"]).integer();
        assert!(clients <= CLIENTS as i64, "{clients} clients");
    });
}

/// A replica: what is left of a snapshot after events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Copy {
    ver: u64,
    bots: BTreeMap<String, BotRecord>,
    conns: BTreeMap<ConnectionId, ConnRecord>,
    clients: BTreeMap<ClientId, u64>,
}

impl Copy {
    fn of(snapshot: DirectorySnapshot) -> Self {
        let bots = snapshot.bots.into_iter();
        Self {
            ver: snapshot.ver,
            bots: bots.map(|it| (it.info.id.to_string(), it)).collect(),
            conns: snapshot.conns.into_iter().collect(),
            clients: snapshot.clients.into_iter().collect(),
        }
    }

    fn apply(&mut self, event: &DirectoryEvent) {
        if event.ver <= self.ver {
            return;
        }
        assert_eq!(event.prev, self.ver, "no event is missing");
        self.ver = event.ver;
        for change in event.changes.clone() {
            match change {
                DirectoryChange::Bot(it) => drop(self.bots.insert(it.info.id.to_string(), *it)),
                DirectoryChange::Forgotten(id) => drop(self.bots.remove(id.as_str())),
                DirectoryChange::Entered(id, it) => drop(self.conns.insert(id, it)),
                DirectoryChange::Left(id) => drop(self.conns.remove(&id)),
                DirectoryChange::Seen(id, at_ms) => drop(self.clients.insert(id, at_ms)),
                DirectoryChange::Policy(_) => {}
            }
        }
    }
}

/// The events up to a number that is told when it is known.
async fn events_until(
    mut inbound: Receiver<InboundMessage>,
    end: oneshot::Receiver<u64>,
) -> Vec<DirectoryEvent> {
    let mut events: Vec<DirectoryEvent> = Vec::new();
    let (mut end, mut until) = (Some(end), u64::MAX);
    while events.last().is_none_or(|event| event.ver < until) {
        let heard = timeout(DEADLINE, async {
            match end.as_mut() {
                Some(known) => tokio::select! {
                    ver = known => Err(ver.unwrap()),
                    heard = inbound.recv() => Ok(heard.unwrap()),
                },
                None => Ok(inbound.recv().await.unwrap()),
            }
        });
        match heard.await.unwrap() {
            Ok(InboundMessage::Event { event, .. }) => events.push(event),
            Ok(_) => {}
            Err(ver) => (end, until) = (None, ver),
        }
    }
    events
}

/// Another node adds, changes and removes entries while the directory is read.
#[test]
fn what_happens_between_two_pages_is_not_missed() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    run(async {
        let url = url_of(&redis);
        let (reader, writer) = (connect(&url).await, connect(&url).await);
        let inbound = reader.inbound().unwrap();
        for from in (0..4000).step_by(1000) {
            ask(&writer, 10, conns_of(1, from..from + 1000)).await;
        }
        let churn = async {
            for n in 0..600 {
                let conns = vec![conn(n * 5), conn(4000 + n / 2)];
                let gone = EntryRelease {
                    conns,
                    bots: vec![],
                    seen: vec![name(n)],
                };
                ask(&writer, 20, DirectoryQuery::Release(Box::new(gone))).await;
                ask(&writer, 20, conns_of(2, 4000 + n..4001 + n)).await;
                ask(
                    &writer,
                    20,
                    conns_of(2, n * 5..n * 5 + usize::from(n % 2 == 0)),
                )
                .await;
                ask(&writer, 20, claim(&format!("bot-{}", n % 50), 1)).await;
                if n % 3 == 0 {
                    // Refused while the bot has a home.
                    let gone = forget(&format!("bot-{}", n / 2 % 50), None);
                    let _ = try_ask(&writer, 20, gone).await;
                }
            }
        };
        let read = async {
            let mut copies = Vec::new();
            for _ in 0..25 {
                copies.push(Copy::of(snapshot(&reader, 20, &[]).await));
            }
            copies
        };
        let (ended, end_ver) = oneshot::channel();
        let work = async {
            let ((), copies) = tokio::join!(churn, read);
            let end = Copy::of(snapshot(&reader, 20, &[]).await);
            ended.send(end.ver).unwrap();
            (copies, end)
        };
        let ((copies, end), events) = tokio::join!(work, events_until(inbound, end_ver));
        let moved = copies.iter().filter(|copy| copy.ver < end.ver).count();
        assert!(moved > 5, "the directory changed meanwhile: {moved}");
        for mut copy in copies {
            for event in &events {
                copy.apply(event);
            }
            assert_eq!(copy, end);
        }
    });
}
