//! Over TLS: an untrusted certificate is accepted only with `redis_insecure`.

use std::sync::Arc;

use backplane::{ConnectError, RedisConfig};
use fixtures::RedisServer;
use router_core::store::nodes::{NodeQuery, NodeReply};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::harness::{BOOT, config};

/// Ends TLS before a server; its port.
async fn end_tls(upstream: u16) -> u16 {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut inner = TcpStream::connect(("127.0.0.1", upstream)).await?;
                copy_bidirectional(&mut acceptor.accept(stream).await?, &mut inner).await
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_checked_unless_told_otherwise() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let port = end_tls(redis.port()).await;
    let strict = config(&format!("rediss://localhost:{port}"));
    let refused = backplane::Redis::connect(strict.clone()).await.unwrap_err();
    assert!(
        matches!(refused, ConnectError::Refused { .. } | ConnectError::Tls(_)),
        "{refused:?}"
    );
    let loose = RedisConfig {
        insecure: true,
        ..strict
    };
    let node = backplane::Redis::connect(loose).await.unwrap();
    node.subscribe_node(BOOT).await.unwrap();
    node.probe(BOOT, 1).await.unwrap();
    let mut inbound = node.inbound().unwrap();
    assert_eq!(
        inbound.recv().await,
        Some(backplane::InboundMessage::Probe { number: 1 })
    );
    let described = node.execute_node(&NodeQuery::Describe(BOOT)).await;
    assert_eq!(described, NodeReply::Hello(None));
}
