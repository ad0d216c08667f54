//! What all cases share: one model server, one gateway, one OpenClaw; and how to wait.

use std::path::PathBuf;
use std::time::Duration;

use fixtures::{last_lines, until_within};
use tempfile::TempDir;
use tokio::time::interval;

use crate::gateway::{NodeCount, OwnerGateway};
use crate::model::ModelServer;
use crate::openclaw::{OpenClaw, OpenClawTools};
use crate::phone::TestPhone;

/// Nothing here takes so long unless it hangs; OpenClaw's start has taken 25 s on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(90);
/// How often a condition is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Lines of each log that are shown when a case fails.
const TAIL: usize = 60;

/// The bots of the two agents.
pub const BOTS: [&str; 2] = ["bot_coder", "bot_main"];

pub struct TestWorld {
    pub model: ModelServer,
    pub gateway: OwnerGateway,
    pub openclaw: OpenClaw,
    place: TestFolder,
}

impl TestWorld {
    /// Model and gateway up, OpenClaw installed.
    pub async fn new(tools: OpenClawTools, nodes: NodeCount) -> Self {
        let place = TestFolder(tempfile::tempdir().unwrap());
        let model = ModelServer::start().await;
        let gateway = OwnerGateway::start(&place, nodes).await;
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

    /// Waits until an agent answers. The first run after an installation can find the state of OpenClaw
    /// locked by its own start; it fails then, and the owner is told to look into the log.
    pub async fn agent_answers(&self) {
        until("an agent answers", async || {
            let mut command = self
                .gateway
                .t2b_client(&["chat", "bot_main", "--text", "first"]);
            let output = command.output().await.ok()?;
            (output.stdout == b"echo: first\n").then_some(())
        })
        .await;
    }

    /// Waits until these bots are online, and no others. In order.
    pub async fn bots_are_online(&self, bots: &[&str]) {
        until(&format!("the bots online are {bots:?}"), async || {
            let phone = TestPhone::try_connect(&self.gateway, "watcher")
                .await
                .ok()?;
            (phone.bots_online().await? == bots).then_some(())
        })
        .await;
    }

    /// What the processes printed last.
    pub fn tails(&self) -> String {
        let tail = |name: &str| {
            let lines = last_lines(&self.place.file(name), TAIL);
            format!("--- {name}\n{lines}\n")
        };
        let story = self.model.story();
        format!(
            "{}{}{}--- the model was asked\n{story}",
            tail("gateway.log"),
            tail("client-node.log"),
            tail("openclaw.log")
        )
    }

    /// Everything that any process has printed or logged.
    pub fn printed(&self) -> String {
        let printed = |name| std::fs::read_to_string(self.place.file(name));
        let own = self.openclaw.own_log();
        // There is one only with two nodes.
        let client_node = printed("client-node.log").unwrap_or_default();
        let [gateway, openclaw] = ["gateway.log", "openclaw.log"].map(|log| printed(log).unwrap());
        [gateway, openclaw, client_node, own].concat()
    }
}

/// A folder that goes with the test.
pub struct TestFolder(TempDir);

impl TestFolder {
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.file(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Waits until `look` returns something. Panics: it returns nothing within [`DEADLINE`].
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    // Many looks are connections: OpenClaw, which starts meanwhile, has to serve them.
    let mut looks = interval(LOOK_AGAIN);
    until_within(DEADLINE, what, async || {
        looks.tick().await;
        look().await
    })
    .await
}
