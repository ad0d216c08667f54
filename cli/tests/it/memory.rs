//! A gateway of 512 MiB and tenants that do their worst: it stays below, the kernel's buffers of its
//! sockets included, and a tenant that does nothing of the kind is served all the while.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Gateway, Home};

const MEMORY_MAX: u64 = 512 * 1024 * 1024;
/// How long memory is watched after the worst is done, to see a peak that comes late.
const WATCHED: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(10);

/// A socket that reads only when it is asked to.
struct Peer(TcpStream);

impl Peer {
    /// Opens it and reads its greeting.
    fn open(gateway: &Gateway, key: &str, client: &str) -> Option<Self> {
        let mut stream = TcpStream::connect(&gateway.public).unwrap();
        stream.set_read_timeout(Some(ANSWER)).unwrap();
        stream.set_write_timeout(Some(ANSWER)).unwrap();
        let head = format!(
            "GET /ws?clientId={client} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             authorization: Bearer {key}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        assert!(
            answer.starts_with(b"HTTP/1.1 101"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        let mut peer = Self(stream);
        peer.read_until("bots_list").map(|_| peer)
    }

    /// The bytes of a frame, with a mask of zeros.
    fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first_byte];
        match payload.len() {
            short @ 0..=125 => frame.push(0x80 | short as u8),
            long @ 126..=0xffff => {
                frame.push(0xfe);
                frame.extend((long as u16).to_be_bytes());
            }
            longer => {
                frame.push(0xff);
                frame.extend((longer as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        frame
    }

    /// Sends a text frame; the gateway may have closed the socket.
    fn say(&mut self, text: &str) -> bool {
        self.0
            .write_all(&Self::frame(0x81, text.as_bytes()))
            .is_ok()
    }

    /// Sends a message; false: the gateway has closed the socket.
    fn send(&mut self, to: &str, text: &str) -> bool {
        self.say(&format!(
            r#"{{"type":"message","id":"mine","data":{{"to":"{to}","text":"{text}"}}}}"#
        ))
    }

    /// Sends a message, and reads to its answer.
    fn tell(&mut self, to: &str, text: &str) -> String {
        self.send(to, text);
        self.until("\"id\":\"mine\"")
    }

    /// Reads frames up to one that holds this; that one.
    fn until(&mut self, what: &str) -> String {
        let found = self.read_until(what);
        found.unwrap_or_else(|| panic!("closed before {what}"))
    }

    /// The same; none: the gateway closes the socket.
    fn read_until(&mut self, what: &str) -> Option<String> {
        loop {
            let mut head = [0; 2];
            self.0.read_exact(&mut head).ok()?;
            let mut length = [0; 8];
            let bytes = match head[1] {
                126 => &mut length[6..],
                127 => &mut length[..],
                short => {
                    length[7] = short;
                    &mut []
                }
            };
            self.0.read_exact(bytes).unwrap();
            let mut payload = vec![0; u64::from_be_bytes(length) as usize];
            self.0.read_exact(&mut payload).unwrap();
            let text = String::from_utf8_lossy(&payload).into_owned();
            if head[0] == 0x88 {
                return None;
            }
            if text.contains(what) {
                return Some(text);
            }
        }
    }
}

/// A gateway under watch.
struct Watched {
    home: Home,
    gateway: Gateway,
    victim: (Peer, Peer),
    peak: (u64, u64),
    slowest: Duration,
}

impl Watched {
    fn start() -> Self {
        let home = Home::new();
        let gateway = home.gateway(&[("T2B_MEMORY_MAX", "512MiB"), ("T2B_LOG", "warn")]);
        let key = home
            .run(&["keys", "issue", "victim"])
            .stdout
            .trim()
            .to_owned();
        let mut bot = Peer::open(&gateway, &key, "process").expect("it is greeted");
        bot.say(r#"{"type":"register_bot","data":{"botId":"bot_a"}}"#);
        bot.until("bot_registered");
        let phone = Peer::open(&gateway, &key, "phone").expect("it is greeted");
        Self {
            home,
            gateway,
            victim: (phone, bot),
            peak: (0, 0),
            slowest: Duration::ZERO,
        }
    }

    fn key(&self, user: &str) -> String {
        self.home
            .run(&["keys", "issue", user])
            .stdout
            .trim()
            .to_owned()
    }

    fn peer(&self, key: &str, client: &str) -> Peer {
        self.try_peer(key, client).expect("it is greeted")
    }

    /// None: its tenant has no room for a greeting.
    fn try_peer(&self, key: &str, client: &str) -> Option<Peer> {
        Peer::open(&self.gateway, key, client)
    }

    /// What it takes now, and whether the victim is served.
    fn look(&mut self) {
        let begun = Instant::now();
        let (phone, bot) = &mut self.victim;
        let answer = phone.tell("bot_a", "hello");
        assert!(
            answer.contains("delivered"),
            "the victim is refused: {answer}"
        );
        bot.until("hello");
        self.slowest = self.slowest.max(begun.elapsed());
        let now = (self.resident(), self.kernel());
        assert!(
            now.0 + now.1 < MEMORY_MAX,
            "{} MiB and {} MiB in the kernel",
            now.0 >> 20,
            now.1 >> 20
        );
        if now.0 + now.1 > self.peak.0 + self.peak.1 {
            self.peak = now;
        }
    }

    fn watch(&mut self, limit: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < limit {
            self.look();
        }
    }

    fn resident(&self) -> u64 {
        let mut admin = TcpStream::connect(&self.gateway.admin).unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        admin.write_all(request).unwrap();
        let mut text = String::new();
        admin.read_to_string(&mut text).unwrap();
        let mut lines = text.lines();
        let bytes = lines.find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
        bytes.unwrap().parse::<f64>().unwrap() as u64
    }

    /// Memory of the kernel for the gateway's sockets, both directions. Source: ss(8), `skmem`.
    fn kernel(&self) -> u64 {
        let port = self.gateway.public.rsplit(':').next().unwrap();
        let filter = format!("sport = :{port}");
        let table = Command::new("ss")
            .args(["-tnmH", &filter])
            .output()
            .unwrap();
        let table = String::from_utf8(table.stdout).unwrap();
        let sockets = table.split("skmem:(").skip(1);
        let bytes = sockets.map(|socket| {
            let fields = socket.split(')').next().unwrap().split(',');
            // Received and not read, written and not acknowledged, kept for either.
            let of = |field: &str| match field.split_at(1) {
                ("r" | "w" | "f", bytes) => bytes.parse().unwrap_or_default(),
                _ => 0,
            };
            fields.map(of).sum::<u64>()
        });
        bytes.sum()
    }

    fn report(&self, case: &str) {
        println!(
            "{case}: at most {} MiB and {} MiB in the kernel; the victim's slowest exchange {:?}",
            self.peak.0 >> 20,
            self.peak.1 >> 20,
            self.slowest
        );
    }
}

fn bulk() -> String {
    "x".repeat(250 * 1024)
}

/// 1,000 bots with long names, 500 watchers that do not read, the tenant's budget full; then all bots go.
#[test]
fn watchers_that_do_not_read() {
    let mut watched = Watched::start();
    let key = watched.key("alice");
    let watchers: Vec<Peer> = (0..500).map(|_| watched.peer(&key, "watcher")).collect();
    let name = "n".repeat(128);
    let mut hosts = Vec::new();
    for host in 0..16 {
        let mut peer = watched.peer(&key, &format!("host{host}"));
        for bot in 0..62 {
            peer.say(&format!(
                r#"{{"type":"register_bot","id":"b{bot}","data":{{"botId":"bot_{host}_{bot}","name":"{name}"}}}}"#
            ));
        }
        peer.until("\"id\":\"b61\"");
        hosts.push(peer);
        watched.look();
    }
    let mut phone = watched.peer(&key, "phone");
    for _ in 0..8 {
        phone.tell("watcher", &bulk());
        watched.look();
    }
    drop(hosts);
    watched.watch(WATCHED);
    watched.report("watchers that do not read");
    drop(watchers);
}

/// 300 sockets of one client id that do not read, and 3.7 MiB sent.
#[test]
fn sockets_that_do_not_read() {
    let mut watched = Watched::start();
    let key = watched.key("alice");
    let tablets: Vec<Peer> = (0..300).map(|_| watched.peer(&key, "tablet")).collect();
    let mut phone = watched.peer(&key, "phone");
    for _ in 0..16 {
        phone.tell("tablet", &bulk());
        watched.look();
    }
    for _ in 0..400 {
        phone.tell("tablet", "a small one");
    }
    watched.watch(WATCHED);
    watched.report("sockets that do not read");
    drop(tablets);
}

/// Four tenants of slow readers, each with client ids enough to fill its own budget.
#[test]
fn tenants_of_slow_readers() {
    let mut watched = Watched::start();
    let mut peers = Vec::new();
    for tenant in ["a", "b", "c", "d"] {
        let key = watched.key(tenant);
        let mut phone = watched.peer(&key, "phone");
        for tablet in 0..8 {
            for _ in 0..12 {
                peers.push(watched.peer(&key, &format!("tablet{tablet}")));
            }
        }
        for _ in 0..8 {
            for tablet in 0..8 {
                // Its own tenant's sender may be closed, as there is no room to answer it.
                if !phone.send(&format!("tablet{tablet}"), &bulk())
                    && let Some(again) = watched.try_peer(&key, "phone")
                {
                    phone = again;
                }
            }
            watched.look();
        }
        peers.push(phone);
    }
    watched.watch(WATCHED);
    watched.report("tenants of slow readers");
}

/// 16 tenants, each with 16 MiB of messages that do not arrive as a whole.
#[test]
fn halves_of_messages() {
    let mut watched = Watched::start();
    let half = Peer::frame(0x01, &[b'x'; 240 * 1024]);
    let mut peers = Vec::new();
    for tenant in 0..16 {
        let key = watched.key(&format!("tenant{tenant}"));
        for i in 0..60 {
            let mut peer = watched.peer(&key, &format!("phone{i}"));
            // It may be closed at once, and the rest of what it sends refused.
            let _ = peer.0.write_all(&half);
            peers.push(peer);
        }
        watched.look();
    }
    watched.watch(WATCHED);
    watched.report("halves of messages");
}

/// 80 sockets of one token that ask for lists and do not read.
#[test]
fn one_token_that_asks_and_does_not_read() {
    let mut watched = Watched::start();
    let key = watched.key("alice");
    let mut host = watched.peer(&key, "host");
    for bot in 0..60 {
        let about = "d".repeat(1024);
        host.say(&format!(
            r#"{{"type":"register_bot","id":"b{bot}","data":{{"botId":"bot_{bot}","description":"{about}"}}}}"#
        ));
    }
    host.until("\"id\":\"b59\"");
    let mut asking: Vec<Peer> = (0..80).map(|_| watched.peer(&key, "weak")).collect();
    let mut phone = watched.peer(&key, "phone");
    for round in 0..20 {
        for peer in &mut asking {
            peer.say(r#"{"type":"list_bots"}"#);
        }
        if round % 5 == 0 {
            watched.look();
            let answer = phone.tell("bot_1", "hello");
            assert!(
                answer.contains("delivered"),
                "its tenant is refused: {answer}"
            );
        }
    }
    watched.watch(WATCHED);
    watched.report("one token that asks and does not read");
}
