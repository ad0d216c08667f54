//! A model server that OpenClaw's agents ask: it answers by script and remembers what it was given.
//!
//! It speaks the part of OpenAI's chat completions that OpenClaw uses: one streamed answer to
//! `POST /v1/chat/completions`. It calls no tools. A run of an agent is one request here, so the
//! number of requests with a user's text is the number of runs.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{DefaultBodyLimit, State};
use axum::response::sse::{Event, Sse};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::{Stream, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::world::until;

/// Marks the messages that OpenClaw adds by itself.
const INTERNAL: &str = "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>";
/// Begins what OpenClaw adds to a session's first message.
const RUNTIME: &str = "\n\nRuntime: agent=";
/// A request is some 40 KB of instructions and tools, and the history.
const REQUEST_BYTES_MAX: usize = 16 << 20;
/// An answer comes in pieces of at most this many characters, and in two at least.
const PIECE: usize = 8192;

/// The server; it lives as long as the test's runtime.
#[derive(Clone)]
pub struct ModelServer {
    state: Arc<Mutex<ModelBook>>,
    /// With `/v1`, as OpenClaw's configuration wants it.
    pub url: String,
}

/// What was asked, and what is to be said.
#[derive(Default)]
struct ModelBook {
    asked: Vec<AgentRun>,
    answers: HashMap<String, String>,
    holds: HashMap<String, watch::Receiver<bool>>,
}

/// One run of an agent.
#[derive(Clone, Debug)]
pub struct AgentRun {
    /// The model that was named: each agent has its own.
    pub model: String,
    /// What the user said last.
    pub text: String,
    /// All that the agent was given, as JSON.
    pub messages: String,
}

/// Runs of one text stop half way until this is released or dropped.
pub struct RunHold(watch::Sender<bool>);

impl RunHold {
    pub fn release(self) {
        self.0.send_replace(true);
    }
}

impl ModelServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let model = Self {
            state: Arc::default(),
            url: format!("http://{address}/v1"),
        };
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
            .with_state(model.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        model
    }

    /// Answers `text` with `answer`; every other text is answered by [`echo_of`].
    pub fn answer(&self, text: &str, answer: String) {
        self.book().answers.insert(text.to_owned(), answer);
    }

    /// Stops runs of `text` half way through their answer.
    pub fn hold(&self, text: &str) -> RunHold {
        let (sender, receiver) = watch::channel(false);
        self.book().holds.insert(text.to_owned(), receiver);
        RunHold(sender)
    }

    /// Every run so far of this text.
    pub fn runs(&self, text: &str) -> Vec<AgentRun> {
        let book = self.book();
        let of_text = book.asked.iter().filter(|asked| asked.text == text);
        of_text.cloned().collect()
    }

    /// Waits until an agent runs with this text.
    pub async fn asked(&self, text: &str) -> AgentRun {
        until(&format!("the model is asked {text:?}"), async || {
            self.runs(text).pop()
        })
        .await
    }

    /// Model and text of every run, to find out what went wrong.
    pub fn story(&self) -> String {
        let book = self.book();
        let lines = book.asked.iter();
        let lines = lines.map(|asked| format!("{}: {:.100?}\n", asked.model, asked.text));
        lines.collect()
    }

    fn book(&self) -> MutexGuard<'_, ModelBook> {
        self.state.lock().unwrap()
    }
}

/// What the model says unless it is told otherwise.
pub fn echo_of(text: &str) -> String {
    format!("echo: {text}")
}

async fn complete(
    State(model): State<ModelServer>,
    Json(request): Json<Value>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let name = request["model"].as_str().unwrap_or_default().to_owned();
    let text = said_last(&request);
    let (answer, hold) = {
        let mut book = model.book();
        book.asked.push(AgentRun {
            model: name.clone(),
            text: text.clone(),
            messages: request["messages"].to_string(),
        });
        let answer = book.answers.get(&text).cloned();
        let hold = book.holds.get(&text).cloned();
        (answer.unwrap_or_else(|| echo_of(&text)), hold)
    };
    let pieces = pieces(&answer);
    let half = pieces.len() / 2;
    let mut events: Vec<Value> = pieces
        .iter()
        .map(|piece| chunk(&name, json!({"content": piece}), None))
        .collect();
    events.push(chunk(&name, json!({}), Some("stop")));
    let events = stream::unfold((0, hold), move |(index, mut hold)| {
        let event = match events.get(index) {
            Some(event) => Some(Event::default().data(event.to_string())),
            None if index == events.len() => Some(Event::default().data("[DONE]")),
            None => None,
        };
        async move {
            if index == half
                && let Some(hold) = &mut hold
            {
                // A hold that was dropped is released.
                let _ = hold.wait_for(|released| *released).await;
            }
            event.map(|event| (Ok(event), (index + 1, hold)))
        }
    });
    Sse::new(events)
}

fn chunk(model: &str, delta: Value, finish: Option<&str>) -> Value {
    let mut chunk = json!({
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    });
    if finish.is_some() {
        chunk["usage"] = json!({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2});
    }
    chunk
}

/// The answer in order, in an even number of pieces as long as each other.
fn pieces(answer: &str) -> Vec<String> {
    let letters: Vec<char> = answer.chars().collect();
    let count = letters.len().div_ceil(PIECE).next_multiple_of(2).max(2);
    let length = letters.len().div_ceil(count).max(1);
    letters.chunks(length).map(String::from_iter).collect()
}

/// The last line that the user said, without what OpenClaw wraps around it:
/// `[Sat 2026-11-21 09:20 UTC] hello` or `…context…\n\nhello`, then perhaps `Runtime: …`.
fn said_last(request: &Value) -> String {
    let messages = request["messages"].as_array().into_iter().flatten();
    let said = messages
        .filter(|message| message["role"] == "user")
        .map(|message| content_of(&message["content"]))
        .rfind(|text| !text.starts_with(INTERNAL))
        .unwrap_or_default();
    let said = said.split(RUNTIME).next().unwrap_or_default();
    let line = said.trim_end().lines().last().unwrap_or_default();
    match line.split_once(" UTC] ") {
        Some((date, text)) if date.starts_with('[') => text.to_owned(),
        Some(_) | None => line.to_owned(),
    }
}

fn content_of(content: &Value) -> String {
    match content.as_str() {
        Some(text) => text.to_owned(),
        None => {
            let parts = content.as_array().into_iter().flatten();
            parts.filter_map(|part| part["text"].as_str()).collect()
        }
    }
}
