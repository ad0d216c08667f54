//! Certificates and their keys, which are set in pairs.

use std::path::PathBuf;

use backplane::ClientCertificate;
use protocol::Secret;

use super::bounded_file::{PEM_BYTES_MAX, read_bytes};
use super::checked::{AdminPeer, TlsFiles};
use super::raw::ConfigError;
use super::setting_reader::SettingReader;
use super::values::readable;

/// That of the public listener.
pub(super) fn public(said: &SettingReader<'_>) -> Result<Option<TlsFiles>, ConfigError> {
    pair(said, ["tls_cert", "tls_key"])
}

/// That of the admin listener.
pub(super) fn admin(said: &SettingReader<'_>) -> Result<Option<TlsFiles>, ConfigError> {
    const CA: &str = "admin_client_ca";
    let client_ca = said.one(CA, readable)?;
    let files = pair(said, ["admin_tls_cert", "admin_tls_key"])?;
    if files.is_none() && client_ca.is_some() {
        return Err(said.conflict(CA, "needs admin_tls_cert"));
    }
    Ok(files.map(|files| TlsFiles { client_ca, ..files }))
}

/// What a command expects of the admin listener, and shows to it; none: no TLS.
pub(super) fn admin_peer(said: &SettingReader<'_>) -> Result<Option<AdminPeer>, ConfigError> {
    let cert = said.one("admin_tls_cert", readable)?;
    let client = pair(said, ["admin_client_cert", "admin_client_key"])?;
    Ok(cert.map(|cert| AdminPeer { cert, client }))
}

/// That which a Redis is shown; none without a `rediss` URL to show it to.
pub(super) fn redis_client(
    said: &SettingReader<'_>,
    url: Option<&Secret<String>>,
) -> Result<Option<ClientCertificate>, ConfigError> {
    const CERT: &str = "redis_client_cert";
    const KEY: &str = "redis_client_key";
    let (Some(files), Some(url)) = (pair(said, [CERT, KEY])?, url) else {
        return Ok(None);
    };
    if !url.reveal().starts_with("rediss") {
        let problem = "needs a Redis URL that begins with rediss: only TLS has certificates";
        return Err(said.conflict(CERT, problem));
    }
    let read = |key, path: &PathBuf| {
        let bytes = read_bytes(path, PEM_BYTES_MAX);
        bytes.map_err(|error| said.wrong(key, error))
    };
    let certificate = ClientCertificate::from_pem(read(CERT, &files.cert)?, read(KEY, &files.key)?);
    certificate
        .map(Some)
        .map_err(|error| said.wrong(CERT, error))
}

/// Both files of a certificate and its key, or neither.
fn pair(
    said: &SettingReader<'_>,
    [cert_key, key_key]: [&'static str; 2],
) -> Result<Option<TlsFiles>, ConfigError> {
    let missing = |key, other| Err(said.conflict(key, format!("is needed with {other}")));
    match (said.one(cert_key, readable)?, said.one(key_key, readable)?) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles {
            cert,
            key,
            client_ca: None,
        })),
        (Some(_), None) => missing(key_key, cert_key),
        (None, Some(_)) => missing(cert_key, key_key),
        (None, None) => Ok(None),
    }
}
