//! Certificates that are renewed while sockets are open, the way kubelet replaces a mounted secret.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fixtures::{CertificateFiles, ListenAddresses, TestAuthority, pass_until, until};
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::harness::{LOOPBACK, TestHome};

const SOCKETS: usize = 20;
/// The gateway looks twice a second. A machine under load is late.
const REPLACED: Duration = Duration::from_secs(5);
/// More than two looks.
const LOOKS: Duration = Duration::from_millis(1300);
const UNUSABLE: &str = "the changed TLS files cannot be used";

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// A folder as kubelet mounts it: the files are links into `..data`, a link to the folder that counts.
struct MountedSecret(PathBuf);

impl MountedSecret {
    fn mount(dir: PathBuf, content: &Path) -> Self {
        fs::create_dir(&dir).unwrap();
        symlink(content, dir.join("..data")).unwrap();
        for file in ["cert.pem", "key.pem"] {
            symlink(Path::new("..data").join(file), dir.join(file)).unwrap();
        }
        Self(dir)
    }

    fn replace(&self, content: &Path) {
        let aside = self.0.join("..data_tmp");
        symlink(content, &aside).unwrap();
        fs::rename(aside, self.0.join("..data")).unwrap();
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

async fn connect(address: &str, tls: &TlsConnector) -> TlsStream<TcpStream> {
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    tls.connect(name, tcp).await.unwrap()
}

async fn open(address: &str, tls: &TlsConnector, key: &str) -> Socket {
    let mut request = "wss://localhost/ws".into_client_request().unwrap();
    let bearer = format!("Bearer {key}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let stream = connect(address, tls).await;
    client_async(request, stream).await.unwrap().0
}

async fn all_answer(sockets: &mut [Socket]) {
    for socket in sockets {
        socket.send(Message::Ping("?".into())).await.unwrap();
        while !matches!(socket.next().await.unwrap().unwrap(), Message::Pong(_)) {}
    }
}

async fn shows(address: &str, tls: &TlsConnector, files: &CertificateFiles) -> bool {
    let stream = connect(address, tls).await;
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    shown == CertificateDer::from_pem_file(&files.cert).unwrap()
}

async fn expiry(address: &str, tls: &TlsConnector, listener: &str) -> String {
    let mut stream = connect(address, tls).await;
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let series = format!("t2b_tls_expiry_timestamp_seconds{{listener=\"{listener}\"}} ");
    let value = answer.lines().find_map(|line| line.strip_prefix(&series));
    value.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_while_sockets_stay_open() {
    let home = TestHome::new();
    let authority = TestAuthority::default();
    let folder = |name: &str| home.path().join(name);
    let issue = |name: &str, year| authority.issue_until(&folder(name), &["localhost"], year);
    issue("first", 2900);
    let second = issue("second", 2950);
    // The key of another certificate, and no certificate at all.
    let other_key = issue("other_key", 2950);
    fs::copy(&second.key, other_key.key).unwrap();
    fs::write(issue("garbage", 2950).cert, "not a certificate\n").unwrap();
    let last = issue("last", 2970);
    let secret = MountedSecret::mount(folder("mounted"), &folder("first"));
    let (cert, key) = (secret.file("cert.pem"), secret.file("key.pem"));
    let variables = [
        ("T2B_TLS_CERT", cert.as_str()),
        ("T2B_TLS_KEY", &key),
        ("T2B_ADMIN_TLS_CERT", &cert),
        ("T2B_ADMIN_TLS_KEY", &key),
    ];
    let args = [&["gateway", "run"][..], &LOOPBACK].concat();
    let mut process = home.start(&args, &variables);
    let line = process.wait_for("listening");
    let line = line
        .replace("wss://", "ws://")
        .replace("https://", "http://");
    let ListenAddresses { public, admin } = ListenAddresses::parse(&line).unwrap();
    let credential = home.run(&["keys", "issue", "alice"]).with(0);

    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(authority.write(home.path())).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = TlsConnector::from(Arc::new(config));
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        sockets.push(open(&public, &tls, credential.trim()).await);
    }
    assert_eq!(expiry(&admin, &tls, "public").await, "29348006400");

    let replaced = async |files: &CertificateFiles| {
        secret.replace(files.cert.parent().unwrap());
        let begun = Instant::now();
        for address in [&public, &admin] {
            until("new connections get the new certificate", async || {
                shows(address, &tls, files).await.then_some(())
            })
            .await;
        }
        let took = begun.elapsed();
        assert!(took < REPLACED, "{took:?}");
        eprintln!("replaced after {took:?}");
    };
    replaced(&second).await;
    all_answer(&mut sockets).await;
    for listener in ["public", "admin"] {
        assert_eq!(expiry(&admin, &tls, listener).await, "30925843200");
    }

    for broken in ["other_key", "garbage"] {
        secret.replace(&folder(broken));
        process.wait_for(UNUSABLE);
        process.wait_for(UNUSABLE);
        pass_until(Instant::now() + LOOKS).await;
        for address in [&public, &admin] {
            assert!(shows(address, &tls, &second).await, "{broken}");
        }
        all_answer(&mut sockets).await;
        assert_eq!(expiry(&admin, &tls, "public").await, "30925843200");
    }
    replaced(&last).await;
    all_answer(&mut sockets).await;
    drop(sockets);
    let said = process.terminate().with(0);
    assert_eq!(
        said.matches(UNUSABLE).count(),
        4,
        "once for each listener and content: {said}"
    );
}
