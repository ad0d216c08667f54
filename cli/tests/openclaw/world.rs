//! What all cases share: one model server, one gateway, one OpenClaw; and how to wait.

use std::iter;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::time::interval;

use crate::gateway::{Gateway, Nodes};
use crate::model::Model;
use crate::openclaw::{OpenClaw, Tools};
use crate::phone::Phone;

/// Nothing here takes so long unless it hangs; OpenClaw's start has taken 25 s on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(90);
/// How often a condition is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Lines of each log that are shown when a case fails.
const TAIL: usize = 60;

/// The bots of the two agents.
pub const BOTS: [&str; 2] = ["bot_coder", "bot_main"];

pub struct World {
    pub model: Model,
    pub gateway: Gateway,
    pub openclaw: OpenClaw,
    place: Place,
}

impl World {
    /// Model and gateway up, OpenClaw installed.
    pub async fn new(tools: Tools, nodes: Nodes) -> Self {
        let place = Place(tempfile::tempdir().unwrap());
        let model = Model::start().await;
        let gateway = Gateway::start(&place, nodes).await;
        let openclaw = OpenClaw::install(tools, &place, &model, &gateway).await;
        Self {
            model,
            gateway,
            openclaw,
            place,
        }
    }

    /// Starts OpenClaw.
    pub async fn start(&mut self) {
        self.openclaw.start().await;
        self.bots_are_online(&BOTS).await;
    }

    /// Waits until these bots are online, and no others. In order.
    pub async fn bots_are_online(&self, bots: &[&str]) {
        until(&format!("the bots online are {bots:?}"), async || {
            let phone = Phone::try_connect(&self.gateway, "watcher").await.ok()?;
            (phone.bots_online().await? == bots).then_some(())
        })
        .await;
    }

    /// What the processes printed last.
    pub fn tails(&self) -> String {
        let tail = |name: &str| {
            let text = std::fs::read_to_string(self.place.file(name)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(TAIL);
            format!("--- {name}\n{}\n", lines[from..].join("\n"))
        };
        let story = self.model.story();
        format!(
            "{}{}{}--- the model was asked\n{story}",
            tail("gateway.log"),
            tail("door.log"),
            tail("openclaw.log")
        )
    }

    /// Everything that any process has printed or logged.
    pub fn printed(&self) -> String {
        let printed = |name| std::fs::read_to_string(self.place.file(name));
        let own = self.openclaw.own_log();
        // There is a door only with two nodes.
        let door = printed("door.log").unwrap_or_default();
        let [gateway, openclaw] = ["gateway.log", "openclaw.log"].map(|log| printed(log).unwrap());
        [gateway, openclaw, door, own].concat()
    }
}

/// A folder that goes with the test.
pub struct Place(TempDir);

impl Place {
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.file(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A port that is free now, for a process that has to keep its port. Linux gives out 32768 and above
/// to everybody else.
pub fn free_port() -> u16 {
    let mut drawn = iter::repeat_with(|| fastrand::u16(10_000..30_000));
    let free = drawn.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.expect("the draws do not end")
}

/// Looks again and again until there is something.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    let mut ticks = interval(LOOK_AGAIN);
    loop {
        ticks.tick().await;
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "after {} s it is still not so that {what}",
            DEADLINE.as_secs()
        );
    }
}
