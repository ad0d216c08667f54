//! Attacks on memory: what waits for peers that do not read, and what is kept for them.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use fixtures::blocking_pass;
use loadtest::wire::BlockingSocket;

use crate::node::key;
use crate::peer::{ATTACKER, FrameFlood, connect, discard, join, register, request, stop_reading};
use crate::sender::SteadySender;
use crate::stage::AttackScene;

/// Time between two looks at sockets that have nothing to do.
const IDLE: Duration = Duration::from_millis(20);

/// How long queues are filled before the attack proper.
const FILL: Duration = Duration::from_secs(3);

/// Holds what was set up, without doing anything, until the node was looked at afterwards.
fn hold(scene: &AttackScene) {
    scene.in_place();
    while !scene.is_judged() {
        blocking_pass(IDLE);
    }
}

/// Sockets of one tenant with a client id each, that do not read.
fn silent_readers(
    scene: &AttackScene,
    count: usize,
    key: &str,
    client: impl Fn(usize) -> String,
) -> Vec<BlockingSocket> {
    let sockets = (0..count).map_while(|number| {
        let socket = join(ATTACKER, scene.public, key, &client(number)).ok()?;
        stop_reading(&socket).ok()?;
        Some(socket)
    });
    sockets.collect()
}

fn message(to: &str, bytes: usize) -> String {
    let text = "x".repeat(bytes);
    format!(r#"{{"type":"message","data":{{"to":"{to}","text":"{text}"}}}}"#)
}

/// A bot id of 80 bytes, the longest there is.
fn bot_id(number: usize) -> String {
    format!("b{number:079}")
}

/// Sockets that hold so many bots, 64 each, each bot with the longest name.
fn bots(scene: &AttackScene, count: usize, key: &str) -> Result<Vec<BlockingSocket>> {
    let name = "n".repeat(128);
    let firsts = (0..count).step_by(64);
    let sockets = firsts.map(|first| {
        let mut socket = join(ATTACKER, scene.public, key, &format!("host{first}"))?;
        let numbers = first..count.min(first + 64);
        register(&mut socket, numbers.map(bot_id), &name)?;
        Ok(socket)
    });
    sockets.collect()
}

/// 1,000 bots, 500 watchers that do not read, the tenant's budget full; then all bots go.
pub fn presence(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let bots = bots(scene, scene.count(1000), &key)?;
    let watchers = silent_readers(scene, scene.count(500), &key, |_| "watcher".to_owned());
    let mut sender = join(ATTACKER, scene.public, &key, "sender")?;
    sender.stream.set_nonblocking(true)?;
    let (mut flood, text) = (FrameFlood::new(), message("watcher", 100 * 1024));
    // As much as fills what the system takes for each of them, and the tenant's budget behind it.
    let until = Instant::now() + FILL;
    while Instant::now() < until && discard(&mut sender).is_ok() {
        match flood.push(&mut sender, &text) {
            Ok(true) => {}
            Ok(false) => blocking_pass(IDLE),
            Err(_) => break,
        }
    }
    drop(bots);
    hold(scene);
    Ok(format!("{} watchers", watchers.len()))
}

/// 300 sockets that do not read, one client id, 3.7 MiB for each; between large messages small ones.
pub fn send_buffers(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let sockets = silent_readers(scene, scene.count(300), &key, |_| "phone".to_owned());
    let mut sender = join(ATTACKER, scene.public, &key, "sender")?;
    sender.stream.set_nonblocking(true)?;
    let mut flood = FrameFlood::new();
    let texts = [message("phone", 100 * 1024), message("phone", 11)];
    scene.in_place();
    let mut sent = 0;
    while !scene.is_over() {
        if discard(&mut sender).is_err() {
            break;
        }
        match flood.push(&mut sender, &texts[sent % 2]) {
            Ok(true) => sent += 1,
            Ok(false) => blocking_pass(IDLE),
            Err(_) => break,
        }
    }
    hold(scene);
    Ok(format!(
        "{} sockets, {sent} messages, half of 100 KiB",
        sockets.len()
    ))
}

/// Eight tenants of 25 client ids whose four sockets each do not read what they are sent. A sender that
/// is closed comes back: there may be no room for the answers to it.
pub fn slow_tenants(scene: &AttackScene) -> Result<String> {
    let mut all = Vec::new();
    let mut senders = Vec::new();
    for tenant in 0..8 {
        let key = key("evil", tenant);
        all.extend(silent_readers(scene, scene.count(100), &key, |number| {
            format!("phone{}", number / 4)
        }));
        senders.push((SteadySender::begin(scene.public, &key, "sender")?, 0));
    }
    scene.in_place();
    let (mut sent, phones) = (0, scene.count(25));
    while !scene.is_over() {
        let mut idle = true;
        for (sender, next) in &mut senders {
            let pushed = sender.push_once(&message(&format!("phone{next}"), 200 * 1024));
            if pushed {
                *next = (*next + 1) % phones;
                sent += 1;
                idle = false;
            }
        }
        if idle {
            blocking_pass(IDLE);
        }
    }
    let closed: usize = senders.iter().map(|(sender, _)| sender.closed).sum();
    Ok(format!(
        "{} sockets, {sent} messages of 200 KiB, senders closed {closed} times",
        all.len(),
    ))
}

/// 16 tenants with 64 messages each that lack their last byte, or their last frame.
pub fn half_messages(scene: &AttackScene) -> Result<String> {
    use std::io::Write;
    let mut sockets = Vec::new();
    let mut frame = Vec::new();
    loadtest::wire::push(&mut frame, loadtest::wire::TEXT, &vec![b'x'; 255 * 1024]);
    // The same without FIN.
    let mut first = frame.clone();
    first[0] = loadtest::wire::TEXT;
    for tenant in 0..16 {
        for number in 0..scene.count(64) {
            let key = key("evil", tenant);
            let mut socket = join(ATTACKER, scene.public, &key, &format!("half{number}"))?;
            // It may be closed meanwhile; that is the gateway's right.
            let _ = match number % 2 {
                0 => socket.stream.write_all(&frame[..frame.len() - 1]),
                _ => socket.stream.write_all(&first),
            };
            sockets.push(socket);
        }
    }
    hold(scene);
    Ok(format!("{} half messages", sockets.len()))
}

/// 1,000 HTTP connections of one tenant whose request waits for a bot that says nothing, and which go on
/// writing. One that is closed comes back.
pub fn pipelined(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let mut bot = join(ATTACKER, scene.public, &key, "host")?;
    register(&mut bot, ["bot_s".to_owned()].into_iter(), "s")?;
    bot.stream.set_nonblocking(true)?;
    let body = r#"{"to":"bot_s","text":"hi"}"#;
    let request = format!(
        "POST /v1/messages?waitMs=50000 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let behind = vec![b'x'; 64 * 1024];
    let (mut streams, mut opened, mut closed) = (Vec::new(), 0, 0);
    while !scene.is_over() {
        if streams.len() < scene.count(1000) {
            let stream = connect(ATTACKER, scene.public).and_then(|mut stream| {
                stream.write_all(request.as_bytes())?;
                stream.set_nonblocking(true)?;
                Ok(stream)
            });
            streams.extend(stream);
            opened += 1;
        } else {
            scene.in_place();
        }
        discard(&mut bot)?;
        // The request has arrived; what comes now comes behind it.
        blocking_pass(Duration::from_millis(1));
        streams.retain_mut(|stream| {
            let is_open = match stream.write(&behind) {
                Ok(_) => true,
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            };
            closed += usize::from(!is_open);
            is_open
        });
        if closed >= scene.count(1000) {
            scene.in_place();
        }
    }
    hold(scene);
    Ok(format!("{opened} opened, {closed} closed"))
}

/// Sockets that subscribe to each of 1,000 bots by name.
pub fn subscriptions(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let bots = bots(scene, scene.count(1000), &key)?;
    let mut sockets = Vec::new();
    let mut asked = 0;
    'sockets: for number in 0..scene.count(400) {
        let Ok(mut socket) = join(ATTACKER, scene.public, &key, &format!("reader{number}")) else {
            break;
        };
        socket.stream.set_nonblocking(true)?;
        for bot in 0..scene.count(1000) {
            let bot = bot_id(bot);
            let text = format!(r#"{{"type":"subscribe","data":{{"botId":"{bot}"}}}}"#);
            let mut flood = FrameFlood::new();
            loop {
                match discard(&mut socket).and_then(|()| flood.push(&mut socket, &text)) {
                    Ok(true) => break,
                    Ok(false) if scene.is_over() => break 'sockets,
                    Ok(false) => blocking_pass(IDLE),
                    Err(_) => continue 'sockets,
                }
            }
            asked += 1;
        }
        sockets.push(socket);
        // Building up is the attack: it may take longer than a case has.
        if number == 20 {
            scene.in_place();
        }
        if scene.is_over() {
            break;
        }
    }
    hold(scene);
    Ok(format!(
        "{} bots, {asked} subscriptions of {} sockets",
        64 * bots.len(),
        sockets.len()
    ))
}

/// 80 sockets of one client id that list and do not read, as many as may be by one `chat` token; the
/// victim is of the same tenant.
pub fn weak_token(scene: &AttackScene) -> Result<String> {
    let key = key("evil", 0);
    let bots = bots(scene, scene.count(900), &key)?;
    let mut http = connect(ATTACKER, scene.public)?;
    let body = r#"{"client":"guest","scope":["chat"]}"#;
    let (status, answer) = request(&mut http, "POST", "/v1/tokens", &key, body)?;
    anyhow::ensure!(status == 201, "{status}: {answer}");
    let token: serde_json::Value = serde_json::from_str(&answer)?;
    let token = token["token"].as_str().unwrap_or_default();
    let sockets = silent_readers(scene, 80, token, |_| "guest".to_owned());
    let opened = sockets.len();
    let mut sockets: Vec<_> = sockets
        .into_iter()
        .map(|socket| (socket, FrameFlood::new()))
        .collect();
    scene.in_place();
    let text = r#"{"type":"list_bots","data":{"limit":1000}}"#;
    let mut asked = 0;
    while !scene.is_over() {
        let mut idle = true;
        sockets.retain_mut(|(socket, flood)| {
            let pushed = flood.push(socket, text);
            if let Ok(true) = pushed {
                asked += 1;
                idle = false;
            }
            pushed.is_ok()
        });
        if idle {
            blocking_pass(IDLE);
        }
    }
    drop(bots);
    Ok(format!("{opened} of 80 sockets, {asked} lists"))
}
