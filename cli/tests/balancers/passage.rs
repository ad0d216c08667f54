//! One load balancer going through the phases. Each phase adds its figures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fixtures::{DEADLINE, pass_until, until};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::TROUBLED;
use crate::program::{BalancerFront, BalancerProgram};
use crate::socket::{ClientPlace, ClientSocket};
use crate::stage::SharedStage;

/// The node that serves all the time.
const STEADY: usize = 1;
/// How long the idle socket is idle.
const IDLE: Duration = Duration::from_secs(70);
/// The longest `waitMs`.
const WAIT_MS: u64 = 50_000;
/// So many new sockets in a row on one node show that the other one gets none. A load balancer that counts sockets
/// would give the other one the second.
const IN_A_ROW: usize = 5;
/// So many sockets are opened at most until both nodes have one.
const TRIES: usize = 20;
/// How long a new socket may take that may be tried again. A node that does not run accepts connections and says nothing.
const OPENING: Duration = Duration::from_secs(3);
/// A load balancer with checks closes the sockets of a stopped node after at most so long.
const CUT: Duration = Duration::from_secs(15);
/// A load balancer notices within so many seconds that a node is not ready: the default of `drain_wait`.
const NOTICED: f32 = 5.0;
/// Between two new sockets while a node drains.
const PACE: Duration = Duration::from_millis(200);

pub struct Passage {
    pub program: &'static BalancerProgram,
    pub figures: Vec<String>,
    stage: Arc<SharedStage>,
    front: BalancerFront,
    key: String,
    /// A socket on each node: of the phone, of the bot.
    sockets: Vec<ClientSocket>,
    /// The socket that only sees pings; how many.
    idle: Option<JoinHandle<Result<u32, String>>>,
}

impl Passage {
    pub fn new(
        stage: Arc<SharedStage>,
        program: &'static BalancerProgram,
        front: BalancerFront,
    ) -> Self {
        Self {
            program,
            figures: Vec::new(),
            key: stage.key(program.name),
            stage,
            front,
            sockets: Vec::new(),
            idle: None,
        }
    }

    fn place(&self) -> ClientPlace {
        ClientPlace {
            front: self.front.address.clone(),
            source: self.stage.next_source(),
            tls: Arc::clone(&self.stage.tls),
            key: self.key.clone(),
        }
    }

    /// A new socket, and the node that has it, which saw the client's own address.
    async fn open(&self, client: &str) -> Result<(ClientSocket, usize), String> {
        let place = self.place();
        let socket = place.open(client, OPENING).await?;
        let what = format!("{}: a line of {}", self.program.name, socket.connection);
        let found = until(&what, async || self.stage.find(&socket.connection)).await;
        let (node, line) = found;
        let source = format!("source={} ", place.source);
        assert!(line.contains(&source), "{}: {line}", self.program.name);
        Ok((socket, node))
    }

    /// New sockets until one is on this node.
    async fn open_on(&self, node: usize, client: &str) -> ClientSocket {
        let mut others = Vec::new();
        for _ in 0..TRIES {
            match self.open(client).await {
                Ok((socket, its)) if its == node => return socket,
                Ok(other) => others.push(other),
                Err(error) => self.fail(&error),
            }
        }
        self.fail(&format!("no socket came to node {node}"))
    }
}

/// The phases, in their order.
impl Passage {
    /// A phone on the node that gets into trouble, a bot on the other one; both say something.
    pub async fn chat(&mut self) {
        // The program may not listen yet.
        until(
            &format!("{} passes a socket", self.program.name),
            async || self.open("first").await.ok(),
        )
        .await;
        let phone = self.open_on(TROUBLED, "phone").await;
        let mut bot = self.open_on(STEADY, "bot").await;
        let registered = bot.ask("register_bot", json!({"botId": "bot_main"})).await;
        assert_eq!(self.sure(registered)["type"], "bot_registered");
        self.sockets = vec![phone, bot];
        let idle = self.open_on(STEADY, "idle").await;
        self.idle = Some(tokio::spawn(stays_idle(idle)));
        let [phone, bot] = &mut self.sockets[..] else {
            unreachable!("two sockets");
        };
        let name = self.program.name;
        until(&format!("{name}: the bot can be reached"), async || {
            let data = json!({"to": "bot_main", "text": "hello"});
            let ack = phone.ask("message", data).await.unwrap();
            (ack["type"] == "message_ack").then_some(())
        })
        .await;
        let message = bot.next_of("message").await.unwrap();
        assert_eq!(message["data"]["text"], "hello", "{name}");
        let data = json!({"to": "phone", "from": "bot_main", "text": "hello, phone"});
        let ack = bot.ask("message", data).await.unwrap();
        assert_eq!(ack["type"], "message_ack", "{name}: {ack}");
        let message = phone.next_of("message").await.unwrap();
        assert_eq!(message["data"]["text"], "hello, phone", "{name}");
        self.figures
            .push("chat both ways, the client's address seen".to_owned());
    }

    /// A request for a reply that never comes is answered after the longest wait.
    pub async fn wait_over_http(&mut self) {
        let body = json!({"to": "bot_main", "text": "think"});
        let query = format!("waitMs={WAIT_MS}&clientId=script");
        let began = Instant::now();
        let answer = self.place().post(&query, &body).await;
        let waited = began.elapsed();
        let (status, body) = self.sure(answer);
        assert_eq!(status, 202, "{}: {body}", self.program.name);
        assert!(waited >= Duration::from_millis(WAIT_MS), "{waited:?}");
        let waited = waited.as_secs_f32();
        self.figures
            .push(format!("{status} after a wait of {waited:.1} s"));
    }

    /// The node is not ready: it gets no new socket and keeps the old one.
    pub async fn unready(&mut self) {
        if self.program.has_checks {
            let out = self.is_out().await;
            assert!(out <= NOTICED, "{}: {out} s", self.program.name);
            self.figures
                .push(format!("not ready: out after {out:.1} s"));
        }
        let answer = self.sockets[TROUBLED].ask("ping", json!({})).await;
        self.sure(answer);
    }

    /// The node is ready again and gets new sockets.
    pub async fn back(&mut self) {
        self.in_again("back").await;
        let answer = self.sockets[TROUBLED].ask("ping", json!({})).await;
        self.sure(answer);
    }

    /// The node does not run: it gets no new socket; haproxy closes the old one.
    pub async fn stopped(&mut self) {
        let began = Instant::now();
        if self.program.closes_stopped {
            let closed = self.sockets[TROUBLED].closed(CUT).await;
            assert_eq!(closed, Some(1006), "{}", self.program.name);
            let after = began.elapsed().as_secs_f32();
            self.figures
                .push(format!("stopped: closed after {after:.1} s"));
        }
        if self.program.has_checks {
            let out = self.is_out().await;
            self.figures.push(format!("out after {out:.1} s"));
        }
    }

    /// The node runs again. Who kept its sockets has them still.
    pub async fn resumed(&mut self) {
        if self.program.closes_stopped {
            self.sockets[TROUBLED] = self.in_again("phone").await;
        }
        let answer = self.sockets[TROUBLED].ask("ping", json!({})).await;
        self.sure(answer);
    }

    /// The node drains and ends: its socket is told and closed with 1012, and no new socket is refused.
    pub async fn drained(&mut self) {
        let mut old = self.sockets.swap_remove(TROUBLED);
        let name = self.program.name;
        let ending = async {
            let told = old.next_of("migrate").await;
            told.unwrap_or_else(|error| panic!("{name}: {error}"));
            old.closed(DEADLINE * 2).await
        };
        let (code, opened) = tokio::join!(ending, self.open_until_ended());
        assert_eq!(code, Some(1012), "{name}: how the drained node closed");
        self.figures
            .push(format!("drained: 1012, {opened} new sockets, none refused"));
    }

    /// A new socket on the troubled node, once it gets some again.
    async fn in_again(&self, client: &str) -> ClientSocket {
        let what = format!("{}: the node gets sockets again", self.program.name);
        until(&what, async || {
            let (socket, node) = self.open(client).await.ok()?;
            (node == TROUBLED).then_some(socket)
        })
        .await
    }

    /// The idle socket was idle for long enough.
    pub async fn idled(&mut self) {
        let idle = self.idle.take().expect("the chat opened it");
        let pings = self.sure(idle.await.unwrap());
        assert!(pings >= 2, "{}: {pings} pings", self.program.name);
        self.figures
            .push(format!("idle for {} s, {pings} pings", IDLE.as_secs()));
    }

    /// New sockets, each of which has to be served, until the troubled node has ended; how many.
    async fn open_until_ended(&self) -> usize {
        let mut opened = 0;
        let mut next = Instant::now();
        while !self.stage.nodes[TROUBLED].has_ended() {
            let socket = self.place().open("new", DEADLINE).await;
            drop(self.sure(socket));
            opened += 1;
            next += PACE;
            pass_until(next).await;
        }
        opened
    }

    /// The time until the troubled node gets no new socket any more, in seconds.
    async fn is_out(&self) -> f32 {
        let began = Instant::now();
        let what = format!("{}: the node gets no new sockets", self.program.name);
        until(&what, async || {
            let after = began.elapsed().as_secs_f32();
            let mut kept = Vec::new();
            for _ in 0..IN_A_ROW {
                let (socket, node) = self.open("new").await.ok()?;
                if node == TROUBLED {
                    return None;
                }
                kept.push(socket);
            }
            Some(after)
        })
        .await
    }

    fn sure<T>(&self, outcome: Result<T, String>) -> T {
        outcome.unwrap_or_else(|error| self.fail(&error))
    }

    fn fail(&self, what: &str) -> ! {
        panic!("{}: {what}\n{}", self.program.name, self.front.last_lines());
    }
}

/// Says nothing on a socket for [`IDLE`]; how many pings came. Errors: it does not answer after that.
async fn stays_idle(mut socket: ClientSocket) -> Result<u32, String> {
    pass_until(Instant::now() + IDLE).await;
    socket.ask("ping", json!({})).await?;
    Ok(socket.pings)
}
