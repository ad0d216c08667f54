//! Instructions of each step of [`work`](crate::work), counted by callgrind: the same on a busy
//! machine as on a quiet one.
//!
//! A step is run twice under valgrind, with a few repetitions and with more; the difference, divided
//! by the messages between, is what one message takes, without the start. Compared with the figures
//! in `instructions.txt`: more than 5 % above one is a failure. `--process` counts whole gateways too
//! ([`process`]).

mod collected;
mod process;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::load::RoundWorkload;
use crate::work::{MessageStep, STEPS, named};
use collected::parse_collected;

/// How to count.
#[derive(Debug, Args)]
pub struct CountOptions {
    /// Only these steps
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Writes the figures to `instructions.txt` instead of comparing
    #[arg(long)]
    update: bool,
    /// Counts whole gateways too, one and two, at 16 pairs with a window of 1 and of 16; two minutes
    #[arg(long)]
    process: bool,
    /// Keeps callgrind's file of each step in this folder, for `callgrind_annotate`
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// What is run under valgrind.
#[derive(Debug, Args)]
pub struct RunOptions {
    step: String,
    repetitions: u64,
}

/// Until tables and queues have grown.
const WARM: u64 = 200;
const REPETITIONS: u64 = 1000;
/// Above this share of the figure on file it is a failure.
const MORE_MAX: f64 = 0.05;

fn file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt"))
}

/// Repeats one step; started under valgrind.
pub fn run_step(options: &RunOptions) -> Result<()> {
    let mut repeat = (named(&options.step)?.prepare)()?;
    (0..options.repetitions).for_each(|_| repeat());
    Ok(())
}

/// Counts all steps, prints a table in Markdown, and compares. Errors: one takes more than on file.
pub fn run(options: &CountOptions) -> Result<()> {
    let mut known = read(&fs::read_to_string(file()).unwrap_or_default())?;
    println!("| step | instructions a message | on file | difference |");
    println!("| --- | --- | --- | --- |");
    let mut worse = Vec::new();
    for step in STEPS {
        if !options.only.is_empty() && !options.only.iter().any(|only| only == step.name) {
            continue;
        }
        let found = count(step, options)?;
        let (on_file, difference) = match known.get(step.name) {
            Some(before) => {
                let more = found as f64 / *before as f64 - 1.0;
                if more > MORE_MAX {
                    worse.push(step.name);
                }
                (before.to_string(), format!("{:+.1} %", 100.0 * more))
            }
            None => ("–".to_owned(), "–".to_owned()),
        };
        println!("| {} | {found} | {on_file} | {difference} |", step.name);
        known.insert(step.name.to_owned(), found);
    }
    if options.process {
        count_processes(options)?;
    }
    if options.update {
        fs::write(file(), written(&known))?;
        return Ok(());
    }
    ensure!(
        worse.is_empty(),
        "more than {:.0} % above the figures on file: {}; if that is meant, run with --update",
        100.0 * MORE_MAX,
        worse.join(", ")
    );
    Ok(())
}

fn count_processes(options: &CountOptions) -> Result<()> {
    for nodes in [1, 2] {
        for window in [1, 16] {
            let workload = RoundWorkload::Closed { pairs: 16, window };
            let found = process::count(workload, nodes, options.keep.as_deref())?;
            println!("| gateways: {nodes}, load {workload} | {found} | – | – |");
        }
    }
    Ok(())
}

fn count(step: &MessageStep, options: &CountOptions) -> Result<u64> {
    let few = collected(step, WARM, None)?;
    let keep = options.keep.as_ref();
    let keep = keep.map(|folder| folder.join(format!("callgrind.out.{}", step.name)));
    let many = collected(step, WARM + REPETITIONS, keep)?;
    Ok((many - few) / (REPETITIONS * step.messages))
}

/// All instructions of one run.
fn collected(step: &MessageStep, repetitions: u64, keep: Option<PathBuf>) -> Result<u64> {
    let out = keep.unwrap_or_else(|| PathBuf::from("/dev/null"));
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["run-step", step.name, &repetitions.to_string()])
        .output()
        .context("valgrind is needed")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {said}", step.name);
    parse_collected(&said).with_context(|| format!("valgrind said no count: {said}"))
}

/// Lines of a name and a number; `#` begins a comment.
fn read(text: &str) -> Result<BTreeMap<String, u64>> {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let parse = |line: &str| match line.split_once(' ') {
        Some((name, number)) => Ok((name.to_owned(), number.trim().parse()?)),
        None => bail!("instructions.txt: {line}"),
    };
    lines.map(parse).collect()
}

fn written(known: &BTreeMap<String, u64>) -> String {
    let mut text = "# Instructions a message, as `make bench-instructions` counts them. To take new ones over:\n\
                    # cargo run --release -p benches -- instructions --update\n"
        .to_owned();
    for (name, number) in known {
        text.push_str(&format!("{name} {number}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_they_are_written() {
        let known = BTreeMap::from([("decode".to_owned(), 1234), ("local".to_owned(), 9)]);
        assert_eq!(read(&written(&known)).unwrap(), known);
        assert!(read("decode").is_err() && read("decode x").is_err());
    }
}
