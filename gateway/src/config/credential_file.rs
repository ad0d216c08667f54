//! A file of credentials: one a line. Lines that begin with `#`, blank lines and byte order marks are
//! skipped. The text of a line is never part of an error or a warning.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use protocol::Secret;

use super::bounded_file::{CREDENTIAL_BYTES_MAX, read_text};

/// The widest mode without a warning is 0640: the owner writes, a group may read.
const MODE_WIDE: u32 = 0o777 & !0o740;
/// What editors and shells of some systems put before a text.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// The credentials of a file, in its order, and what is doubtful about it.
#[derive(Debug)]
pub(super) struct CredentialFile {
    pub(super) credentials: Vec<Secret<String>>,
    pub(super) warnings: Vec<String>,
}

impl CredentialFile {
    /// Reads it. Errors: it cannot be read or is too long, holds no credential, or has a line that is none: these
    /// have no space inside.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = read_text(path, CREDENTIAL_BYTES_MAX).map_err(|e| format!("{shown}: {e}"))?;
        let mode = fs::metadata(path).map(|it| it.permissions().mode() & 0o777);
        let mut warnings = Vec::new();
        if let Ok(mode) = mode
            && mode & MODE_WIDE != 0
        {
            warnings.push(format!(
                "{shown} has mode {mode:04o}: others may read or change the credentials in it; \
                 0640 is enough"
            ));
        }
        let mut lines: Vec<(usize, &str)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let (number, line) = (index + 1, line.trim_start_matches(BYTE_ORDER_MARK).trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.contains(|c: char| c.is_whitespace() || c.is_control() || c == BYTE_ORDER_MARK)
            {
                return Err(format!(
                    "{shown}: line {number} has a space or control character inside; \
                     expected one credential a line, and # before a comment"
                ));
            }
            match lines.iter().find(|(_, other)| *other == line) {
                Some((first, _)) => {
                    warnings.push(format!("{shown}: line {number} repeats line {first}"));
                }
                None => lines.push((number, line)),
            }
        }
        if lines.is_empty() {
            return Err(format!("{shown}: holds no credential"));
        }
        let credentials = lines
            .iter()
            .map(|(_, line)| Secret::new((*line).to_owned()));
        let credentials = credentials.collect();
        Ok(Self {
            credentials,
            warnings,
        })
    }
}
