//! Routing knows no dialect: router-core imports meanings from `protocol`, and reads and writes no JSON.
//!
//! The claims of a client token are JSON by their standard (RFC 7519), so their file may use serde_json.

use crate::code::{Crate, Files};

/// The crate that the rule is about.
const ROOT: &str = "router-core/src/lib.rs";
/// Modules of `protocol` that belong to one dialect.
const DIALECTS: &[&str] = &["http", "openclaw", "t2b"];
/// The file that may name serde_json.
const CLAIMS: &str = "router-core/src/auth/token.rs";

/// Every breach, one sentence each. Errors: a file that Rust's grammar does not allow.
pub(super) fn breaches(files: &Files) -> anyhow::Result<Vec<String>> {
    let routing = Crate::read(ROOT, files)?;
    let mut found = Vec::new();
    for module in &routing.modules {
        for path in module.all_paths() {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            match names.as_slice() {
                ["protocol", dialect, ..] if DIALECTS.contains(dialect) => {
                    found.push(format!("{}: names the dialect {dialect}", module.file));
                }
                ["serde_json", ..] if module.file != CLAIMS => {
                    found.push(format!("{}: uses serde_json", module.file));
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter();
        let files = files.map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        breaches(&files.collect()).unwrap()
    }

    #[test]
    fn a_dialect_in_routing_is_found() {
        let import = "use protocol::{t2b::decode, Outbound};";
        assert_eq!(
            found(&[(ROOT, import)]),
            ["router-core/src/lib.rs: names the dialect t2b"]
        );
        let path = "fn f(_: protocol::http::Problem) {}";
        assert_eq!(found(&[(ROOT, path)]).len(), 1);
        assert_eq!(found(&[(ROOT, "use protocol::message::Send;")]), [""; 0]);
    }

    #[test]
    fn json_is_for_claims_only() {
        let root = (ROOT, "mod auth;");
        let auth = ("router-core/src/auth/mod.rs", "mod token;");
        let token = (CLAIMS, "fn f() { serde_json::to_vec(&1); }");
        assert_eq!(found(&[root, auth, token]), [""; 0]);
        let elsewhere = (
            "router-core/src/auth/mod.rs",
            "fn f() { m!(serde_json::json) }",
        );
        assert_eq!(
            found(&[root, elsewhere]),
            ["router-core/src/auth/mod.rs: uses serde_json"]
        );
    }
}
