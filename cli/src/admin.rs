//! Commands for the running gateway, over its admin listener.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use gateway::config::{ADMIN_TOKEN_FILE, Config, ConfigPurpose};
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use protocol::Secret;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::args::{AdminArgs, TenantArgs};
use crate::failure::CommandFailure;
use crate::out::{self, say, tell};

/// An admin request is a matter of milliseconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// Makes all credentials of a tenant void.
pub async fn revoke(tenant: TenantArgs) -> Result<(), CommandFailure> {
    let json = tenant.output.json;
    let (user, answer) = order(tenant, "revoke").await?;
    if json {
        let (generation, persisted) = (&answer["generation"], is_persisted(&answer));
        out::json(&json!({"user": user, "generation": generation, "persisted": persisted}))?;
        return Ok(());
    }
    let generation = &answer["generation"];
    say!("revoked: all keys and tokens of {user} before generation {generation}")?;
    warn_if_not_persisted(&answer);
    out::tell_next(format_args!("t2b keys issue {user}"));
    Ok(())
}

/// Shuts a tenant out.
pub async fn suspend(tenant: TenantArgs) -> Result<(), CommandFailure> {
    let json = tenant.output.json;
    let (user, answer) = order(tenant, "suspend").await?;
    if json {
        let persisted = is_persisted(&answer);
        out::json(&json!({"user": user, "suspended": true, "persisted": persisted}))?;
        return Ok(());
    }
    say!("suspended: {user}")?;
    warn_if_not_persisted(&answer);
    Ok(())
}

/// Lets a tenant in again.
pub async fn resume(tenant: TenantArgs) -> Result<(), CommandFailure> {
    let json = tenant.output.json;
    let (user, answer) = order(tenant, "resume").await?;
    if answer["suspended"] == true {
        let text = format!("{user} is suspended by the configuration file");
        return Err(CommandFailure::failed("tenant_suspended", text));
    }
    if json {
        let persisted = is_persisted(&answer);
        out::json(&json!({"user": user, "suspended": false, "persisted": persisted}))?;
        return Ok(());
    }
    say!("resumed: {user}")?;
    warn_if_not_persisted(&answer);
    Ok(())
}

/// Whether the order outlives the gateway's process. An older gateway says nothing: it took the order
/// only if it had written it.
fn is_persisted(answer: &Value) -> bool {
    answer["persisted"] != false
}

fn warn_if_not_persisted(answer: &Value) {
    if !is_persisted(answer) {
        out::tell_warning(
            "this lasts only until the gateway restarts, as the gateway cannot write its state \
             directory; see its log",
        );
    }
}

/// Lists the tenants whose open connections an old secret verified, one a line with their number.
pub async fn using_old(asked: AdminArgs) -> Result<(), CommandFailure> {
    let config = asked.config.load(ConfigPurpose::Admin)?;
    let mut path = "keys/using-old?limit=1000".to_owned();
    let mut users = Vec::new();
    let connections = loop {
        let mut page = get(&config, &path).await?;
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

/// `GET /admin/v1/<path>`.
pub async fn get(config: &Config, path: &str) -> Result<Value, CommandFailure> {
    ask(config, Method::GET, path).await
}

async fn order(tenant: TenantArgs, what: &str) -> Result<(String, Value), CommandFailure> {
    let config = tenant.config.load(ConfigPurpose::Admin)?;
    let path = format!("tenants/{}/{what}", tenant.user);
    let answer = ask(&config, Method::POST, &path).await?;
    Ok((tenant.user.to_string(), answer))
}

async fn ask(config: &Config, method: Method, path: &str) -> Result<Value, CommandFailure> {
    let Some(token) = &config.admin_token else {
        let text = "no admin token is configured";
        return Err(CommandFailure::usage("config", text).or_next("t2b gateway config"));
    };
    let address = reachable(config.admin_listen);
    let bearer = format!("Bearer {}", token.reveal());
    let mut bearer = HeaderValue::try_from(bearer).map_err(|_| {
        CommandFailure::usage("config", "the admin token is not one that HTTP can carry")
    })?;
    bearer.set_sensitive(true);
    let request = Request::builder()
        .method(method)
        .uri(format!("/admin/v1/{path}"))
        .header(HOST, address.to_string())
        .header(AUTHORIZATION, bearer)
        .body(Empty::<Bytes>::new())
        .map_err(|error| CommandFailure::failed("admin", error))?;
    let (status, body) = timeout(DEADLINE, exchange(address, request))
        .await
        .map_err(|_| {
            CommandFailure::unavailable("timeout", format!("{address} does not answer"))
        })??;
    match status {
        StatusCode::OK => {
            serde_json::from_slice(&body).map_err(|error| CommandFailure::failed("admin", error))
        }
        StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => {
            let source = token_source(config, token);
            let text = format!("the gateway refused the admin token {source}");
            Err(CommandFailure::refused("unauthorized", text).or_next("t2b gateway config"))
        }
        other => {
            let text = String::from_utf8_lossy(&body);
            Err(CommandFailure::failed(
                "admin",
                format!("{other}: {}", text.trim()),
            ))
        }
    }
}

/// Where the token is from, in words.
fn token_source(config: &Config, token: &Secret<String>) -> String {
    let kept = config
        .state_dir
        .as_ref()
        .map(|dir| dir.join(ADMIN_TOKEN_FILE));
    let is_it = |path: &PathBuf| {
        let text = fs::read_to_string(path);
        text.is_ok_and(|text| text.contains(token.reveal()))
    };
    match kept.filter(is_it) {
        Some(path) => format!(
            "in {}; set state_dir to the gateway's state directory, or set admin_token_file",
            path.display()
        ),
        None => "from admin_token or admin_token_file".to_owned(),
    }
}

async fn exchange(
    address: SocketAddr,
    request: Request<Empty<Bytes>>,
) -> Result<(StatusCode, Bytes), CommandFailure> {
    let unreachable = |error: &dyn std::fmt::Display| {
        CommandFailure::unavailable("not_reachable", format!("{address}: {error}"))
            .or_next("t2b gateway run")
    };
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| unreachable(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| unreachable(&error))?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await;
    let response = response.map_err(|error| unreachable(&error))?;
    let status = response.status();
    let body = response.into_body().collect().await;
    Ok((
        status,
        body.map_err(|error| unreachable(&error))?.to_bytes(),
    ))
}

/// An address that means "all of this machine" is asked on loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
