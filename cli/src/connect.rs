//! Which gateway and which key the client commands use.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::{env, fs};

use client::{Client, Events, Options};
use gateway::config::{default_state_dir, local_key};
use http::Uri;
use protocol::{ClientId, Secret, TenantId};

use crate::args::Target;
use crate::failure::Failure;

/// The user that a machine's own gateway is used as.
const LOCAL_USER: &str = "local";

/// What replaces a key from the state directory of the home.
const OTHER_KEYS: &str = "give --key, --key-file or T2B_KEY, or another directory by T2B_STATE_DIR";

/// Connects, or says what to do.
pub async fn connect(
    target: &Target,
    client_id: Option<ClientId>,
) -> Result<(Client, Events), Failure> {
    let mut options = Options::new(&target.url, key(target)?);
    options.client_id = client_id;
    Client::connect(options).await.map_err(|error| {
        let text = error.to_string();
        match error {
            client::Error::Unreachable(_) => {
                Failure::unavailable("not_reachable", format!("{}: {text}", target.url))
                    .or_next("t2b gateway run")
            }
            client::Error::Url(_)
            | client::Error::Proxy(_)
            | client::Error::Upgrade { .. }
            | client::Error::Refused(_)
            | client::Error::TooLarge { .. }
            | client::Error::Closed { .. }
            | client::Error::Lost
            | client::Error::Timeout
            | client::Error::Protocol(_)
            | client::Error::Stopped => error.into(),
        }
    })
}

/// `--key`, else `--key-file`, else `T2B_KEY`, else for a loopback URL one of this machine's own.
fn key(target: &Target) -> Result<Secret<String>, Failure> {
    if let Some(key) = &target.key {
        return Ok(Secret::new(key.clone()));
    }
    if let Some(path) = &target.key_file {
        let text = fs::read_to_string(path);
        let text = text.map_err(|e| Failure::usage("key_file", format!("{}: {e}", path.display())));
        // Some shells and editors put a byte order mark before a text.
        let key = text?.trim_start_matches('\u{feff}').trim().to_owned();
        return Ok(Secret::new(key));
    }
    if let Some(key) = env::var("T2B_KEY").ok().filter(|key| !key.is_empty()) {
        return Ok(Secret::new(key));
    }
    if !is_loopback(&target.url) {
        let text = "none given, and the gateway is not on this machine";
        return Err(Failure::usage("key", text).or_next("t2b keys issue USER, on the gateway"));
    }
    let user = TenantId::parse(LOCAL_USER).expect("a valid id");
    local_key(&state_dir()?, &user).map_err(|error| {
        let text = format!("none given, and none can be made: {error}; {OTHER_KEYS}");
        Failure::usage("key", text)
    })
}

/// The state directory that the gateway of this machine uses too.
fn state_dir() -> Result<PathBuf, Failure> {
    let variables: BTreeMap<String, String> = ["HOME", "T2B_STATE_DIR"]
        .iter()
        .filter_map(|name| Some((String::from(*name), env::var(name).ok()?)))
        .collect();
    let named = variables.get("T2B_STATE_DIR").filter(|dir| !dir.is_empty());
    named
        .map(PathBuf::from)
        .or_else(|| default_state_dir(&variables))
        .ok_or_else(|| {
            let text = format!("none given, and there is no HOME to make one in; {OTHER_KEYS}");
            Failure::usage("key", text)
        })
}

fn is_loopback(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_an_address_not_a_likeness() {
        for url in [
            "ws://127.0.0.1:3000/ws",
            "ws://localhost/",
            "ws://[::1]:1/ws",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "ws://127.0.0.1.example.org/ws",
            "ws://localhost.example.org/ws",
            "ws://example.org/127.0.0.1",
            "ws://127.0.0.1@example.org/ws",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
