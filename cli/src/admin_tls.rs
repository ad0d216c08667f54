//! TLS to the admin listener.
//!
//! The gateway shows the certificate of `admin_tls_cert`: a command accepts it, as it reads the same file.
//! Any other certificate must be valid for the address in `admin_listen`, and issued by an authority of that
//! file or of the system.

use std::path::Path;
use std::sync::Arc;

use gateway::config::{AdminPeer, PEM_BYTES_MAX, read_bytes};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_rustls::TlsConnector;

use crate::failure::CommandFailure;

/// Errors: a file cannot be read, or is not what it should be.
pub fn connector(peer: &AdminPeer) -> Result<TlsConnector, CommandFailure> {
    let provider = Arc::new(ring::default_provider());
    let chain = chain(&peer.cert)?;
    let verifier = AdminVerifier {
        authorities: authorities(&chain),
        chain,
        algorithms: provider.signature_verification_algorithms,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| CommandFailure::failed("tls", error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match &peer.client {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::from_pem_slice(&read(&own.key)?);
            let key = key.map_err(|error| wrong(&own.key, &error))?;
            builder
                .with_client_auth_cert(self::chain(&own.cert)?, key)
                .map_err(|error| wrong(&own.cert, &error))?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CommandFailure> {
    let chain = CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<Vec<_>, _>>();
    chain.map_err(|error| wrong(path, &error))
}

fn read(path: &Path) -> Result<Vec<u8>, CommandFailure> {
    read_bytes(path, PEM_BYTES_MAX).map_err(|error| wrong(path, &error))
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> CommandFailure {
    CommandFailure::usage("tls", format!("{}: {error}", path.display()))
}

/// None: there is no authority, neither in the chain nor in the system.
fn authorities(chain: &[CertificateDer<'static>]) -> Option<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(chain.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    verifier.build().ok()
}

#[derive(Debug)]
struct AdminVerifier {
    /// What the file holds; the gateway shows the first.
    chain: Vec<CertificateDer<'static>>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AdminVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.chain.first() == Some(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let authorities = self.authorities.as_ref().ok_or(unknown)?;
        authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
