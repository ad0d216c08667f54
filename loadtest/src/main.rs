//! `t2b-loadtest`: loads gateways, checks every delivery, reports.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use loadtest::compare;
use loadtest::report::{RunOutcome, RunReport, html, table};
use loadtest::run::{self, RunSetting};
use loadtest::scenario::{BUILT_IN, LoadScenario, text_of};
use loadtest::servers::ServerWatch;
use loadtest::target::TargetNode;

mod args;
mod progress;

use args::RunArgs;

/// Usage or scenario. Source: sysexits, as `t2b` has it.
const USAGE: u8 = 64;
/// Not reachable, refused, or no limits for it.
const UNAVAILABLE: u8 = 69;

#[derive(Parser)]
#[command(
    name = "t2b-loadtest",
    version,
    about = "Load-tests t2b gateways and checks every delivery"
)]
struct CommandLine {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Subcommand)]
enum CliCommand {
    /// Runs a scenario. Exits with 0 if all is well, 1 if a threshold is missed, 2 if a delivery is wrong,
    /// 64 on wrong usage, and 69 if the run cannot begin
    Run(Box<RunArgs>),
    /// Lists the built-in scenarios
    List,
    /// Prints the file of a built-in scenario, for you to copy and change
    Show {
        /// The name of the scenario
        scenario: String,
    },
    /// Compares two results. Exits with 1 if the second is worse
    Compare {
        /// The first result, as --json writes it
        before: PathBuf,
        /// The second result
        after: PathBuf,
        /// The share by which a figure may be worse: 0.1 is 10 %
        #[arg(long, default_value_t = 0.1)]
        tolerance: f64,
    },
    /// Writes a result as an HTML page
    Report {
        /// The result, as --json writes it
        result: PathBuf,
        /// The file to write
        #[arg(short, long, default_value = "report.html")]
        output: PathBuf,
    },
}

fn main() -> ExitCode {
    let cli = match CommandLine::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors.
            let code = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let done = match cli.command {
        CliCommand::Run(args) => return run(&args),
        CliCommand::List => list(),
        CliCommand::Show { scenario } => show(&scenario),
        CliCommand::Compare {
            before,
            after,
            tolerance,
        } => compare(&before, &after, tolerance),
        CliCommand::Report { result, output } => page(&result, &output),
    };
    done.unwrap_or_else(|error| failed(&error, USAGE))
}

fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(code)
}

fn run(args: &RunArgs) -> ExitCode {
    let (scenario, setting) = match prepare(args) {
        Ok(prepared) => prepared,
        Err(error) => return failed(&error, USAGE),
    };
    let interrupts = Arc::new(AtomicUsize::new(0));
    let counter = interrupts.clone();
    let handled = ctrlc::set_handler(move || {
        // Who asks twice does not want the report.
        if counter.fetch_add(1, Ordering::Relaxed) > 0 {
            std::process::exit(130);
        }
    });
    if let Err(error) = handled {
        return failed(&error.into(), UNAVAILABLE);
    }
    let mut progress = progress::for_stderr(args.quiet);
    let result = run::run(&scenario, setting, &interrupts, progress.as_mut());
    drop(progress);
    let report = match result {
        Ok(report) => report,
        Err(error) => return failed(&error, UNAVAILABLE),
    };
    print!("{}", table::render(&report));
    if let Err(error) = save(&report, args) {
        return failed(&error, USAGE);
    }
    match report.outcome() {
        RunOutcome::Good => ExitCode::SUCCESS,
        RunOutcome::Missed => ExitCode::from(1),
        RunOutcome::Wrong => ExitCode::from(2),
    }
}

fn prepare(args: &RunArgs) -> Result<(LoadScenario, RunSetting)> {
    let scenario = LoadScenario::load(&args.scenario, &args.changes())?;
    let nodes: Vec<TargetNode> = args
        .url
        .iter()
        .map(|url| TargetNode::parse(url))
        .collect::<Result<_>>()?;
    let is_local = nodes.iter().all(TargetNode::is_local);
    let watch = ServerWatch::new(&args.metrics, &args.pid, args.redis.as_deref(), &nodes)?;
    let setting = RunSetting {
        credentials: args.credentials(is_local)?,
        nodes,
        watch,
        tenant_prefix: args.tenant_prefix.clone(),
    };
    Ok((scenario, setting))
}

fn save(report: &RunReport, args: &RunArgs) -> Result<()> {
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(report)?;
        fs::write(path, text + "\n").with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &args.html {
        fs::write(path, html::render(report)).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn list() -> Result<ExitCode> {
    for (name, _) in BUILT_IN {
        let scenario = LoadScenario::load(name, &[])?;
        println!("{name:<10} {}", scenario.about);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(name: &str) -> Result<ExitCode> {
    print!("{}", text_of(name)?);
    Ok(ExitCode::SUCCESS)
}

fn compare(before: &Path, after: &Path, tolerance: f64) -> Result<ExitCode> {
    let (before, after) = (RunReport::read(before)?, RunReport::read(after)?);
    let lines = compare::lines(&before, &after);
    print!("{}", compare::render(&lines, tolerance));
    for difference in compare::differences(&before, &after) {
        println!("note: {difference}");
    }
    let is_worse = lines.iter().any(|line| line.worse > tolerance);
    Ok(ExitCode::from(u8::from(is_worse)))
}

fn page(result: &Path, output: &Path) -> Result<ExitCode> {
    let report = RunReport::read(result)?;
    fs::write(output, html::render(&report)).with_context(|| output.display().to_string())?;
    if std::io::stdout().is_terminal() {
        println!("{}", output.display());
    }
    Ok(ExitCode::SUCCESS)
}
