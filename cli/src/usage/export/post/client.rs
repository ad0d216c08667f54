//! One connection to the receiver, and a request on it.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, DATE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use httpdate::parse_http_date;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::headers::ReceiverHeaders;
use crate::export_args::SendingArgs;
use crate::failure::CommandFailure;
use crate::term;

/// Most bytes of an answer. The longest known one lists the 100 events of a batch.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What became of a request.
pub(in super::super) enum PostOutcome {
    /// No connection: the receiver has not seen it.
    NotSent(String),
    /// It was sent, at least in part, and no answer came.
    NoAnswer(String),
    /// An answer.
    Answer(ReceiverAnswer),
}

/// What the receiver said.
pub(in super::super) struct ReceiverAnswer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

/// The receiver, as a URL and what is needed to reach it.
pub(in super::super) struct ReceiverClient {
    uri: Uri,
    host: String,
    port: u16,
    headers: ReceiverHeaders,
    timeout: Duration,
    /// For `https://` only.
    tls: Option<TlsConnector>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl ReceiverClient {
    /// Checks the URL and reads the headers. `content_type`: of every body.
    ///
    /// # Errors
    ///
    /// Exit 64: the URL is not `https://`, or `http://` to this machine; or a header is wrong. Exit 1: the system has no
    /// certificates.
    pub(in super::super) fn new(
        url: &str,
        args: &SendingArgs,
        content_type: &'static str,
    ) -> Result<Self, CommandFailure> {
        let wrong = |rule: &str| CommandFailure::usage("post", format!("--post: {rule}"));
        let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("expected https://HOST/…")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("has a login; put it into --header-file"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if !is_tls && !args.insecure_http && !is_loopback(&host) {
            return Err(wrong(
                "http:// to another machine shows the key and the usage to everyone on the way; use https://, or give \
                 --insecure-http",
            ));
        }
        let mut headers = ReceiverHeaders::load(args)?;
        let named = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong("has no host"))?;
        let agent = concat!("t2b/", env!("CARGO_PKG_VERSION"));
        let all = &mut headers.0;
        all.insert(HOST, named);
        all.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        for (name, value) in [(ACCEPT, "application/json"), (USER_AGENT, agent)] {
            all.entry(name).or_insert(HeaderValue::from_static(value));
        }
        let tls = is_tls.then(tls).transpose();
        Ok(Self {
            port: uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            host,
            headers,
            timeout: args.timeout,
            tls: tls.map_err(|error| CommandFailure::failed("tls", error))?,
            connection: None,
            uri,
        })
    }

    /// Sends a body and reads the answer.
    pub(in super::super) async fn post(&mut self, body: String) -> PostOutcome {
        // Connecting is part of it, so that a request arrives within this time or not at all.
        let deadline = Instant::now() + self.timeout;
        let sender = match timeout_at(deadline, self.connection()).await {
            Ok(Ok(sender)) => sender,
            Ok(Err(error)) => return PostOutcome::NotSent(error.to_string()),
            Err(_) => return PostOutcome::NotSent("no connection in time".to_owned()),
        };
        let request = match self.request(body) {
            Ok(request) => request,
            Err(error) => return PostOutcome::NotSent(error.to_string()),
        };
        match timeout_at(deadline, exchange(sender, request)).await {
            Ok(Ok((answer, sender))) => {
                self.connection = Some(sender);
                PostOutcome::Answer(answer)
            }
            Ok(Err(error)) => PostOutcome::NoAnswer(error),
            Err(_) => PostOutcome::NoAnswer("no answer in time".to_owned()),
        }
    }

    /// The beginning of an answer's body, as a person may read it within a line.
    pub(in super::super) fn shown(&self, body: &[u8]) -> String {
        const CHARS_MAX: usize = 500;
        let text: String = String::from_utf8_lossy(body)
            .chars()
            .take(CHARS_MAX)
            .collect();
        term::one_line(&self.headers.censored(text.trim())).into_owned()
    }

    /// The connection of the last request, or a new one.
    async fn connection(&mut self) -> io::Result<SendRequest<Full<Bytes>>> {
        if let Some(mut sender) = self.connection.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return handshake(stream).await;
        };
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        handshake(tls.connect(name, stream).await?).await
    }

    fn request(&self, body: String) -> Result<Request<Full<Bytes>>, http::Error> {
        let path = self.uri.path_and_query();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path.map_or("/", |path| path.as_str()))
            .body(Full::new(Bytes::from(body)))?;
        *request.headers_mut() = self.headers.0.clone();
        Ok(request)
    }
}

async fn handshake<S>(stream: S) -> io::Result<SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn exchange(
    mut sender: SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<(ReceiverAnswer, SendRequest<Full<Bytes>>), String> {
    let response = sender.send_request(request).await;
    let response = response.map_err(|error| error.to_string())?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    let answer = ReceiverAnswer {
        status: head.status,
        retry_after: retry_after(&head.headers),
        body,
    };
    Ok((answer, sender))
}

/// The wait of `Retry-After`, which is seconds or a date. A date counts from the receiver's `Date`, because its
/// clock may differ from that of this machine. `None`: absent, no wait, or neither form.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = headers.get(DATE).and_then(|date| date.to_str().ok());
    let now = now.and_then(|date| parse_http_date(date).ok());
    let until = parse_http_date(text).ok()?;
    let wait = until
        .duration_since(now.unwrap_or_else(SystemTime::now))
        .ok();
    wait.filter(|wait| !wait.is_zero())
}

fn is_loopback(host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

/// Trusts whom the system trusts, or the file that `SSL_CERT_FILE` names.
fn tls() -> io::Result<TlsConnector> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(found.certs).0 == 0 {
        let error = found.errors.first().map(ToString::to_string);
        let error = error.unwrap_or_else(|| "the system has no certificates".to_owned());
        return Err(io::Error::other(error));
    }
    // Named, as another crate of the process may have brought another provider.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked_in_clear_text() {
        for (host, is_own) in [
            ("127.0.0.1", true),
            ("127.8.0.1", true),
            ("::1", true),
            ("localhost", true),
            ("localhost.example", false),
            ("10.0.0.1", false),
            ("example.org", false),
        ] {
            assert_eq!(is_loopback(host), is_own, "{host}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        const NOON: &str = "Sat, 28 Nov 2026 12:00:00 GMT";
        let read = |text: &'static str, date: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_static(date));
            }
            retry_after(&headers)
        };
        let seconds = |number| Some(Duration::from_secs(number));
        assert_eq!(read("7", None), seconds(7));
        assert_eq!(
            read("Sat, 28 Nov 2026 12:01:30 GMT", Some(NOON)),
            seconds(90)
        );
        // The other two forms of a date.
        assert_eq!(
            read("Saturday, 28-Nov-26 12:00:05 GMT", Some(NOON)),
            seconds(5)
        );
        assert_eq!(read("Sat Nov 28 12:00:05 2026", Some(NOON)), seconds(5));
        // Without the receiver's clock, that of this machine counts.
        let far = read("Fri, 31 Dec 9999 23:59:59 GMT", None).unwrap();
        assert!(far > Duration::from_secs(1 << 30), "{far:?}");
        for text in [NOON, "Sat, 28 Nov 2026 11:59:59 GMT", "soon", "-1", ""] {
            assert_eq!(read(text, Some(NOON)), None, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
