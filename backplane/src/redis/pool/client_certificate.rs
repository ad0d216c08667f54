//! What a node shows a Redis that asks its clients for a certificate.

use std::fmt;
use std::sync::Arc;

use redis::ClientTlsConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::redis::error::ConnectError;

/// A chain of certificates and the key of the first, checked to belong together. `Debug` shows neither.
#[derive(Clone)]
pub struct ClientCertificate {
    pub(in crate::redis) key: Arc<CertifiedKey>,
    /// The same for redis-rs, which reads PEM itself.
    pub(in crate::redis) pem: ClientTlsConfig,
}

impl ClientCertificate {
    /// Reads both from PEM. Errors: [`ConnectError::Tls`], which does not repeat them.
    pub fn from_pem(client_cert: Vec<u8>, client_key: Vec<u8>) -> Result<Self, ConnectError> {
        let chain = CertificateDer::pem_slice_iter(&client_cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| ConnectError::Tls(format!("the certificate: {error}")))?;
        let key = PrivateKeyDer::from_pem_slice(&client_key)
            .map_err(|error| ConnectError::Tls(format!("the key: {error}")))?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider())
            .map_err(|error| ConnectError::Tls(format!("the certificate and its key: {error}")))?;
        Ok(Self {
            key: Arc::new(key),
            pem: ClientTlsConfig {
                client_cert,
                client_key,
            },
        })
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate(***)")
    }
}
