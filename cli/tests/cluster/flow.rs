//! Somebody who says something again and again, whatever comes of it, and keeps a diary.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::interval;

use crate::socket::{CloseStatus, TestSocket, outcome_of};

/// How often it says something.
const EVERY: Duration = Duration::from_millis(100);

/// One message and what came of it.
#[derive(Debug, Clone)]
pub struct SendAttempt {
    pub sent: Instant,
    /// When it was answered, and with what.
    pub answer: Option<(Instant, String)>,
}

#[derive(Default)]
struct FlowLog {
    attempts: Vec<SendAttempt>,
    /// `bot_status` frames that came by, and anything else that nobody asked for.
    unasked: Vec<(Instant, String)>,
    closed: Option<CloseStatus>,
    answered_twice: usize,
}

/// A socket that talks until it is dropped.
pub struct MessageFlow {
    /// For messages of failures.
    pub name: String,
    diary: Arc<Mutex<FlowLog>>,
    task: JoinHandle<()>,
}

impl MessageFlow {
    /// Talks to a bot or client over this socket, which is not used for anything else.
    pub fn start(name: String, socket: TestSocket, to: String) -> Self {
        let diary = Arc::new(Mutex::new(FlowLog::default()));
        let task = tokio::spawn(talk(socket, to, diary.clone()));
        Self { name, diary, task }
    }

    /// What it said so far.
    pub fn attempts(&self) -> Vec<SendAttempt> {
        self.diary.lock().unwrap().attempts.clone()
    }

    /// When the first message that was sent at `since` or later was delivered.
    pub fn delivered_since(&self, since: Instant) -> Option<Instant> {
        let diary = self.diary.lock().unwrap();
        let sent = diary.attempts.iter().filter(|one| one.sent >= since);
        let answers = sent.filter_map(|one| one.answer.as_ref());
        let delivered = answers.filter(|(_, outcome)| outcome == "delivered");
        delivered.map(|(at, _)| *at).min()
    }

    /// How often each answer was given to messages that were sent between these two.
    pub fn outcomes(&self, from: Instant, to: Instant) -> BTreeMap<String, usize> {
        let mut outcomes = BTreeMap::new();
        for one in self.attempts() {
            if (from..to).contains(&one.sent) {
                let outcome = one.answer.map_or("none".to_owned(), |(_, outcome)| outcome);
                *outcomes.entry(outcome).or_default() += 1;
            }
        }
        outcomes
    }

    /// What came since then that was no answer, frame by frame.
    pub fn unasked_since(&self, since: Instant) -> Vec<String> {
        let diary = self.diary.lock().unwrap();
        let unasked = diary.unasked.iter().filter(|(at, _)| *at >= since);
        unasked.map(|(_, frame)| frame.clone()).collect()
    }

    /// Checks that the socket stands and nothing was answered twice.
    #[track_caller]
    pub fn is_sound(&self) {
        let diary = self.diary.lock().unwrap();
        assert_eq!(diary.closed, None, "{} was closed", self.name);
        assert_eq!(diary.answered_twice, 0, "{}", self.name);
    }
}

impl Drop for MessageFlow {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A socket that is read and takes what comes, so that it is no slow consumer.
pub struct SilentSocket(JoinHandle<CloseStatus>);

impl SilentSocket {
    pub fn start(mut socket: TestSocket) -> Self {
        Self(tokio::spawn(async move {
            loop {
                if let Err(code) = socket.next().await {
                    return code;
                }
            }
        }))
    }

    /// Checks that the socket stands.
    #[track_caller]
    pub fn is_sound(&self) {
        assert!(
            !self.0.is_finished(),
            "a socket that only listens was closed"
        );
    }
}

impl Drop for SilentSocket {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn talk(mut socket: TestSocket, to: String, diary: Arc<Mutex<FlowLog>>) {
    let mut ticks = interval(EVERY);
    for number in 0_usize.. {
        // `next` may be cancelled: what it has not given stays where it is.
        loop {
            tokio::select! {
                _ = ticks.tick() => break,
                frame = socket.next() => match frame {
                    Ok(frame) => diary.lock().unwrap().heard(&frame),
                    Err(code) => return diary.lock().unwrap().closed = Some(code),
                }
            }
        }
        let sent = Instant::now();
        diary
            .lock()
            .unwrap()
            .attempts
            .push(SendAttempt { sent, answer: None });
        let data = json!({"to": to, "text": format!("attempt {number}")});
        let frame = json!({"type": "message", "data": data, "id": number.to_string()});
        if let Err(code) = socket.try_send(&frame).await {
            return diary.lock().unwrap().closed = Some(code);
        }
    }
}

impl FlowLog {
    fn heard(&mut self, frame: &serde_json::Value) {
        let number = frame["id"].as_str().and_then(|id| id.parse::<usize>().ok());
        let Some(attempt) = number.and_then(|number| self.attempts.get_mut(number)) else {
            let frame = (Instant::now(), frame.to_string());
            return self.unasked.push(frame);
        };
        if attempt.answer.is_some() {
            self.answered_twice += 1;
        }
        attempt.answer = Some((Instant::now(), outcome_of(frame)));
    }
}
