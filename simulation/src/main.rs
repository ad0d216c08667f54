//! `simulate --seeds A..B --seconds S`: runs seeds on all cores and reports the guarantees that broke.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use simulation::{SeedOutcome, run};

const USAGE: &str = "simulate [--seeds A..B] [--seconds S] [--replay SEED] [--trace] [--row]";

/// How many events of a failed seed are printed.
const EVENTS_SHOWN: usize = 60;

struct SeedArgs {
    from: u64,
    to: u64,
    seconds: u64,
    trace: bool,
    /// Only a row of the table of planted bugs.
    row: bool,
}

fn main() {
    let Some(args) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        std::process::exit(64);
    };
    // A panic is reported with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    let began = Instant::now();
    let (mut seeds, mut frames) = (0_u32, 0);
    let mut failed = Vec::new();
    for outcome in outcomes(&args) {
        seeds += 1;
        frames += outcome.frames;
        if outcome.failure.is_some() {
            failed.push(outcome);
        }
    }
    failed.sort_unstable_by_key(|outcome| outcome.seed);
    if args.row {
        return print_row(&failed, seeds);
    }
    for outcome in failed.iter().take(5) {
        report(outcome, &args);
    }
    for outcome in failed.iter().skip(5) {
        if let Some((check, at_s, what)) = &outcome.failure {
            println!("seed {}: {check} at {at_s:.3} s: {what}", outcome.seed);
        }
    }
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    println!(
        "{seeds} seeds of {} s, {frames} frames, {:.0} seeds a minute; {} failed",
        args.seconds,
        f64::from(seeds) / minutes,
        failed.len(),
    );
    std::process::exit(i32::from(!failed.is_empty()));
}

/// First seed, how many, of how many, and which checkers.
fn print_row(failed: &[SeedOutcome], seeds: u32) {
    let first = failed.first().map(|outcome| outcome.seed.to_string());
    let first = first.unwrap_or_else(|| "never".to_owned());
    let checks = failed.iter().filter_map(|outcome| outcome.failure.as_ref());
    let checks: BTreeSet<&str> = checks.map(|failure| failure.0.as_str()).collect();
    let checks: Vec<&str> = checks.into_iter().collect();
    println!(
        "{first} | {} | {seeds} | {}",
        failed.len(),
        checks.join(", ")
    );
}

/// Runs all seeds on all cores.
fn outcomes(args: &SeedArgs) -> impl Iterator<Item = SeedOutcome> {
    let (sender, receiver) = mpsc::channel();
    let next = std::sync::Arc::new(AtomicU64::new(args.from));
    let (to, seconds) = (args.to, args.seconds);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for _ in 0..cores {
        let (sender, next) = (sender.clone(), next.clone());
        std::thread::spawn(move || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= to {
                    return;
                }
                let outcome = run(seed, seconds, false);
                if sender.send(outcome).is_err() {
                    return;
                }
            }
        });
    }
    receiver.into_iter()
}

/// Runs a failed seed again, to tell what happened before.
fn report(outcome: &SeedOutcome, args: &SeedArgs) {
    let Some((check, at_s, what)) = &outcome.failure else {
        return;
    };
    let SeedOutcome { seed, .. } = outcome;
    let trace = run(*seed, args.seconds, true).trace;
    let shown = if args.trace { usize::MAX } else { EVENTS_SHOWN };
    println!("seed {seed}: {check} is broken at {at_s:.3} s");
    for line in &trace[trace.len().saturating_sub(shown)..] {
        println!("  {line}");
    }
    println!("  {check}: {what}");
    println!(
        "  again: make simulate REPLAY={seed} SECONDS={}\n",
        args.seconds
    );
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<SeedArgs> {
    let mut args = SeedArgs {
        from: 0,
        to: 1000,
        seconds: 60,
        trace: false,
        row: false,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seeds" => {
                let range = words.next()?;
                let (from, to) = range.split_once("..")?;
                (args.from, args.to) = (from.parse().ok()?, to.parse().ok()?);
            }
            "--seconds" => args.seconds = words.next()?.parse().ok()?,
            "--replay" => {
                args.from = words.next()?.parse().ok()?;
                args.to = args.from + 1;
            }
            "--trace" => args.trace = true,
            "--row" => args.row = true,
            _ => return None,
        }
    }
    Some(args)
}
