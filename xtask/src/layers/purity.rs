//! What the pure layers pull in through others must not act either.
//!
//! `cargo tree -p <crate>` resolves features for that crate alone, which `cargo metadata` does not:
//! there, a feature that the gateway turns on would be blamed on the layers below it. Procedural
//! macros are left out: they run in the compiler, not in the product.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use super::arrows;
use crate::workspace::Member;

/// Crates that bring a clock, randomness, sockets, threads or global state.
const ACTING: &[&str] = &[
    "async-std",
    "deadpool",
    "fastrand",
    "futures-executor",
    "getrandom",
    "hyper",
    "log",
    "metrics",
    "mio",
    "parking_lot",
    "rand",
    "rand_core",
    "rayon",
    "redis",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tracing",
];

/// Every acting crate in the tree of a pure layer, one sentence each. Errors: `cargo tree` failed.
pub(super) fn breaches(root: &Path, members: &[Member]) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for member in members
        .iter()
        .filter(|member| arrows::is_pure(&member.name))
    {
        let tree = tree(root, &member.name)?;
        found.extend(acting_in(&tree).map(|name| {
            format!(
                "{0} pulls in {name}; see: cargo tree -p {0} -e normal -i {name}",
                member.name
            )
        }));
    }
    Ok(found)
}

fn tree(root: &Path, name: &str) -> anyhow::Result<String> {
    let edges = [
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--package", name])
        .args(edges)
        // Features of the whole workspace would be blamed on one crate.
        .env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION")
        .current_dir(root)
        .output()
        .context("cargo tree")?;
    ensure!(
        output.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).context("cargo tree: not UTF-8")
}

fn acting_in(tree: &str) -> impl Iterator<Item = &'static str> {
    ACTING.iter().copied().filter(|acting| {
        tree.lines()
            .any(|line| line.split_whitespace().next() == Some(acting))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn the_pure_layers_pull_in_nothing_that_acts() {
        let root = workspace::root();
        let members = workspace::members(&root).unwrap();
        assert_eq!(breaches(&root, &members).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_acting_crate_is_found_by_its_whole_name() {
        let found: Vec<_> = acting_in("protocol v0.1.0\nbytes v1.12.1\ntokio v1.54.1\n").collect();
        assert_eq!(found, ["tokio"]);
        assert_eq!(acting_in("tokio-like v1.0.0\n").count(), 0);
    }
}
