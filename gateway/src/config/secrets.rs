//! Credentials that a gateway makes for itself in its state directory.
//!
//! Texts read here are never part of an error.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::Secret;

use super::bounded_file::{CREDENTIAL_BYTES_MAX, read_text};
use super::credential_file::BYTE_ORDER_MARK;

/// File in the state directory that API keys are made from.
pub const SECRET_FILE: &str = "secret";
/// File in the state directory that holds the token of `/admin/v1`.
pub const ADMIN_TOKEN_FILE: &str = "admin-token";

/// A new random credential: 32 bytes as 43 letters, digits, `-` and `_`.
///
/// Errors: the system has no randomness to give.
pub fn random() -> io::Result<Secret<String>> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// The credential that `dir/name` holds; it is made there if there is none yet.
///
/// Shape: one line, mode 0600, in a folder of mode 0700. Two processes that start at the same
/// moment get the same one. Errors, with the path: the file cannot be read or made, or others may
/// read it.
pub(crate) fn kept_in(dir: &Path, name: &str) -> io::Result<Secret<String>> {
    let path = dir.join(name);
    kept_at(dir, name, &path)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

fn kept_at(dir: &Path, name: &str, path: &Path) -> io::Result<Secret<String>> {
    match read_private(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        done => return done,
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    // Written aside and linked into place: whoever reads the name finds all of it or nothing.
    let aside = dir.join(format!(".{name}.{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    writeln!(options.open(&aside)?, "{}", random()?.reveal())?;
    let linked = fs::hard_link(&aside, path);
    fs::remove_file(&aside)?;
    match linked {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ => read_private(path),
    }
}

fn read_private(path: &Path) -> io::Result<Secret<String>> {
    let text = read_text(path, CREDENTIAL_BYTES_MAX)?;
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        let problem = "other users can read it; run chmod 600 on it";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    match text.trim_start_matches(BYTE_ORDER_MARK).trim() {
        "" => Err(io::Error::new(io::ErrorKind::InvalidData, "is empty")),
        text => Ok(Secret::new(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("deep/state");
        let first = kept_in(&state, SECRET_FILE).unwrap();
        assert_eq!(first, kept_in(&state, SECRET_FILE).unwrap());
        assert!(first.reveal().len() >= 32);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state.join(SECRET_FILE)), 0o600);
        assert_eq!(mode(&state), 0o700);
        assert_eq!(
            fs::read_dir(&state).unwrap().count(),
            1,
            "nothing is left aside"
        );
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        kept_in(dir.path(), SECRET_FILE).unwrap();
        let path = dir.path().join(SECRET_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = kept_in(dir.path(), SECRET_FILE).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }
}
