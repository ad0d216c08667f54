//! `keys using-old`: who still uses an old secret.

use gateway::config::ConfigPurpose;
use serde_json::json;

use crate::admin;
use crate::common_args::AdminArgs;
use crate::failure::CommandFailure;
use crate::out::{self, say, tell};

/// Lists the tenants whose open connections an old secret verified, one a line with their number.
pub async fn using_old(asked: AdminArgs) -> Result<(), CommandFailure> {
    let config = asked.config.load(ConfigPurpose::Admin)?;
    let mut path = "keys/using-old?limit=1000".to_owned();
    let mut users = Vec::new();
    let connections = loop {
        let mut page = admin::get(&config, &path).await?;
        for tenant in page["tenants"].as_array().into_iter().flatten() {
            let id = tenant["tenant"].as_str().unwrap_or("?");
            users.push((id.to_owned(), tenant["connections"].clone()));
        }
        match page["next"].as_str() {
            Some(next) => path = format!("keys/using-old?limit=1000&after={next}"),
            None => break page["connections"].take(),
        }
    };
    if asked.output.json {
        let users = users
            .iter()
            .map(|(user, connections)| json!({"user": user, "connections": connections}));
        let users: Vec<_> = users.collect();
        out::json(&json!({"connections": connections, "users": users}))?;
        return Ok(());
    }
    for (user, connections) in users {
        say!("{user} {connections}")?;
    }
    let (first, other) = (&connections["first"], connections["other"].as_u64());
    let other = other.unwrap_or(0);
    let verb = if other == 1 { "uses" } else { "use" };
    let other = out::count(other, "connection");
    tell!("{other} on this node {verb} an old secret; on the first secret: {first}");
    Ok(())
}
