//! TLS of a listener, from a certificate and a key in files.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::{PEM_BYTES_MAX, TlsFiles, read_bytes};
use crate::start::StartError;

/// What a listener speaks TLS with.
pub(crate) struct TlsSetup {
    pub(crate) acceptor: TlsAcceptor,
    /// When the first certificate of the chain to expire does, Unix seconds; absent if the chain cannot be
    /// read.
    pub(crate) expiry_s: Option<i64>,
}

/// Reads the files. Errors: one of them is missing, too long or not PEM, or they do not belong together.
pub(crate) fn setup(files: &TlsFiles) -> Result<TlsSetup, StartError> {
    let tls = |problem: String| StartError::Tls(problem);
    let read = |path: &Path| {
        let bytes = read_bytes(path, PEM_BYTES_MAX);
        bytes.map_err(|error| tls(format!("{}: {error}", path.display())))
    };
    let certs = CertificateDer::pem_slice_iter(&read(&files.cert)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| tls(format!("{}: {error}", files.cert.display())))?;
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|error| tls(format!("{}: {error}", files.key.display())))?;
    let expiry_s = expiry_s(&certs);
    // Named, as another crate of the process may have brought another provider.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| tls(error.to_string()))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let clients = client_verifier(&read(path)?, provider);
            let clients = clients.map_err(|error| tls(format!("{}: {error}", path.display())))?;
            builder.with_client_cert_verifier(clients)
        }
    };
    let mut config = builder
        .with_single_cert(certs, key)
        .map_err(|error| tls(error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsSetup {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        expiry_s,
    })
}

/// Lets in who has a certificate of one of these authorities, PEM.
fn client_verifier(
    pem: &[u8],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    Ok(verifier.build()?)
}

fn expiry_s(chain: &[CertificateDer<'_>]) -> Option<i64> {
    let expiries = chain.iter().map(|certificate| {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        Some(certificate.validity().not_after.timestamp())
    });
    expiries.collect::<Option<Vec<i64>>>()?.into_iter().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_refused() {
        let [cert, key] = ["/dev/zero", "/dev/zero"].map(Into::into);
        let Err(StartError::Tls(problem)) = setup(&TlsFiles {
            cert,
            key,
            client_ca: None,
        }) else {
            panic!("it is no PEM");
        };
        assert_eq!(problem, "/dev/zero: is longer than 1048576 bytes");
    }
}
