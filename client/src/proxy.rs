//! How the client reaches a gateway: directly, or through an HTTP or SOCKS5 proxy.
//!
//! hyper-util matches hosts and speaks CONNECT and SOCKS5; here is what it leaves open: which
//! variables there are, the default ports, and what a wrong one is told.

use std::env;
use std::error::Error as StdError;
use std::future::poll_fn;
use std::sync::Arc;

use http::uri::{Scheme, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tower_service::Service;

use crate::error::ClientError;

/// What a proxy's URL has to look like.
const EXPECTED: &str = "expected http://, socks5:// or socks5h://, then HOST:PORT";

/// Which gateways are reached through which proxy.
///
/// An HTTP proxy is asked by CONNECT, with basic authentication if its URL has a user; a SOCKS5 proxy
/// gets the address (`socks5`) or the name (`socks5h`) of the gateway.
#[derive(Debug, Clone)]
pub struct ProxyRules {
    rules: Result<Arc<Matcher>, ClientError>,
}

impl ProxyRules {
    /// No gateway is reached through a proxy.
    pub fn direct() -> Self {
        Self::of(|_| None)
    }

    /// As curl has it: `HTTPS_PROXY` for `wss://`, `HTTP_PROXY` for `ws://`, `ALL_PROXY` for both, but
    /// for the hosts of `NO_PROXY`. Each may be in lower case too. A wrong one fails the connection.
    pub(crate) fn from_env() -> Self {
        // In a CGI program HTTP_PROXY is a header that whoever asks chooses.
        let cgi = env::var_os("REQUEST_METHOD").is_some();
        Self::of(|name| {
            let upper = env::var(name).ok().filter(|_| !cgi || name != "HTTP_PROXY");
            upper.or_else(|| env::var(name.to_ascii_lowercase()).ok())
        })
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let proxy = |name| match variable(name).filter(|text| !text.is_empty()) {
            Some(text) if is_proxy(&text) => Ok(text),
            Some(_) => Err(ClientError::Url(format!("{name}: {EXPECTED}"))),
            None => Ok(String::new()),
        };
        let matcher = || {
            let (https, http) = (proxy("HTTPS_PROXY")?, proxy("HTTP_PROXY")?);
            let all = proxy("ALL_PROXY")?;
            let mut no = variable("NO_PROXY").unwrap_or_default();
            if no.split(',').any(|host| host.trim() == "*") {
                // To the matcher a star is every name, but no address.
                no.push_str(",0.0.0.0/0,::/0");
            }
            let matcher = Matcher::builder().https(https).http(http).all(all).no(no);
            Ok(Arc::new(matcher.build()))
        };
        Self { rules: matcher() }
    }

    /// A connection to the gateway through its proxy; none: it is reached directly.
    pub(crate) async fn connect(&self, gateway: &Uri) -> Result<Option<TcpStream>, ClientError> {
        let rules = self.rules.as_ref().map_err(Clone::clone)?;
        let secure = gateway.scheme_str() == Some("wss");
        let scheme = if secure { Scheme::HTTPS } else { Scheme::HTTP };
        let port = gateway.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let host = gateway.host().unwrap_or_default();
        let Some(target) = uri(scheme, host, port) else {
            return Ok(None);
        };
        let Some(proxy) = rules.intercept(&target) else {
            return Ok(None);
        };
        through(&proxy, target).await.map(Some)
    }
}

/// Whether the matcher takes it: it passes over what it does not.
fn is_proxy(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let known = matches!(uri.scheme_str(), None | Some("http" | "socks5" | "socks5h"));
    known && uri.host().is_some_and(|host| !host.is_empty())
}

fn uri(scheme: Scheme, host: &str, port: u16) -> Option<Uri> {
    let parts = Uri::builder().scheme(scheme);
    let parts = parts.authority(format!("{host}:{port}"));
    parts.path_and_query("/").build().ok()
}

async fn through(proxy: &Intercept, target: Uri) -> Result<TcpStream, ClientError> {
    let scheme = proxy.uri().scheme_str().unwrap_or_default().to_owned();
    let host = proxy.uri().host().unwrap_or_default();
    let socks = scheme != "http";
    let port = proxy.uri().port_u16();
    let port = port.unwrap_or(if socks { 1080 } else { 80 });
    let named = format!("the proxy {scheme}://{host}:{port}");
    let failed = |problem: &dyn StdError| {
        let text = format!("{named}: {}", chain(problem));
        ClientError::Proxy(text)
    };
    let address = uri(Scheme::HTTP, host, port);
    let address = address.ok_or_else(|| ClientError::Proxy(format!("{named}: {EXPECTED}")))?;
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    let stream = if socks {
        let target = match scheme.as_str() {
            "socks5" => resolved(&target).await.map_err(|error| failed(&error))?,
            _ => target,
        };
        let mut connector = SocksV5::new(address, tcp);
        if let Some((user, password)) = proxy.raw_auth() {
            connector = connector.with_auth(user.to_owned(), password.to_owned());
        }
        call(connector, target).await.map_err(|e| failed(&e))?
    } else {
        let mut connector = Tunnel::new(address, tcp);
        if let Some(login) = proxy.basic_auth() {
            connector = connector.with_auth(login.clone());
        }
        call(connector, target).await.map_err(|e| failed(&e))?
    };
    Ok(stream.into_inner())
}

async fn call<S>(mut connector: S, target: Uri) -> Result<TokioIo<TcpStream>, S::Error>
where
    S: Service<Uri, Response = TokioIo<TcpStream>>,
{
    poll_fn(|context| connector.poll_ready(context)).await?;
    connector.call(target).await
}

/// The same target with an address instead of its name.
async fn resolved(target: &Uri) -> std::io::Result<Uri> {
    let host = target.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let port = target.port_u16().unwrap_or_default();
    let unknown = || std::io::Error::new(std::io::ErrorKind::NotFound, "no address for the host");
    let mut addresses = lookup_host((bare, port)).await?;
    let address = addresses.next().ok_or_else(unknown)?;
    let host = match address.ip() {
        std::net::IpAddr::V4(ip) => ip.to_string(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
    };
    uri(Scheme::HTTP, &host, port).ok_or_else(unknown)
}

/// An error and what caused it; the library's own texts hold neither user nor password.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], gateway: &str, expected: Option<&str>) {
        let rules = ProxyRules::of(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, text)| (*text).to_owned())
        });
        let proxy = rules.rules.unwrap().intercept(&gateway.parse().unwrap());
        let found = proxy.map(|proxy| proxy.uri().to_string());
        assert_eq!(found.as_deref(), expected, "{variables:?} {gateway}");
    }

    #[test]
    fn the_scheme_chooses_the_variable() {
        let all = ("ALL_PROXY", "socks5h://a:1");
        let both = [all, ("HTTPS_PROXY", "http://u:p@b:2")];
        check(&both, "https://far.example/", Some("http://b:2/"));
        check(&both, "http://far.example/", Some("socks5h://a:1/"));
        check(
            &[("HTTP_PROXY", "c:3")],
            "http://far.example/",
            Some("http://c:3/"),
        );
        check(&[("HTTP_PROXY", "c:3")], "https://far.example/", None);
        check(&[("ALL_PROXY", "")], "http://far.example/", None);
    }

    #[test]
    fn no_proxy_goes_before() {
        for no in ["far.example", ".example", "*", "10.0.0.0/8, far.example"] {
            let variables = [("ALL_PROXY", "http://a:1"), ("NO_PROXY", no)];
            check(&variables, "http://far.example/", None);
        }
        for gateway in ["http://192.0.2.1/", "http://[2001:db8::1]/"] {
            check(
                &[("ALL_PROXY", "http://a:1"), ("NO_PROXY", "*")],
                gateway,
                None,
            );
        }
        let variables = [("ALL_PROXY", "http://a:1"), ("NO_PROXY", "r.example")];
        check(&variables, "http://far.example/", Some("http://a:1/"));
    }

    #[test]
    fn what_is_no_proxy_is_an_error() {
        for wrong in ["ftp://a:1", "https://a:1", "socks4://a:1", "a b", "http://"] {
            let rules = ProxyRules::of(|name| (name == "ALL_PROXY").then(|| wrong.to_owned()));
            let error = rules.rules.unwrap_err().to_string();
            assert!(error.contains("ALL_PROXY"), "{wrong}: {error}");
        }
    }
}
