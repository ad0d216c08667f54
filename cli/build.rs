//! Tells the program which commit it is built from.
//!
//! `BUILD_COMMIT` has the first word, for builds without a `.git`. It does not begin with `T2B_`: cargo gives it
//! to tests too, and the gateway takes no variable of that kind that is no key. Only this crate is compiled anew after a
//! commit: the libraries below it are told the commit when they start.

use std::path::Path;
use std::process::Command;

/// Hexadecimal digits of the commit.
const DIGITS: &str = "--short=12";

fn main() {
    println!("cargo:rerun-if-env-changed=BUILD_COMMIT");
    let given = std::env::var("BUILD_COMMIT").ok();
    let given = given.filter(|commit| !commit.is_empty());
    // Git appends a line to this file with each commit and each change of branch.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        && Path::new(&log).exists()
    {
        println!("cargo:rerun-if-changed={log}");
    } else {
        println!("cargo:rerun-if-changed=build.rs");
    }
    let commit = given.or_else(|| git(&["rev-parse", DIGITS, "HEAD"]));
    let commit = commit.unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=BUILD_COMMIT={commit}");
}

/// What git prints; none without git, or outside of a repository.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
