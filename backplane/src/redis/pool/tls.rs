//! TLS to Redis: the system's certificates, or none at all if the operator says so.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::client_certificate::ClientCertificate;
use crate::redis::error::ConnectError;

/// How to speak TLS.
#[derive(Clone)]
pub(in crate::redis) struct RedisTls {
    pub(in crate::redis) config: Arc<ClientConfig>,
    /// The server's certificate is not checked.
    pub(in crate::redis) insecure: bool,
    /// What is shown to a server that asks.
    pub(in crate::redis) client: Option<ClientCertificate>,
}

impl RedisTls {
    /// Errors: the system has no certificates to check the server's with.
    pub(in crate::redis) fn new(
        insecure: bool,
        client: Option<ClientCertificate>,
    ) -> Result<Self, ConnectError> {
        Ok(Self {
            config: config(insecure, client.as_ref())?,
            insecure,
            client,
        })
    }
}

fn config(
    insecure: bool,
    client: Option<&ClientCertificate>,
) -> Result<Arc<ClientConfig>, ConnectError> {
    let provider = Arc::new(crypto::ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Tls(error.to_string()))?;
    let builder = match insecure {
        true => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(algorithms))),
        false => builder.with_root_certificates(system_roots()?),
    };
    Ok(Arc::new(match client {
        Some(client) => {
            let shown = SingleCertAndKey::from(Arc::clone(&client.key));
            builder.with_client_cert_resolver(Arc::new(shown))
        }
        None => builder.with_no_client_auth(),
    }))
}

/// Lets redis-rs, which takes the process's provider, find one.
pub(in crate::redis) fn install_provider() {
    // An error says that there is one already.
    let _ = CryptoProvider::install_default(crypto::ring::default_provider());
}

fn system_roots() -> Result<RootCertStore, ConnectError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    match (added, found.errors.first()) {
        (0, Some(error)) => Err(ConnectError::Tls(error.to_string())),
        (0, None) => Err(ConnectError::Tls("the system has no certificates".into())),
        _ => Ok(roots),
    }
}

/// Believes every certificate; the handshake itself is still checked.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
