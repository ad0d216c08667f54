//! Where Redis is, and as whom to come: read from its URL.
//!
//! | URL | what is there |
//! | --- | --- |
//! | `redis://[user:password@]host[:port][/database]` | one server |
//! | `redis+sentinel://[user:password@]host:port,…/master[/database]` | sentinels |
//! | `redis+cluster://[user:password@]host:port,…` | nodes of a Cluster |
//!
//! `rediss` in place of `redis` is the same over TLS. User and password are percent-encoded. A user
//! without a password, `bot@` or `bot:@`, logs in with an empty one, as the rule `nopass` has it.

use std::num::NonZeroU16;

use percent_encoding::percent_decode_str;
use protocol::secret::Secret;

use super::address::ServerAddress;
use crate::redis::error::ConnectError;

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// What stands at the addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::redis) enum RedisKind {
    Single,
    Sentinel { master: String },
    Cluster,
}

/// As whom to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::redis) struct RedisLogin {
    pub(in crate::redis) user: Option<String>,
    pub(in crate::redis) password: Option<Secret<String>>,
}

/// A URL, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::redis) struct RedisTarget {
    pub(in crate::redis) kind: RedisKind,
    pub(in crate::redis) tls: bool,
    pub(in crate::redis) login: RedisLogin,
    pub(in crate::redis) addresses: Vec<ServerAddress>,
    pub(in crate::redis) database: i64,
}

/// Errors: [`ConnectError::Url`], which does not repeat the URL.
pub(in crate::redis) fn parse(url: &str) -> Result<RedisTarget, ConnectError> {
    const SCHEMES: &str = "expected redis://, redis+sentinel:// or redis+cluster://, \
                           or with rediss in place of redis for TLS";
    let error = ConnectError::Url;
    let (scheme, rest) = url.split_once("://").ok_or(error(SCHEMES))?;
    let (base, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
    let tls = match base {
        "redis" => false,
        "rediss" => true,
        _ => return Err(error(SCHEMES)),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (read_login(login)?, hosts),
        None => (NOBODY, authority),
    };
    let mut path = path.split('/').filter(|part| !part.is_empty());
    let (kind, port) = match kind {
        "" => (RedisKind::Single, PORT),
        "cluster" => (RedisKind::Cluster, PORT),
        "sentinel" => {
            const MISSING: &str = "the name of the master is missing after the sentinels";
            let master = path.next().ok_or(error(MISSING))?.to_owned();
            (RedisKind::Sentinel { master }, SENTINEL_PORT)
        }
        _ => return Err(error(SCHEMES)),
    };
    let hosts = hosts.split(',').map(|host| address(host, port));
    let addresses: Vec<_> = hosts
        .collect::<Option<_>>()
        .ok_or(error("a host or port is not valid"))?;
    if kind == RedisKind::Single && addresses.len() > 1 {
        return Err(error(
            "several hosts are redis+sentinel:// or redis+cluster://",
        ));
    }
    let database = match path.next() {
        Some(number) => number
            .parse::<u16>()
            .map_err(|_| error("the database is no number"))?
            .into(),
        None => 0,
    };
    if path.next().is_some() || (kind == RedisKind::Cluster && database != 0) {
        return Err(error("there is too much after the hosts"));
    }
    Ok(RedisTarget {
        kind,
        tls,
        login,
        addresses,
        database,
    })
}

/// Without a login.
pub(in crate::redis) const NOBODY: RedisLogin = RedisLogin {
    user: None,
    password: None,
};

fn read_login(text: &str) -> Result<RedisLogin, ConnectError> {
    let decode = |part: &str| {
        let text = percent_decode_str(part).decode_utf8();
        text.map(|text| text.into_owned())
            .map_err(|_| ConnectError::Url("user and password must be UTF-8"))
    };
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let present = |part: &str| (!part.is_empty()).then(|| decode(part)).transpose();
    let user = present(user)?;
    // Redis has no login without a password: it takes any for a user with `nopass`.
    let password = present(password)?.or(user.is_some().then(String::new));
    Ok(RedisLogin {
        user,
        password: password.map(Secret::new),
    })
}

fn address(text: &str, default: u16) -> Option<ServerAddress> {
    let (host, port, marks) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port, ":.%-_")
        }
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (host, port, ".-_")
        }
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    if host.is_empty() || !host.chars().all(plain) {
        return None;
    }
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse::<NonZeroU16>().ok()?.get(),
        None => port.is_empty().then_some(default)?,
    };
    let host = host.to_owned();
    Some(ServerAddress { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> ServerAddress {
        let host = host.to_owned();
        ServerAddress { host, port }
    }

    #[test]
    fn four_kinds_are_read() {
        let single = parse("rediss://bob:p%40ss@[::1]:7000/3").unwrap();
        assert_eq!(
            (single.kind, single.tls, single.database),
            (RedisKind::Single, true, 3)
        );
        assert_eq!(single.addresses, [at("::1", 7000)]);
        assert_eq!(single.login.user.as_deref(), Some("bob"));
        assert_eq!(single.login.password, Some(Secret::new("p@ss".into())));
        let plain = parse("redis://host").unwrap();
        assert_eq!(
            (plain.login, plain.addresses),
            (NOBODY, vec![at("host", PORT)])
        );
        let sentinel = parse("redis+sentinel://:pw@a,b:1/mymaster/2").unwrap();
        let master = "mymaster".into();
        assert_eq!(
            (sentinel.kind, sentinel.database),
            (RedisKind::Sentinel { master }, 2)
        );
        assert_eq!(sentinel.addresses, [at("a", SENTINEL_PORT), at("b", 1)]);
        assert_eq!(sentinel.login.user, None);
        let cluster = parse("redis+cluster://a:1,b:2/").unwrap();
        assert_eq!(
            (cluster.kind, cluster.addresses.len()),
            (RedisKind::Cluster, 2)
        );
    }

    #[test]
    fn a_user_without_a_password_has_an_empty_one() {
        let empty = Some(Secret::new(String::new()));
        for url in [
            "redis://bot@a",
            "redis://bot:@a",
            "redis+sentinel://bot@a/main",
            "redis+cluster://bot@a,b",
        ] {
            let login = parse(url).unwrap().login;
            assert_eq!(login.user.as_deref(), Some("bot"), "{url}");
            assert_eq!(login.password, empty, "{url}");
        }
        for url in ["redis://@a", "redis://:@a", "redis://a"] {
            assert_eq!(parse(url).unwrap().login, NOBODY, "{url}");
        }
    }

    #[test]
    fn an_error_names_no_credential() {
        for url in [
            "http://bob:hunter2@a",
            "redis://bob:hunter2@a:hunter2",
            "redis://bob:hunter2@a,b",
            "redis://bob:hunter2@",
            "redis://bob:hunter2@a/x",
            "redis://bob:hunter2@a/-1",
            "redis://bob:hunter2@a:99999",
            "redis://bob:hunter2@a:0",
            "redis://bob:hunter2@a?b",
            "redis://bob:hunter2@a b",
            "redis://bob:hunter2@[::1",
            "redis+sentinel://bob:hunter2@a/",
            "redis+sentinel://bob:hunter2@a",
            "redis+cluster://bob:hunter2@a/1",
            "redis+other://bob:hunter2@a",
            "bob:hunter2@a",
        ] {
            let error = parse(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
        }
    }
}
