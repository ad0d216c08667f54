//! The real OpenClaw with our plugin, in a home of its own and without any network but loopback.
//!
//! Two agents, `main` and `coder`, each with a model of its own name. What switches what off was
//! found by running it: the variables and the configuration below are all that it takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use fixtures::{LoggedProcess, free_port, skip, tool};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::gateway::OwnerGateway;
use crate::model::ModelServer;
use crate::world::{TestFolder, until};

/// OpenClaw's own log, beside what it prints.
const OWN_LOG: &str = "own.log";
/// Where the configuration finds the key, as the plugin's README advises.
const KEY_VARIABLE: &str = "TUNNEL_API_KEY";
/// Node's code cache.
const COMPILE_CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/node-compile-cache");
/// How long it gets to end by itself.
const END: Duration = Duration::from_secs(15);

/// What the environment gives: programs that are installed elsewhere, and the built plugin.
pub struct OpenClawTools {
    node: PathBuf,
    openclaw: PathBuf,
    plugin: PathBuf,
}

impl OpenClawTools {
    /// None, with a printed reason, if something is missing and need not be there.
    pub fn find() -> Option<Self> {
        let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openclaw-plugin");
        let node = tool("TEST_NODE", "the program `node` of Node 24")?;
        let openclaw = tool("TEST_OPENCLAW", "the program `openclaw` 2026.9.6")?;
        if !plugin.join("dist/index.js").exists() {
            skip("openclaw-plugin/dist is missing; `make plugin-build` builds it");
            return None;
        }
        Some(Self {
            node,
            openclaw,
            plugin: plugin.canonicalize().unwrap(),
        })
    }
}

/// The process, and what stays when it is killed: its home, its port, its configuration.
pub struct OpenClaw {
    tools: OpenClawTools,
    home: PathBuf,
    key: String,
    port: u16,
    log: PathBuf,
    process: Option<LoggedProcess>,
}

/// How a command ended, and all that it printed.
#[derive(Debug)]
pub struct EndedCommand {
    pub code: Option<i32>,
    pub said: String,
}

impl OpenClaw {
    /// Configures it as the plugin's README says: the plugin first, then the channel.
    pub async fn install(
        tools: OpenClawTools,
        place: &TestFolder,
        model: &ModelServer,
        gateway: &OwnerGateway,
    ) -> Self {
        let openclaw = Self {
            tools,
            home: place.folder("openclaw"),
            key: gateway.key.clone(),
            port: free_port(),
            log: place.file("openclaw.log"),
            process: None,
        };
        for folder in ["state", "tmp", "workspace"] {
            fs::create_dir(openclaw.home.join(folder)).unwrap();
        }
        let config = openclaw.base_config(&model.url);
        fs::write(openclaw.config_path(), config.to_string()).unwrap();
        let plugin = openclaw.tools.plugin.to_str().unwrap();
        let (url, key) = (gateway.url(), format!("${{{KEY_VARIABLE}}}"));
        for args in [
            &[
                "plugins",
                "install",
                plugin,
                "--force",
                "--accept-capabilities",
            ][..],
            &["config", "set", "channels.tunnel.serverUrl", &url],
            &["config", "set", "channels.tunnel.apiKey", &key],
        ] {
            let ended = openclaw.run(args).await;
            assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.said);
        }
        openclaw.configure(|config| {
            config["plugins"]["allow"] = json!(["tunnel"]);
            // Short, so that five restarts do not wait for a backoff of half a minute.
            config["channels"]["tunnel"]["reconnectInterval"] = json!(200);
        });
        openclaw
    }

    /// Changes the configuration file. It is read at the start, and again when it changes.
    pub fn configure(&self, change: impl FnOnce(&mut Value)) {
        let text = fs::read_to_string(self.config_path()).unwrap();
        let mut config = serde_json::from_str(&text).unwrap();
        change(&mut config);
        fs::write(self.config_path(), config.to_string()).unwrap();
    }

    /// Starts it, and waits until it serves.
    pub async fn start(&mut self) {
        let command = self.command(&["gateway", "run"]);
        let mut process = LoggedProcess::spawn(command, &self.log);
        let address = format!("127.0.0.1:{}", self.port);
        until("OpenClaw listens", async || {
            let ended = process.exit_status();
            assert!(ended.is_none(), "OpenClaw ended: {ended:?}");
            TcpStream::connect(&address).await.ok()
        })
        .await;
        // Its channels connect before: a message that comes then may find its state locked.
        until("OpenClaw is ready", async || {
            process.printed().contains("[gateway] ready").then_some(())
        })
        .await;
        self.process = Some(process);
    }

    /// Kills it as a power cut does. Its helper processes end when it is gone.
    pub fn kill(&mut self) {
        drop(self.process.take().expect("it runs"));
    }

    /// Asks it to end as a supervisor would, and checks that it does.
    pub async fn stop(&mut self) {
        let process = self.process.take().expect("it runs");
        process.terminate(END).await;
    }

    /// Runs an `openclaw` command to its end.
    pub async fn run(&self, args: &[&str]) -> EndedCommand {
        let mut command = Command::from(self.command(args));
        let output = command.kill_on_drop(true).output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        EndedCommand {
            code: output.status.code(),
            said: String::from_utf8_lossy(&said).into_owned(),
        }
    }

    /// What it wrote to its log file.
    pub fn own_log(&self) -> String {
        fs::read_to_string(self.home.join(OWN_LOG)).unwrap()
    }

    fn config_path(&self) -> PathBuf {
        self.home.join("openclaw.json")
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let folder = self.tools.node.parent().expect("a program is in a folder");
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display());
        let mut command = std::process::Command::new(&self.tools.node);
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", &self.home)
            .env("TMPDIR", self.home.join("tmp"))
            .env("NO_COLOR", "1")
            // One for all homes and runs: each start of OpenClaw reads 300 MB of JavaScript.
            .env("NODE_COMPILE_CACHE", COMPILE_CACHE)
            .env("OPENCLAW_PACKAGED_COMPILE_CACHE_RESPAWNED", "1")
            .env(KEY_VARIABLE, &self.key)
            .env("OPENCLAW_HOME", &self.home)
            .env("OPENCLAW_STATE_DIR", self.home.join("state"))
            .env("OPENCLAW_CONFIG_PATH", self.config_path())
            .env("OPENCLAW_OFFLINE", "1")
            .env("OPENCLAW_NO_AUTO_UPDATE", "1")
            .env("OPENCLAW_DISABLE_BONJOUR", "1")
            .env("OPENCLAW_SKIP_CRON", "1")
            .env("OPENCLAW_SKIP_GMAIL_WATCHER", "1")
            .env("OPENCLAW_EXEC_SHELL_SNAPSHOT", "0")
            // One process, whose id is the one to kill.
            .env("OPENCLAW_NO_RESPAWN", "1")
            .arg(&self.tools.openclaw)
            .args(args)
            .current_dir(&self.home)
            .stdin(Stdio::null());
        command
    }

    fn agent(&self, id: &str) -> Value {
        json!({
            "workspace": self.home.join("workspace").join(id),
            "model": format!("mock/{id}"),
            "utilityModel": "",
        })
    }

    fn base_config(&self, model_url: &str) -> Value {
        json!({
            "update": {"checkOnStart": false},
            "telemetry": {"enabled": false},
            "logging": {"file": self.home.join(OWN_LOG)},
            "discovery": {"mdns": {"mode": "off"}},
            "cron": {"enabled": false},
            "browser": {"enabled": false},
            "plugins": {"enabled": true},
            "gateway": {
                "mode": "local",
                "port": self.port,
                "bind": "loopback",
                "controlUi": {"enabled": false},
                "auth": {"mode": "token", "token": "any-token-0123456789abcdef"},
            },
            "agents": {
                "ownership": "explicit",
                "defaults": {
                    "skipBootstrap": true,
                    "model": {"primary": "mock/main"},
                    "heartbeat": {"every": "0m"},
                    // With two agents, somebody has to own what `openclaw message send` does.
                    "systemAgent": {"agentId": "main"},
                },
                "entries": {"main": self.agent("main"), "coder": self.agent("coder")},
            },
            "models": {
                "mode": "merge",
                "catalogRefresh": {"enabled": false},
                "providers": {
                    "mock": {
                        "baseUrl": model_url,
                        "apiKey": "sk-local",
                        "api": "openai-completions",
                        "models": [model("main"), model("coder")],
                    },
                },
            },
        })
    }
}

fn model(id: &str) -> Value {
    json!({
        "id": id,
        "name": id,
        "reasoning": false,
        "input": ["text"],
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
        "contextWindow": 1_000_000,
        "maxTokens": 200_000,
    })
}
