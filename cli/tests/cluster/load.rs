//! Many messages: one that sends them as fast as it is answered, and one that takes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fixtures::until;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::delivery_check::{SenderAnswers, SocketArrivals};
use crate::socket::{TestSocket, outcome_of};

/// The recipient of all messages.
pub const BOT: &str = "bot-main";
/// Length of each text, bytes.
const TEXT_BYTES: usize = 200;
/// Most messages of a fast sender that are not answered.
pub const WINDOW: usize = 256;
/// How long a sender rests after a refusal; then it begins again with one message.
const REST: Duration = Duration::from_millis(100);
/// What a sender waits for an answer at most: a lane gives up after 7.5 s.
const ANSWER: Duration = Duration::from_secs(20);

/// How many messages the large cases send: `TEST_MESSAGES`, else this.
pub fn messages(default: usize) -> usize {
    let asked = std::env::var("TEST_MESSAGES").ok();
    asked.map_or(default, |asked| {
        asked.parse().expect("TEST_MESSAGES is a number")
    })
}

/// Sends `total` messages over one connection, at most `most` of them unanswered; `progress` counts
/// those that are answered.
pub async fn send_all(
    socket: &mut TestSocket,
    (sender, total): (usize, usize),
    most: usize,
    progress: Arc<AtomicUsize>,
) -> SenderAnswers {
    let mut answers = SenderAnswers::of(total);
    let (mut sent, mut answered, mut window) = (0, 0, most);
    let mut rest_until = None;
    while answered < total {
        let resting = rest_until.filter(|until| Instant::now() < *until);
        let under_way = sent - answered;
        if resting.is_none() && sent < total && under_way <= window / 2 {
            while sent < total && sent - answered < window {
                socket.feed(&message(sender, sent)).await;
                sent += 1;
            }
            socket.flush().await;
        }
        let wait = resting.map_or(ANSWER, |until| until - Instant::now());
        let frame = match timeout(wait, socket.next()).await {
            Ok(frame) => frame.unwrap_or_else(|code| panic!("sender {sender}: closed with {code}")),
            Err(_) if resting.is_some() => continue,
            Err(_) => panic!("sender {sender}: {under_way} are not answered"),
        };
        let Some(number) = frame["id"].as_str() else {
            continue;
        };
        let outcome = outcome_of(&frame);
        if outcome == "delivered" {
            window = (window * 2).min(most);
        } else {
            window = 1;
            rest_until = Some(Instant::now() + REST);
        }
        answers.add(number.parse().unwrap(), outcome);
        answered += 1;
        progress.fetch_add(1, Ordering::Relaxed);
    }
    // A second answer to one of them would be a breach.
    for frame in socket.drain().await {
        if let Some(number) = frame["id"].as_str() {
            answers.add(number.parse().unwrap(), outcome_of(&frame));
        }
    }
    answers
}

fn message(sender: usize, number: usize) -> Value {
    let head = format!("{sender} {number} ");
    let text = format!("{head:.<TEXT_BYTES$}");
    let data = json!({"to": BOT, "text": text, "messageId": format!("{sender}-{number}")});
    json!({"type": "message", "data": data, "id": number.to_string()})
}

/// A socket that takes messages in a task of its own, and registers the bot when it is told.
pub struct BotRecipient {
    registers: mpsc::Sender<oneshot::Sender<Value>>,
    arrived: Arc<AtomicUsize>,
    task: JoinHandle<(SocketArrivals, usize)>,
}

impl BotRecipient {
    pub fn start(socket: TestSocket) -> Self {
        let (registers, wanted) = mpsc::channel(1);
        let arrived = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(receive(socket, wanted, arrived.clone()));
        Self {
            registers,
            arrived,
            task,
        }
    }

    /// Registers [`BOT`], as often as it takes while the store is away; its epoch.
    pub async fn take_the_bot(&self) -> u64 {
        until("the bot is registered", async || {
            let (answer, answered) = oneshot::channel();
            self.registers.send(answer).await.unwrap();
            let answer = answered.await.expect("the socket stays open");
            match answer["type"].as_str() {
                Some("bot_registered") => answer["data"]["epoch"].as_u64(),
                _ => {
                    assert_eq!(answer["data"]["reason"], "store_unavailable", "{answer}");
                    None
                }
            }
        })
        .await
    }

    pub fn arrived(&self) -> usize {
        self.arrived.load(Ordering::Relaxed)
    }

    /// What it got, and how often it was told that it lost the bot.
    pub async fn stop(self) -> (SocketArrivals, usize) {
        drop(self.registers);
        self.task.await.unwrap()
    }
}

async fn receive(
    mut socket: TestSocket,
    mut registers: mpsc::Receiver<oneshot::Sender<Value>>,
    arrived: Arc<AtomicUsize>,
) -> (SocketArrivals, usize) {
    let (mut arrivals, mut replaced) = (SocketArrivals::new(), 0);
    let mut waiting = None;
    loop {
        // Both may be cancelled: what they have not given stays where it is.
        let frame = tokio::select! {
            wanted = registers.recv(), if waiting.is_none() => {
                let Some(wanted) = wanted else { return (arrivals, replaced) };
                waiting = Some(wanted);
                let data = json!({"botId": BOT});
                socket.send(&json!({"type": "register_bot", "data": data, "id": "r"})).await;
                continue;
            }
            frame = socket.next() => frame.expect("the socket stays open"),
        };
        match frame["type"].as_str() {
            Some("message") => {
                let text = frame["data"]["text"].as_str().unwrap();
                assert_eq!(text.len(), TEXT_BYTES);
                let mut words = text.split(' ').map(|word| word.parse());
                let mut number = || words.next().unwrap().unwrap();
                arrivals.push((number(), number()));
                arrived.fetch_add(1, Ordering::Relaxed);
            }
            Some("bot_unregistered") => replaced += 1,
            _ if frame["id"] == "r" => {
                let asked = waiting.take().expect("it was asked");
                // Who asked may have given up with its case.
                let _ = asked.send(frame);
            }
            _ => {}
        }
    }
}
