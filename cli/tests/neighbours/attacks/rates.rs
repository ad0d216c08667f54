//! Attacks on work: cheap requests that cost the node much.

use std::time::{Duration, Instant};

use anyhow::Result;
use fixtures::blocking_pass;
use loadtest::wire::BlockingSocket;

use crate::node::key;
use crate::peer::{ATTACKER, FrameFlood, connect, discard, join, register, request, upgrade};
use crate::sender::{SteadySender, closed};
use crate::stage::AttackScene;

const IDLE: Duration = Duration::from_millis(1);
/// Of a large message.
const LARGE_BYTES: usize = 250 * 1024;
/// A socket's pings: 480 a second.
const PINGS_AT_ONCE: usize = 24;
const PINGS_EVERY: Duration = Duration::from_millis(50);
/// Between two registrations of a socket: five a second.
const RENAMED_EVERY: Duration = Duration::from_millis(200);

/// Has each of them send one frame again and again; says how often, and how often they were closed.
fn repeat(scene: &AttackScene, senders: &mut [SteadySender], text: &str) -> (usize, usize) {
    scene.in_place();
    let mut sent = 0;
    while !scene.is_over() {
        let now: usize = senders.iter_mut().map(|sender| sender.push(text)).sum();
        sent += now;
        if now == 0 {
            blocking_pass(IDLE);
        }
    }
    (sent, closed(senders))
}

/// Clients of one tenant with a socket each.
fn senders(scene: &AttackScene, count: usize, key: &str) -> Result<Vec<SteadySender>> {
    let all = (0..count).map(|i| SteadySender::begin(scene.public, key, &format!("sender{i}")));
    all.collect()
}

/// A socket that holds 64 bots, again and again until there are so many.
fn bots(scene: &AttackScene, count: usize, key: &str) -> Result<Vec<BlockingSocket>> {
    let sockets = (0..count).step_by(64).map(|first| {
        let mut socket = join(ATTACKER, scene.public, key, &format!("host{first}"))?;
        let names = first..count.min(first + 64);
        register(
            &mut socket,
            names.map(|number| format!("bot{number}")),
            &"n".repeat(100),
        )?;
        Ok(socket)
    });
    sockets.collect()
}

/// 13 keys connect under ever new client ids.
pub fn client_ids(scene: &AttackScene) -> Result<String> {
    let keys: Vec<String> = (0..13).map(|tenant| key("evil", tenant)).collect();
    let (mut joined, mut refused) = (0_usize, 0_usize);
    scene.in_place();
    while !scene.is_over() {
        let key = &keys[joined % keys.len()];
        let client = format!("invented-{joined}-{}", "i".repeat(60));
        let path = format!("/ws?clientId={client}");
        let greeted = upgrade(ATTACKER, scene.public, &path, Some(key))
            .and_then(|mut socket| socket.expect("auth_ok"));
        match greeted {
            Ok(()) => joined += 1,
            Err(_) => {
                refused += 1;
                joined += 1;
            }
        }
    }
    Ok(format!("{} joined, {refused} refused", joined - refused))
}

/// One tenant joins and leaves as fast as it can.
pub fn joins(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let (mut joined, mut refused) = (0, 0);
    scene.in_place();
    while !scene.is_over() {
        match join(ATTACKER, scene.public, &key, "phone") {
            Ok(_) => joined += 1,
            Err(_) => refused += 1,
        }
    }
    Ok(format!("{joined} joined, {refused} refused"))
}

/// Sockets that ask for the whole list again and again, and read it.
pub fn lists(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let bots = bots(scene, scene.count(1000), &key)?;
    let mut readers = senders(scene, 16, &key)?;
    let text = r#"{"type":"list_bots","data":{"limit":1000}}"#;
    let (asked, closed) = repeat(scene, &mut readers, text);
    drop(bots);
    Ok(format!("{asked} lists, closed {closed} times"))
}

/// The same over HTTP.
pub fn http_lists(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let bots = bots(scene, scene.count(1000), &key)?;
    let mut stream = connect(ATTACKER, scene.public)?;
    let (mut answered, mut refused) = (0, 0);
    scene.in_place();
    while !scene.is_over() {
        match request(&mut stream, "GET", "/v1/bots?limit=1000", &key, "") {
            Ok((200, _)) => answered += 1,
            Ok(_) => refused += 1,
            Err(_) => stream = connect(ATTACKER, scene.public)?,
        }
    }
    drop(bots);
    Ok(format!("{answered} answered, {refused} refused"))
}

/// `ping` frames on 300 sockets, each within its rate of frames.
pub fn pings(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let text = r#"{"type":"ping"}"#;
    let mut sockets = Vec::new();
    scene.in_place();
    let (mut sent, mut closed) = (0, 0);
    let mut turn = Instant::now();
    while !scene.is_over() {
        // Whoever is closed comes back, as far as joins have a rate.
        while sockets.len() < scene.count(300) {
            let number = sockets.len();
            let Ok(socket) = join(ATTACKER, scene.public, &key, &format!("p{number}")) else {
                break;
            };
            socket.stream.set_nonblocking(true)?;
            sockets.push((socket, FrameFlood::new()));
        }
        let before = sockets.len();
        sockets.retain_mut(|(socket, flood)| {
            let alive = discard(socket).is_ok();
            let pushed = (0..PINGS_AT_ONCE).map_while(|_| flood.push(socket, text).ok());
            sent += pushed.filter(|out| *out).count();
            alive
        });
        closed += before - sockets.len();
        blocking_pass(PINGS_EVERY.saturating_sub(turn.elapsed()));
        turn = Instant::now();
    }
    Ok(format!("{sent} pings, {closed} sockets closed"))
}

/// Sixteen sockets that give their bots new names, beside 1,200 that watch and read.
pub fn renamed_bots(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let mut watchers = Vec::new();
    for number in 0..scene.count(1200) {
        let Ok(watcher) = join(ATTACKER, scene.public, &key, &format!("w{number}")) else {
            break;
        };
        watcher.stream.set_nonblocking(true)?;
        watchers.push(watcher);
    }
    let opened = watchers.len();
    let mut hosts = (0..16)
        .map(|number| {
            let host = join(ATTACKER, scene.public, &key, &format!("h{number}"))?;
            host.stream.set_nonblocking(true)?;
            Ok((host, FrameFlood::new()))
        })
        .collect::<Result<Vec<_>>>()?;
    scene.in_place();
    let mut renamed = 0;
    while !scene.is_over() {
        for (host, (socket, flood)) in hosts.iter_mut().enumerate() {
            let bot = renamed % 5;
            let name = "n".repeat(100);
            let data = format!(r#"{{"botId":"bot{host}_{bot}","name":"{renamed}{name}"}}"#);
            discard(socket)?;
            flood.push(
                socket,
                &format!(r#"{{"type":"register_bot","data":{data}}}"#),
            )?;
        }
        renamed += 1;
        let until = Instant::now() + RENAMED_EVERY;
        while Instant::now() < until {
            watchers.retain_mut(|watcher| discard(watcher).is_ok());
            blocking_pass(IDLE);
        }
    }
    Ok(format!(
        "{opened} watchers, {} names",
        renamed * hosts.len()
    ))
}

/// Messages to one client id that 1,000 sockets share, which read.
pub fn fan_out(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let mut phones = Vec::new();
    for _ in 0..scene.count(1000) {
        let Ok(phone) = join(ATTACKER, scene.public, &key, "phone") else {
            break;
        };
        phone.stream.set_nonblocking(true)?;
        phones.push(phone);
    }
    let opened = phones.len();
    let mut sender = SteadySender::begin(scene.public, &key, "sender")?;
    let text = r#"{"type":"message","data":{"to":"phone","text":"to all of them"}}"#;
    scene.in_place();
    let mut sent = 0;
    while !scene.is_over() {
        sent += sender.push(text);
        phones.retain_mut(|phone| discard(phone).is_ok());
    }
    Ok(format!(
        "{opened} sockets, {sent} messages, sender closed {} times",
        sender.closed
    ))
}

/// Messages of 250 KiB from 500 sockets to one that reads, far beyond the tenant's rates.
pub fn large_messages(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let mut phone = join(ATTACKER, scene.public, &key, "phone")?;
    phone.stream.set_nonblocking(true)?;
    let mut senders = senders(scene, scene.count(500), &key)?;
    let text = "x".repeat(LARGE_BYTES);
    let text = format!(r#"{{"type":"message","data":{{"to":"phone","text":"{text}"}}}}"#);
    scene.in_place();
    let mut sent = 0;
    while !scene.is_over() {
        let before = sent;
        for sender in &mut senders {
            sent += sender.push(&text);
            discard(&mut phone)?;
        }
        if sent == before {
            blocking_pass(IDLE);
        }
    }
    let closed = closed(&senders);
    Ok(format!("{sent} messages, senders closed {closed} times"))
}

/// The same over HTTP, on eight kept connections; four of them send JSON that lacks its last byte.
pub fn large_bodies(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let mut phone = join(ATTACKER, scene.public, &key, "phone")?;
    phone.stream.set_nonblocking(true)?;
    let text = "x".repeat(LARGE_BYTES);
    let body = format!(r#"{{"to":"phone","text":"{text}"}}"#);
    scene.in_place();
    let post = |is_whole: bool| -> Result<(usize, usize)> {
        let body = &body[..body.len() - usize::from(!is_whole)];
        let mut stream = connect(ATTACKER, scene.public)?;
        let (mut accepted, mut refused) = (0, 0);
        while !scene.is_over() {
            match request(&mut stream, "POST", "/v1/messages", &key, body) {
                Ok((200..300, _)) => accepted += 1,
                Ok(_) => refused += 1,
                Err(_) => stream = connect(ATTACKER, scene.public)?,
            }
        }
        Ok((accepted, refused))
    };
    let (accepted, refused) = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..8)
            .map(|i| scope.spawn(move || post(i % 2 == 0)))
            .collect();
        while !scene.is_over() {
            discard(&mut phone)?;
            blocking_pass(IDLE);
        }
        posts.into_iter().try_fold((0, 0), |sum, post| {
            let (accepted, refused) = post.join().expect("no panic")?;
            anyhow::Ok((sum.0 + accepted, sum.1 + refused))
        })
    })?;
    Ok(format!("{accepted} accepted, {refused} refused"))
}
