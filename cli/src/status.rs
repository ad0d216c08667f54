//! `gateway status`: how the running gateway is.
//!
//! | exit | means |
//! | --- | --- |
//! | 0 | it serves, or it drains |
//! | 2 | it is degraded: it cannot reach the store |
//! | 69 | it does not answer, or it has not begun to serve |

use gateway::config::ConfigPurpose;
use serde_json::Value;

use crate::admin;
use crate::args::StatusArgs;
use crate::failure::CommandFailure;
use crate::out::{self, say};
use crate::term;

/// Asks the running gateway how it is.
pub async fn status(asked: StatusArgs) -> Result<(), CommandFailure> {
    let config = asked.config.load(ConfigPurpose::Admin)?;
    if asked.quiet {
        return admin::is_alive(&config).await;
    }
    let mut status = admin::get(&config, "status").await?;
    let is_cluster = status["store"]["kind"] == "redis";
    if is_cluster {
        status["cluster"] = admin::get(&config, "nodes").await?;
    }
    let cluster = &status["cluster"];
    if asked.output.json {
        out::json(&status)?;
    } else {
        own(&status)?;
        if is_cluster {
            show_cluster(cluster)?;
        }
    }
    match cluster["degraded"].as_bool() {
        Some(true) => Err(CommandFailure::degraded_as_told()),
        Some(false) | None => Ok(()),
    }
}

/// The node itself.
fn own(status: &Value) -> Result<(), CommandFailure> {
    let store = &status["store"];
    let state = match status["draining"].as_bool() {
        Some(true) => {
            let drain = &status["drain"];
            let phase = text(&drain["phase"]);
            let left = number(&drain["connections"]);
            format!("draining: {phase}, {left} connections left")
        }
        Some(false) | None => term::green("serving"),
    };
    say!("state        {state}")?;
    say!("version      {}", text(&status["version"]))?;
    say!("uptime       {} s", number(&status["uptime_ms"]) / 1000)?;
    say!("connections  {}", number(&status["connections"]))?;
    say!("tenants      {}", number(&status["tenants"]))?;
    if store["kind"] == "redis" {
        return say!("store        redis");
    }
    say!(
        "store        {}, {} of {} KiB",
        text(&store["kind"]),
        number(&store["bytes"]) / 1024,
        number(&store["bytes_max"]) / 1024
    )
}

/// The other nodes, and the lanes to them.
fn show_cluster(nodes: &Value) -> Result<(), CommandFailure> {
    let health = health(nodes);
    let redis = &nodes["redis"];
    let link = match (redis["connected"].as_bool(), redis["full"].as_bool()) {
        (Some(true), Some(true)) => "full: it refuses what needs memory",
        (Some(true), Some(false) | None) => "connected",
        (Some(false) | None, _) => "not connected",
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
        other_node(node, lane.unwrap_or(&Value::Null))?;
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
fn other_node(node: &Value, lane: &Value) -> Result<(), CommandFailure> {
    say!(
        "node         {} {} at {}, version {}, {}; lane {}: {} B unacked, {} B waiting, {} resent; secrets {}; wire {}",
        text(&node["name"]),
        text(&node["state"]),
        text(&node["address"]),
        text(&node["version"]),
        text(&node["boot"]),
        number(&lane["generation"]),
        number(&lane["unacked_bytes"]),
        number(&lane["waiting_bytes"]),
        number(&lane["resends"]),
        text(&node["secrets"]),
        node["speaks"],
    )?;
    misfit(node)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// The cluster in a few words.
fn health(nodes: &Value) -> String {
    let listed = nodes["nodes"].as_array().into_iter().flatten();
    let unreachable = listed.filter(|node| node["unreachable"].is_string());
    match (nodes["degraded"].as_bool(), unreachable.count()) {
        (Some(false), 0) => term::green("healthy"),
        (Some(false), number) => format!("{} unreachable", out::count(number as u64, "node")),
        (Some(true) | None, _) => {
            let cause = nodes["degraded_cause"].as_str();
            let cause = cause.unwrap_or("the node has not reached the store yet");
            let moving = match nodes["isolation"].as_str() {
                Some("cut_off" | "overdue") => "; its sockets move to other nodes",
                Some(_) | None => "",
            };
            format!("degraded: {cause}{moving}")
        }
    }
}

/// Says why a node cannot be reached, or whose credentials are refused where.
fn misfit(node: &Value) -> Result<(), CommandFailure> {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(degraded: bool, unreachable: [Value; 2], expected: &str) {
        let nodes = unreachable.map(|reason| json!({"boot": "b", "unreachable": reason}));
        let cause = "the subscription delivers nothing";
        let nodes = json!({
            "degraded": degraded, "degraded_cause": cause, "isolation": "cut_off", "nodes": nodes
        });
        assert!(health(&nodes).contains(expected), "{}", health(&nodes));
    }

    #[test]
    fn a_cluster_with_an_unreachable_node_is_not_well() {
        let no_secret = || json!("no_common_secret");
        check(false, [Value::Null, Value::Null], "healthy");
        check(false, [Value::Null, no_secret()], "1 node unreachable");
        check(false, [no_secret(), no_secret()], "2 nodes unreachable");
        let degraded =
            "degraded: the subscription delivers nothing; its sockets move to other nodes";
        check(true, [no_secret(), no_secret()], degraded);
    }
}
