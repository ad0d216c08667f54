//! The workspace's own checks, as a program: `cargo xtask <command>`.
//!
//! | command | does |
//! | --- | --- |
//! | `layers` | no crate imports upward, the pure layers stay pure, routing knows no dialect ([`layers`]) |
//! | `tidy` | tables documented, generated files current, no forbidden words, links whole, structure of the code ([`tidy`]) |
//! | `generate` | writes every generated file ([`generated`]) |
//!
//! What compilers, clippy and cargo-deny can check is not repeated here. The order in which all
//! checks run is the Makefile's.

mod code;
mod generated;
mod layers;
mod monitoring;
mod tables;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Context;

const USAGE: &str = "usage: cargo xtask layers | tidy | generate";

/// Runs the command that the program is called with.
pub fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    match run(&command) {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in &findings {
                eprintln!("{command}: {finding}");
            }
            eprintln!("{command}: {} to mend", findings.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one command; what it returns are the things to mend, one sentence each.
fn run(command: &str) -> anyhow::Result<Vec<String>> {
    let root = workspace::root();
    match command {
        "layers" => layers::run(&root, &workspace::read_texts(&root)?),
        "tidy" => tidy::run(&root),
        "generate" => {
            for file in generated::files() {
                let path = root.join(file.path);
                if file
                    .write(&root)
                    .with_context(|| format!("writing {}", path.display()))?
                {
                    println!("generate: wrote {}", file.path);
                }
            }
            Ok(Vec::new())
        }
        other => anyhow::bail!("no such command: {other:?}\n{USAGE}"),
    }
}
