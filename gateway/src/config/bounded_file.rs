//! Reads a small file whole, and no more than a small file has: a path may name a device or a pipe
//! that never ends.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Most bytes of a file of credentials: more than a thousand of them.
pub(super) const CREDENTIAL_BYTES_MAX: u64 = 64 * 1024;
/// Most bytes of the TOML file: some ten thousand tenants with limits of their own.
pub(super) const CONFIG_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Most bytes of a PEM file: hundreds of certificates.
pub const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// The bytes of a file. Errors: it cannot be read, or is longer than `bytes_max`.
pub fn read_bytes(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)?;
    if read as u64 > bytes_max {
        let problem = format!("is longer than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes)
}

/// The same as a text. Errors: it is not UTF-8, too.
pub(super) fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let bytes = read_bytes(path, bytes_max)?;
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "is not UTF-8 text"))
}
