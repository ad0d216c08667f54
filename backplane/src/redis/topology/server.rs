//! What a server says of itself, and whether that will do.

use super::address::ServerAddress;
use super::url::RedisKind;
use crate::redis::error::ConnectError;
use crate::redis::pool::admin::AdminPool;

/// The oldest version that will do: sharded pub/sub, functions of scripts.
const MAJOR_MIN: u32 = 7;

/// What operators want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::redis) struct ServerInfo {
    pub(in crate::redis) version: String,
    /// Whether it writes every change to a file.
    pub(in crate::redis) persistent: bool,
    /// Whether it throws away any key when it is full.
    pub(in crate::redis) evicts: bool,
}

/// Errors: it is too old, a replica, or of another kind than the URL says.
pub(in crate::redis) async fn look(
    admin: &AdminPool,
    address: &ServerAddress,
    kind: &RedisKind,
) -> Result<ServerInfo, ConnectError> {
    let text: String = admin.ask(&redis::cmd("INFO")).await?;
    let info = check(&text, address, kind)?;
    if *kind == RedisKind::Cluster {
        is_well(admin, address).await?;
    }
    Ok(info)
}

/// Errors: it is a node of a Cluster that serves nothing now, as one that was away does until it
/// has heard from the others.
pub(in crate::redis) async fn is_well(
    admin: &AdminPool,
    address: &ServerAddress,
) -> Result<(), ConnectError> {
    let text: String = admin.ask(redis::cmd("CLUSTER").arg("INFO")).await?;
    if text.contains("cluster_state:ok") {
        return Ok(());
    }
    Err(ConnectError::Refused {
        address: address.clone(),
        reason: "its Cluster is down".into(),
    })
}

fn check(
    text: &str,
    address: &ServerAddress,
    kind: &RedisKind,
) -> Result<ServerInfo, ConnectError> {
    let field = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    };
    let address = address.clone();
    let version = field("redis_version").unwrap_or("unknown").to_owned();
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    if major.is_none_or(|major: u32| major < MAJOR_MIN) {
        return Err(ConnectError::TooOld { address, version });
    }
    let other = |is, use_instead| ConnectError::OtherKind {
        address: address.clone(),
        is,
        use_instead,
    };
    if field("redis_mode") == Some("sentinel") {
        return Err(other("is a sentinel", "redis+sentinel://"));
    }
    match (field("cluster_enabled") == Some("1"), kind) {
        (true, RedisKind::Single | RedisKind::Sentinel { .. }) => {
            return Err(other("is a node of a Cluster", "redis+cluster://"));
        }
        (false, RedisKind::Cluster) => return Err(other("is no node of a Cluster", "redis://")),
        (true, RedisKind::Cluster) | (false, RedisKind::Single | RedisKind::Sentinel { .. }) => {}
    }
    // It answers INFO, and refuses everything that a node needs.
    if field("loading") == Some("1") {
        let reason = "it is loading its data".into();
        return Err(ConnectError::Refused { address, reason });
    }
    if field("role").is_some_and(|role| role != "master") {
        return Err(ConnectError::Replica(address));
    }
    let evicts = field("maxmemory_policy").is_some_and(|policy| policy.starts_with("allkeys-"));
    Ok(ServerInfo {
        persistent: field("aof_enabled") == Some("1"),
        evicts,
        version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &str, kind: &RedisKind) -> Result<ServerInfo, String> {
        let address = ServerAddress {
            host: "a".into(),
            port: 1,
        };
        check(text, &address, kind).map_err(|error| error.to_string())
    }

    #[test]
    fn only_a_master_of_version_7_of_the_right_kind_will_do() {
        let good = "# Server\r\nredis_version:7.0.15\r\nrole:master\r\naof_enabled:1\r\n";
        let info = look(good, &RedisKind::Single).unwrap();
        assert_eq!((info.version.as_str(), info.persistent), ("7.0.15", true));
        let bad = |text: &str, kind| look(text, &kind).unwrap_err();
        let older = bad("redis_version:6.2.1\r\n", RedisKind::Single);
        assert!(older.contains("6.2.1"), "{older}");
        let replica = bad(&good.replace("master", "slave"), RedisKind::Single);
        assert!(replica.contains("replica"), "{replica}");
        let loading = bad(&format!("{good}loading:1\r\n"), RedisKind::Single);
        assert!(loading.contains("loading"), "{loading}");
        assert!(look(&format!("{good}loading:0\r\n"), &RedisKind::Single).is_ok());
        assert!(bad(good, RedisKind::Cluster).contains("redis://"));
        let node = format!("{good}cluster_enabled:1\r\n");
        assert!(bad(&node, RedisKind::Single).contains("redis+cluster://"));
    }
}
