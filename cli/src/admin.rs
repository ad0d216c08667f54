//! Requests to the running gateway, over its admin listener.

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use gateway::config::{ADMIN_TOKEN_FILE, Config};
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use protocol::Secret;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::admin_tls;
use crate::failure::CommandFailure;

/// An admin request is a matter of milliseconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// `GET /admin/v1/<path>`.
pub async fn get(config: &Config, path: &str) -> Result<Value, CommandFailure> {
    ask(config, Method::GET, path, "").await
}

/// `POST /admin/v1/<path>`, an order.
pub async fn post(config: &Config, path: &str) -> Result<Value, CommandFailure> {
    ask(config, Method::POST, path, "").await
}

/// `PUT /admin/v1/<path>`, with a body of JSON.
pub async fn put(config: &Config, path: &str, body: &str) -> Result<Value, CommandFailure> {
    ask(config, Method::PUT, path, body).await
}

/// `DELETE /admin/v1/<path>`.
pub async fn delete(config: &Config, path: &str) -> Result<Value, CommandFailure> {
    ask(config, Method::DELETE, path, "").await
}

/// Whether the gateway's process answers, whatever it can do. Errors: exit 69.
pub async fn is_alive(config: &Config) -> Result<(), CommandFailure> {
    let address = reachable(config.admin_listen);
    let request = Request::builder()
        .uri("/healthz")
        .header(HOST, address.to_string())
        .body(Full::default())
        .map_err(|error| CommandFailure::failed("admin", error))?;
    let (status, _) = answered(config, address, request).await?;
    match status {
        StatusCode::OK => Ok(()),
        other => Err(CommandFailure::unavailable("admin", other)),
    }
}

async fn ask(
    config: &Config,
    method: Method,
    path: &str,
    body: &str,
) -> Result<Value, CommandFailure> {
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
        .body(Full::from(body.to_owned()))
        .map_err(|error| CommandFailure::failed("admin", error))?;
    let (status, body) = answered(config, address, request).await?;
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
            let text = problem_text(&body);
            Err(CommandFailure::failed(
                "admin",
                format!("{other}: {}", text.trim()),
            ))
        }
    }
}

/// What a refusal says: the detail of a problem, or a line of text.
fn problem_text(body: &[u8]) -> String {
    let problem: Option<Value> = serde_json::from_slice(body).ok();
    let member = |name: &str| Some(problem.as_ref()?[name].as_str()?.to_owned());
    let text = member("detail").or_else(|| member("title"));
    text.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
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

async fn answered(
    config: &Config,
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), CommandFailure> {
    let tls = config.admin_peer.as_ref().map(admin_tls::connector);
    let asked = exchange(address, tls.transpose()?, request);
    let answer = timeout(DEADLINE, asked).await;
    let silent = |_| CommandFailure::unavailable("timeout", format!("{address} does not answer"));
    answer.map_err(silent)?
}

async fn exchange(
    address: SocketAddr,
    tls: Option<TlsConnector>,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), CommandFailure> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|error| {
        CommandFailure::unavailable("not_reachable", format!("{address}: {error}"))
            .or_next("t2b gateway run")
    })?;
    let answered = match tls {
        None => answer(stream, request).await,
        Some(tls) => match tls.connect(address.ip().into(), stream).await {
            Ok(stream) => answer(stream, request).await,
            Err(error) => Err(error.into()),
        },
    };
    answered.map_err(|error| {
        CommandFailure::unavailable("not_reachable", format!("{address}: {}", whole(&*error)))
    })
}

/// An error and what is behind it: that of HTTP does not say what TLS refused.
fn whole(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), Box<dyn Error + Send + Sync>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answered = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    };
    match answered.await {
        // The connection knows why it ended: TLS that is refused, for one.
        Err(error) => match connection.await {
            Ok(Err(cause)) => Err(cause.into()),
            Ok(Ok(())) | Err(_) => Err(error),
        },
        answered => answered,
    }
}

/// An address that means "all of this machine" is asked on the loopback of IPv4, which `[::]` takes too: a container may
/// have no IPv6.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    address
}
