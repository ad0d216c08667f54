//! Which gateway and which key the client commands use.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{env, fs};

use client::{Client, ConnectOptions, EventStream};
use gateway::config::{SECRET_FILE, default_state_dir, local_key};
use http::Uri;
use protocol::{ClientId, Secret, TenantId};

use crate::args::TargetArgs;
use crate::failure::CommandFailure;

/// The user that a machine's own gateway is used as.
const LOCAL_USER: &str = "local";

/// What replaces a key from the state directory of the home.
const OTHER_KEYS: &str =
    "give --key, --key-file or T2B_KEY, or set T2B_STATE_DIR to the gateway's state directory";

/// A key, and the file of the secret that it was made from, if it was made here.
struct OwnKey {
    key: Secret<String>,
    made_from: Option<PathBuf>,
}

impl OwnKey {
    fn given(key: String) -> Self {
        Self {
            key: Secret::new(key),
            made_from: None,
        }
    }
}

/// Connects, or says what to do.
pub async fn connect(
    target: &TargetArgs,
    client_id: Option<ClientId>,
) -> Result<(Client, EventStream), CommandFailure> {
    let OwnKey { key, made_from } = key(target)?;
    let mut options = ConnectOptions::new(&target.url, key);
    options.client_id = client_id;
    Client::connect(options)
        .await
        .map_err(|error| unconnected(error, &target.url, made_from.as_deref()))
}

/// Why there is no connection, as far as the URL and the key explain it.
fn unconnected(error: client::ClientError, url: &str, made_from: Option<&Path>) -> CommandFailure {
    if let client::ClientError::Certificate(_) | client::ClientError::NoWebSocket(_) = error {
        return CommandFailure::from(error).at(url);
    }
    if let client::ClientError::Unreachable(_) = error {
        let failure = CommandFailure::from(error).at(url);
        return match is_loopback(url) {
            true => failure.or_next("t2b gateway run"),
            false => failure,
        };
    }
    match made_from {
        Some(secret) if error.reason() == "unauthorized" => {
            let secret = secret.display();
            let text = format!(
                "the key was made from {secret}, which this gateway does not use; set T2B_STATE_DIR \
                 to the gateway's state directory, or give a key: `t2b keys issue USER` makes one from the \
                 gateway's secrets_file"
            );
            CommandFailure::refused("unauthorized", text)
        }
        Some(_) | None => error.into(),
    }
}

/// `--key`, else `--key-file`, else `T2B_KEY`, else for a loopback URL one of this machine's own.
fn key(target: &TargetArgs) -> Result<OwnKey, CommandFailure> {
    if let Some(key) = &target.key {
        return Ok(OwnKey::given(key.clone()));
    }
    if let Some(path) = &target.key_file {
        let text = fs::read_to_string(path);
        let text =
            text.map_err(|e| CommandFailure::usage("key_file", format!("{}: {e}", path.display())));
        // Some shells and editors put a byte order mark before a text.
        let key = text?.trim_start_matches('\u{feff}').trim().to_owned();
        return Ok(OwnKey::given(key));
    }
    if let Some(key) = env::var("T2B_KEY").ok().filter(|key| !key.is_empty()) {
        return Ok(OwnKey::given(key));
    }
    if !is_loopback(&target.url) {
        let text = "none given, and the gateway is not on this machine";
        return Err(
            CommandFailure::usage("key", text).or_next("t2b keys issue USER, on the gateway")
        );
    }
    made(&state_dir()?)
}

/// The key of the local user, from the secret that the gateway of this machine has made.
///
/// No secret is made here: a gateway would not know it.
fn made(state_dir: &Path) -> Result<OwnKey, CommandFailure> {
    let secret = state_dir.join(SECRET_FILE);
    let none =
        |why: String| CommandFailure::usage("key", format!("none given, and {why}; {OTHER_KEYS}"));
    if !secret.exists() {
        let secret = secret.display();
        return Err(none(format!(
            "there is no {secret} to make one from: `t2b gateway run` makes it on its first start"
        )));
    }
    let user = TenantId::parse(LOCAL_USER).expect("a valid id");
    let key =
        local_key(state_dir, &user).map_err(|error| none(format!("none can be made: {error}")))?;
    Ok(OwnKey {
        key,
        made_from: Some(secret),
    })
}

/// The state directory that the gateway of this machine uses too.
fn state_dir() -> Result<PathBuf, CommandFailure> {
    let variables: BTreeMap<String, String> = ["HOME", "T2B_STATE_DIR"]
        .iter()
        .filter_map(|name| Some((String::from(*name), env::var(name).ok()?)))
        .collect();
    let named = variables.get("T2B_STATE_DIR").filter(|dir| !dir.is_empty());
    named
        .map(PathBuf::from)
        .or_else(|| default_state_dir(&variables))
        .ok_or_else(|| {
            let text = format!("none given, and HOME is not set, so there is no secret to make one from; {OTHER_KEYS}");
            CommandFailure::usage("key", text)
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
