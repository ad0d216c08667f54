//! TLS of a listener, from a certificate and a key in files.

use std::error::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::{PEM_BYTES_MAX, TlsFiles, read_bytes};
use crate::start::StartError;

/// What a listener speaks TLS with.
pub(super) struct TlsSetup {
    pub(super) config: Arc<ServerConfig>,
    /// When the first certificate of the chain to expire does, Unix seconds; absent if the chain cannot be
    /// read.
    pub(super) expiry_s: Option<i64>,
}

/// The files of a listener, as they were read.
#[derive(Hash)]
pub(super) struct PemFiles {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl PemFiles {
    /// Errors: one of them is missing or too long.
    pub(super) fn read(files: &TlsFiles) -> Result<Self, StartError> {
        let read = |path: &PathBuf| {
            let bytes = read_bytes(path, PEM_BYTES_MAX);
            bytes.map_err(|error| of(path, &error))
        };
        Ok(Self {
            cert: read(&files.cert)?,
            key: read(&files.key)?,
            client_ca: files.client_ca.as_ref().map(read).transpose()?,
        })
    }

    /// Errors: one of them is not PEM, or they do not belong together. `files`: where they were read.
    pub(super) fn setup(&self, files: &TlsFiles) -> Result<TlsSetup, StartError> {
        let tls = |error: rustls::Error| StartError::Tls(error.to_string());
        let certs = CertificateDer::pem_slice_iter(&self.cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| of(&files.cert, &error))?;
        let key =
            PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| of(&files.key, &error))?;
        let expiry_s = expiry_s(&certs);
        // Named, as another crate of the process may have brought another provider.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(tls)?;
        let builder = match (&self.client_ca, &files.client_ca) {
            (Some(pem), Some(path)) => {
                let clients = client_verifier(pem, provider);
                let clients = clients.map_err(|error| of(path, &*error))?;
                builder.with_client_cert_verifier(clients)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(certs, key).map_err(tls)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsSetup {
            config: Arc::new(config),
            expiry_s,
        })
    }
}

fn of(path: &Path, error: &dyn Display) -> StartError {
    StartError::Tls(format!("{}: {error}", path.display()))
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
        let files = TlsFiles {
            cert,
            key,
            client_ca: None,
        };
        let Err(StartError::Tls(problem)) = PemFiles::read(&files) else {
            panic!("it is no PEM");
        };
        assert_eq!(problem, "/dev/zero: is longer than 1048576 bytes");
    }
}
