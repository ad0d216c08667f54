//! The HTTP client of the trace exporter: one POST a connection, over TCP or TLS.
//!
//! The exporter has a thread of its own without a runtime; requests run on the runtime that made the
//! client. It exports a batch every 5 s, or 512 spans at a time, so a connection is not kept.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Most bytes of an answer. A collector answers with a count of refused spans and a sentence.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends what the exporter encodes.
#[derive(Clone)]
pub(crate) struct CollectorClient {
    runtime: Handle,
    /// How long a request may take, connecting included.
    timeout: Duration,
    /// For `https://` only.
    tls: Option<Arc<ClientConfig>>,
}

impl CollectorClient {
    /// A client on the runtime of the caller. Errors: `https://`, and the system has no certificates.
    pub(crate) fn new(is_tls: bool, timeout: Duration) -> io::Result<Self> {
        Ok(Self {
            runtime: Handle::current(),
            timeout,
            tls: is_tls.then(tls).transpose()?,
        })
    }

    async fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (host, port) = address(request.uri())?;
        let stream = TcpStream::connect((host, port)).await?;
        let Some(tls) = &self.tls else {
            return exchange(stream, request).await;
        };
        let name = ServerName::try_from(host.to_owned())?;
        let connector = TlsConnector::from(Arc::clone(tls));
        exchange(connector.connect(name, stream).await?, request).await
    }
}

impl HttpClient for CollectorClient {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.clone();
        let task = self
            .runtime
            .spawn(async move { timeout(client.timeout, client.post(request)).await? });
        Box::pin(async move { task.await? })
    }
}

impl std::fmt::Debug for CollectorClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CollectorClient").finish_non_exhaustive()
    }
}

/// Host, without the brackets of IPv6, and port.
fn address(uri: &Uri) -> Result<(&str, u16), HttpError> {
    let host = uri.host().ok_or("the endpoint has no host")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let usual = match uri.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    Ok((host, uri.port_u16().unwrap_or(usual)))
}

async fn exchange<S>(stream: S, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchanged = async {
        let response = sender.send_request(origin_form(request)?).await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    tokio::pin!(exchanged, connection);
    tokio::select! {
        biased;
        answer = &mut exchanged => answer,
        // It may have read the whole answer and the end of the stream at once. Its error, if the
        // answer is not whole, is the answer's too.
        _ = &mut connection => exchanged.await,
    }
}

/// The request as it goes to a server: the host in a header, the path alone in the first line.
fn origin_form(request: Request<Bytes>) -> Result<Request<Full<Bytes>>, HttpError> {
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().ok_or("the endpoint has no host")?;
    // What stands before an `@` is a login, and no part of the host.
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    head.headers.insert(HOST, HeaderValue::from_str(host)?);
    let path = head.uri.path_and_query().cloned();
    head.uri = path.map_or_else(Uri::default, Uri::from);
    Ok(Request::from_parts(head, Full::new(body)))
}

/// Trusts whom the system trusts.
fn tls() -> io::Result<Arc<ClientConfig>> {
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
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    fn client(timeout_ms: u64, tls: Option<Arc<ClientConfig>>) -> CollectorClient {
        CollectorClient {
            runtime: Handle::current(),
            timeout: Duration::from_millis(timeout_ms),
            tls,
        }
    }

    /// The two ends of TLS for `localhost`, trusting each other.
    fn trusting() -> (TlsAcceptor, Arc<ClientConfig>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let cert = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (TlsAcceptor::from(Arc::new(server)), Arc::new(client))
    }

    #[tokio::test]
    async fn a_collector_behind_tls_is_reached() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (acceptor, tls) = trusting();
        let served = tokio::spawn(async move {
            let stream = listener.accept().await.unwrap().0;
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"spans") {
                asked.push(stream.read_u8().await.unwrap());
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nkept";
            stream.write_all(answer).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        let request = Request::post(format!("https://localhost:{port}/v1/traces"));
        let request = request.body(Bytes::from_static(b"spans")).unwrap();
        let answer = client(10_000, Some(tls)).send_bytes(request).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &**answer.body()),
            (200, &b"kept"[..])
        );
        let asked = served.await.unwrap();
        assert!(asked.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn a_collector_that_does_not_answer_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let request = Request::post(uri).body(Bytes::new()).unwrap();
        let error = client(50, None).send_bytes(request).await.unwrap_err();
        assert!(error.is::<tokio::time::error::Elapsed>(), "{error}");
    }

    #[test]
    fn the_host_is_a_header_and_the_path_stands_alone() {
        for (uri, host, at) in [
            ("http://[::1]:4318/v1/traces", "[::1]:4318", ("::1", 4318)),
            ("https://otel/v1/traces", "otel", ("otel", 443)),
            ("http://me:pw@otel/v1/traces", "otel", ("otel", 80)),
        ] {
            let request = Request::post(uri).body(Bytes::new()).unwrap();
            assert_eq!(address(request.uri()).unwrap(), at);
            let request = origin_form(request).unwrap();
            assert_eq!(request.headers()[HOST], host);
            assert_eq!(request.uri(), "/v1/traces");
        }
    }
}
