//! `gateway run`, `status`, `config`.

use gateway::config::{Config, ConfigPurpose, LogFormat};
use gateway::{GatewayShutdown, ListenAddresses, StartingGateway, telemetry};

use crate::admin;
use crate::args::InspectArgs;
use crate::common_args::AdminArgs;
use crate::config_args::AllKeys;
use crate::failure::CommandFailure;
use crate::out::{self, say};
use crate::{signals, term};

/// The commit that this program was built from; `unknown`, if the build did not know it.
pub const COMMIT: &str = env!("BUILD_COMMIT");

/// Serves until SIGTERM or Ctrl-C; a second one ends it now. Redis is waited for as long as it takes.
pub async fn run(config: AllKeys) -> Result<(), CommandFailure> {
    let shutdown = signals::handle()?;
    let Some(config) = loaded(config, &shutdown).await? else {
        return Ok(());
    };
    let telemetry =
        telemetry::init(&config).map_err(|error| CommandFailure::usage("config", error))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let ended = serve(config, shutdown).await;
    telemetry.end().await;
    ended
}

async fn serve(config: Config, shutdown: GatewayShutdown) -> Result<(), CommandFailure> {
    let said = StartFacts::of(&config);
    let starting = StartingGateway::begin(config, shutdown, COMMIT)?;
    let Some(gateway) = starting.finish().await? else {
        return Ok(());
    };
    // The log has the reason, if the line cannot be printed: it serves on.
    if let Err(failure) = said.announce(gateway.addresses()) {
        tracing::warn!("the line that says where it listens cannot be printed: {failure}");
    }
    let ended = gateway.run().await;
    ended.map_err(|error| CommandFailure::failed("gateway", error))
}

/// The checked configuration; none: it was shut down before. Files are read beside the runtime, as one
/// of them may be a pipe or on a disk that is away.
async fn loaded(
    config: AllKeys,
    shutdown: &GatewayShutdown,
) -> Result<Option<Config>, CommandFailure> {
    let load = tokio::task::spawn_blocking(move || config.load_silently(ConfigPurpose::Serve));
    tokio::select! {
        loaded = load => match loaded {
            Ok(loaded) => loaded.map(Some),
            Err(error) => Err(CommandFailure::failed("config", error)),
        },
        () = shutdown.begun() => Ok(None),
    }
}

/// Asks the running gateway how it is.
pub async fn status(inspect: AdminArgs) -> Result<(), CommandFailure> {
    let json = inspect.output.json;
    let config = inspect.config.load(ConfigPurpose::Admin)?;
    let mut status = admin::get(&config, "status").await?;
    if json {
        if status["store"]["kind"] == "redis" {
            status["cluster"] = admin::get(&config, "nodes").await?;
        }
        out::json(&status)?;
        return Ok(());
    }
    let store = &status["store"];
    let state = match status["draining"].as_bool() {
        Some(true) => "draining".to_owned(),
        Some(false) | None => term::green("serving"),
    };
    say!("state        {state}")?;
    say!("version      {}", status["version"].as_str().unwrap_or("?"))?;
    say!("uptime       {} s", number(&status["uptime_ms"]) / 1000)?;
    say!("connections  {}", number(&status["connections"]))?;
    say!("tenants      {}", number(&status["tenants"]))?;
    if store["kind"] == "redis" {
        say!("store        redis")?;
        return cluster(&config).await;
    }
    say!(
        "store        {}, {} of {} KiB",
        store["kind"].as_str().unwrap_or("?"),
        number(&store["bytes"]) / 1024,
        number(&store["bytes_max"]) / 1024
    )?;
    Ok(())
}

/// The other nodes, and the lanes to them.
async fn cluster(config: &Config) -> Result<(), CommandFailure> {
    let nodes = admin::get(config, "nodes").await?;
    let health = health(&nodes);
    let redis = &nodes["redis"];
    let link = match redis["connected"].as_bool() {
        Some(true) => "connected",
        Some(false) | None => "not connected",
    };
    say!(
        "redis        {link}, {}, version {}, {} reconnects, last error: {}",
        text(&redis["kind"]),
        text(&redis["version"]),
        number(&redis["reconnects"]),
        redis["last_error"].as_str().unwrap_or("none"),
    )?;
    say!("cluster      {health}")?;
    say!(
        "this node    {} beat {}",
        text(&nodes["self"]),
        number(&nodes["beat"])
    )?;
    say!(
        "secrets      {}; wire {}",
        text(&nodes["secrets"]),
        nodes["wire"]
    )?;
    for node in nodes["nodes"].as_array().into_iter().flatten() {
        let lanes = nodes["lanes"].as_array();
        let lane = lanes.and_then(|lanes| lanes.iter().find(|lane| lane["to"] == node["boot"]));
        other_node(node, lane.unwrap_or(&serde_json::Value::Null))?;
    }
    say!(
        "directory    {} tenants, {} bots, {} connections, compared every {} ms",
        number(&nodes["directory"]["tenants"]),
        number(&nodes["directory"]["bots"]),
        number(&nodes["directory"]["connections"]),
        number(&nodes["directory"]["compare_ms"])
    )?;
    Ok(())
}

/// Another node, and the lane to it.
fn other_node(node: &serde_json::Value, lane: &serde_json::Value) -> Result<(), CommandFailure> {
    say!(
        "node         {} {} {} beat {}; lane {}: {} B unacked, {} B waiting, {} resent; secrets {}; wire {}",
        text(&node["boot"]),
        text(&node["name"]),
        text(&node["state"]),
        number(&node["beat"]),
        number(&lane["generation"]),
        number(&lane["unacked_bytes"]),
        number(&lane["waiting_bytes"]),
        number(&lane["resends"]),
        text(&node["secrets"]),
        node["speaks"],
    )?;
    misfit(node)
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn number(value: &serde_json::Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// The cluster in a few words.
fn health(nodes: &serde_json::Value) -> String {
    let listed = nodes["nodes"].as_array().into_iter().flatten();
    let unreachable = listed.filter(|node| node["unreachable"].is_string());
    match (nodes["degraded"].as_bool(), unreachable.count()) {
        (Some(false), 0) => term::green("healthy"),
        (Some(false), number) => format!("{} unreachable", out::count(number as u64, "node")),
        (Some(true) | None, _) => "degraded: the store does not answer".to_owned(),
    }
}

/// Says why a node cannot be reached, or whose credentials are refused where.
fn misfit(node: &serde_json::Value) -> Result<(), CommandFailure> {
    if let Some(reason) = node["unreachable"].as_str() {
        let wire = &node["wire"];
        say!("             unreachable: {reason}; it reads wire versions {wire}")?;
    }
    if node["refuses_our_credentials"] == true {
        say!("             it refuses credentials issued here: it lacks our first secret")?;
    }
    if node["credentials_refused_here"] == true {
        say!("             its credentials are refused here: we lack its first secret")?;
    }
    Ok(())
}

/// Prints the configuration that holds.
pub fn show_config(inspect: InspectArgs) -> Result<(), CommandFailure> {
    let text = inspect.config.load(ConfigPurpose::Show)?.effective_toml();
    if inspect.output.json {
        let facts = toml::from_str(&text).map_err(|error| CommandFailure::failed("json", error))?;
        out::json(&facts)?;
        return Ok(());
    }
    out::raw(format_args!("{text}"))
}

/// What the start line needs of a configuration that the gateway takes over.
struct StartFacts {
    scheme: &'static str,
    base_path: String,
    secret_file: Option<String>,
    json: bool,
}

impl StartFacts {
    fn of(config: &Config) -> Self {
        let path = config.secret_made_in.as_ref();
        Self {
            scheme: if config.tls.is_some() { "wss" } else { "ws" },
            base_path: config.base_path.clone(),
            secret_file: path.map(|path| path.display().to_string()),
            json: config.log_format == LogFormat::Json,
        }
    }

    /// One line for a person, or one event for a collector of logs.
    fn announce(&self, addresses: ListenAddresses) -> Result<(), CommandFailure> {
        let ListenAddresses { public, admin } = addresses;
        let url = format!("{}://{public}{}/ws", self.scheme, self.base_path);
        let secret_file = self.secret_file.as_deref();
        if self.json {
            tracing::info!(%url, %admin, secret_file, "listening");
            return Ok(());
        }
        let secret = secret_file.map_or(String::new(), |path| format!(", secret in {path}"));
        say!("listening: {url}, admin http://{admin}{secret}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(degraded: bool, unreachable: [Value; 2], expected: &str) {
        let nodes = unreachable.map(|reason| json!({"boot": "b", "unreachable": reason}));
        let nodes = json!({"degraded": degraded, "nodes": nodes});
        assert!(health(&nodes).contains(expected), "{}", health(&nodes));
    }

    #[test]
    fn a_cluster_with_an_unreachable_node_is_not_well() {
        let no_secret = || json!("no_common_secret");
        check(false, [Value::Null, Value::Null], "healthy");
        check(false, [Value::Null, no_secret()], "1 node unreachable");
        check(false, [no_secret(), no_secret()], "2 nodes unreachable");
        check(true, [no_secret(), no_secret()], "degraded");
    }
}
