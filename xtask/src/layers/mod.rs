//! `cargo xtask layers`: which code may know which.
//!
//! | rule | finds |
//! | --- | --- |
//! | [`arrows`] | a crate that imports upward, or a library that a layer may not use |
//! | [`purity`] | a library that acts, pulled into a pure layer by another one |
//! | [`dialects`] | a dialect's name or JSON in router-core |

mod arrows;
mod dialects;
mod purity;

use std::path::Path;

use crate::code::Files;
use crate::workspace;

/// Every breach of the rules, one sentence each. Errors: cargo or git fails, or a file cannot be parsed.
pub(crate) fn run(root: &Path, files: &Files) -> anyhow::Result<Vec<String>> {
    let members = workspace::members(root)?;
    let mut findings = arrows::breaches(&members);
    findings.extend(purity::breaches(root, &members)?);
    findings.extend(dialects::breaches(files)?);
    if findings.is_empty() {
        println!("layers: {} crates, every import points down", members.len());
    }
    Ok(findings)
}
