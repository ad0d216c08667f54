//! A receiver over HTTP, with faults.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use fixtures::{DEADLINE, send_signal};
use rustls::ServerConfig;

use super::billing::{BilledEvents, BilledTotals, MockKind};
use super::server::{MockReply, MockRequest, serve_with};

/// What goes wrong with one request. The next one has the next fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiverFault {
    /// It is lost on its way: the connection closes, nothing is taken.
    LostRequest,
    /// It is taken, and the answer is lost.
    LostAnswer,
    /// It is taken, and the answer does not come until the test is over.
    LateAnswer,
    /// It is taken, and the answer is not one of this receiver.
    Garbage,
    /// It is not taken, and a proxy answers with a page and 200.
    GarbageOfProxy,
    /// It is not taken: a status.
    Status(u16),
    /// It is not taken: 400 with this text.
    Refusal(&'static str),
    /// It is not taken: 429 with a `Retry-After` in seconds.
    Busy(u64),
    /// It is not taken: 503 with a `Retry-After`, in seconds or as a date.
    Unavailable(&'static str),
    /// The exporter is killed when its request has come, before it is taken.
    KillBefore,
    /// The exporter is killed when its request is taken, before the answer.
    KillAfter,
    /// Nothing goes wrong.
    None,
}

/// A receiver with a clock of its own.
pub struct MockReceiver {
    pub kind: MockKind,
    pub url: String,
    shared: Arc<ReceiverShared>,
}

struct ReceiverShared {
    content: Mutex<ReceiverContent>,
    /// Told when the process is known, and when the test is over.
    changed: Condvar,
}

struct ReceiverContent {
    events: BilledEvents,
    faults: VecDeque<ReceiverFault>,
    requests: Vec<String>,
    /// The header `authorization` of the last request.
    authorization: Option<String>,
    /// How far the clock is ahead of this machine's, milliseconds.
    ahead_ms: u64,
    /// The exporter that a fault kills.
    pid: Option<u32>,
    is_over: bool,
}

impl MockReceiver {
    pub fn start(kind: MockKind) -> Self {
        Self::start_with(kind, None)
    }

    /// A receiver behind TLS, as `localhost`.
    pub fn start_tls(kind: MockKind, tls: ServerConfig) -> Self {
        let mut receiver = Self::start_with(kind, Some(Arc::new(tls)));
        receiver.url = receiver
            .url
            .replace("http://127.0.0.1", "https://localhost");
        receiver
    }

    fn start_with(kind: MockKind, tls: Option<Arc<ServerConfig>>) -> Self {
        let shared = Arc::new(ReceiverShared {
            content: Mutex::new(ReceiverContent {
                events: BilledEvents::new(kind),
                faults: VecDeque::new(),
                requests: Vec::new(),
                authorization: None,
                ahead_ms: 0,
                pid: None,
                is_over: false,
            }),
            changed: Condvar::new(),
        });
        let served = Arc::clone(&shared);
        let address = serve_with(tls, move |request| served.answer(&request));
        Self {
            kind,
            url: format!("http://{address}{}", kind.path()),
            shared,
        }
    }

    /// Adds faults for the next requests.
    pub fn fail(&self, faults: &[ReceiverFault]) {
        self.with(|content| content.faults.extend(faults));
    }

    /// Takes the faults away that no request met.
    pub fn heal(&self) {
        self.with(|content| content.faults.clear());
    }

    /// Sets the clock.
    pub fn be_ahead(&self, ahead_ms: u64) {
        self.with(|content| content.ahead_ms = ahead_ms);
    }

    /// The exporter that a fault kills. It is not waited for before the fault has happened.
    pub fn watch(&self, pid: u32) {
        self.with(|content| content.pid = Some(pid));
        self.shared.changed.notify_all();
    }

    pub fn forget_process(&self) {
        self.with(|content| content.pid = None);
    }

    pub fn totals(&self) -> BilledTotals {
        self.with(|content| content.events.totals())
    }

    /// The bodies of all requests.
    pub fn requests(&self) -> Vec<String> {
        self.with(|content| content.requests.clone())
    }

    pub fn authorization(&self) -> Option<String> {
        self.with(|content| content.authorization.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut ReceiverContent) -> T) -> T {
        let content = self.shared.content.lock();
        // A request that has not the form of this receiver panics in the thread of its connection.
        act(&mut content.unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for MockReceiver {
    fn drop(&mut self) {
        self.with(|content| content.is_over = true);
        self.shared.changed.notify_all();
    }
}

impl ReceiverShared {
    fn answer(&self, request: &MockRequest) -> MockReply {
        let mut content = self.content.lock().unwrap();
        content.requests.push(request.body.clone());
        content.authorization = request.header("authorization").map(str::to_owned);
        let fault = content.faults.pop_front().unwrap_or(ReceiverFault::None);
        match fault {
            ReceiverFault::LostRequest => return MockReply::Cut,
            ReceiverFault::Status(status) => {
                // Some receivers repeat the key that they refuse.
                let body = format!("no: {:?}", content.authorization);
                return MockReply::Answer(status, String::new(), body);
            }
            ReceiverFault::Busy(seconds) => {
                let header = format!("retry-after: {seconds}\r\n");
                return MockReply::Answer(429, header, String::new());
            }
            ReceiverFault::Refusal(text) => {
                return MockReply::Answer(400, String::new(), text.to_owned());
            }
            ReceiverFault::Unavailable(retry_after) => {
                let header = format!("retry-after: {retry_after}\r\n");
                return MockReply::Answer(503, header, String::new());
            }
            ReceiverFault::GarbageOfProxy => return garbage(),
            ReceiverFault::KillBefore => {
                drop(content);
                self.kill();
                return MockReply::Cut;
            }
            ReceiverFault::LostAnswer
            | ReceiverFault::LateAnswer
            | ReceiverFault::Garbage
            | ReceiverFault::KillAfter
            | ReceiverFault::None => {}
        }
        let now_ms = unix_ms() + content.ahead_ms;
        let reply = content.events.take(request, now_ms);
        drop(content);
        // The events are taken: from here on only the answer can fail.
        if fault == ReceiverFault::None {
            return reply;
        }
        if fault == ReceiverFault::Garbage {
            return garbage();
        }
        if fault == ReceiverFault::LateAnswer {
            self.wait(|content| content.is_over.then_some(()));
        }
        if fault == ReceiverFault::KillAfter {
            self.kill();
        }
        MockReply::Cut
    }

    fn kill(&self) {
        if let Some(pid) = self.wait(|content| content.pid) {
            send_signal("-KILL", pid);
        }
    }

    /// Waits until something is true, or the test is over.
    fn wait<T>(&self, look: impl Fn(&ReceiverContent) -> Option<T>) -> Option<T> {
        let content = self.content.lock().unwrap();
        let waits = |content: &mut ReceiverContent| look(content).is_none() && !content.is_over;
        let waited = self.changed.wait_timeout_while(content, DEADLINE, waits);
        look(&waited.unwrap().0)
    }
}

fn garbage() -> MockReply {
    let page = "<html><body>Please log in</body></html>";
    MockReply::Answer(200, String::new(), page.to_owned())
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}
