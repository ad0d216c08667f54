//! The progress of a run: one line that changes on a terminal, else one line per second.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use loadtest::report::TimelineRow;
use loadtest::run::{ProgressSink, RunPhase};

/// Tells nobody.
pub struct NoProgress;

impl ProgressSink for NoProgress {
    fn connecting(&mut self, _ready: usize, _sockets: usize) {}
    fn second(&mut self, _phase: RunPhase, _of_s: f64, _row: &TimelineRow) {}
}

/// One line a second on stderr.
#[derive(Default)]
pub struct ProgressLines {
    announced: bool,
}

impl ProgressSink for ProgressLines {
    fn connecting(&mut self, ready: usize, sockets: usize) {
        if ready == sockets && !self.announced {
            self.announced = true;
            eprintln!("{sockets} sockets ready");
        }
    }

    fn second(&mut self, phase: RunPhase, _of_s: f64, row: &TimelineRow) {
        eprintln!(
            "{:>4} s  {:<8} {}",
            row.second + 1,
            word(phase),
            summary(row)
        );
    }
}

/// A line that changes.
pub struct StatusBar {
    bar: ProgressBar,
    is_running: bool,
}

impl StatusBar {
    /// On stderr.
    pub fn new() -> Self {
        let bar = ProgressBar::new(0);
        bar.set_style(style("{spinner} {msg} {wide_bar} {pos}/{len}"));
        bar.set_message("connecting");
        bar.enable_steady_tick(Duration::from_millis(200));
        Self {
            bar,
            is_running: false,
        }
    }
}

impl ProgressSink for StatusBar {
    fn connecting(&mut self, ready: usize, sockets: usize) {
        self.bar.set_length(sockets as u64);
        self.bar.set_position(ready as u64);
    }

    fn second(&mut self, phase: RunPhase, of_s: f64, row: &TimelineRow) {
        if !self.is_running {
            self.is_running = true;
            self.bar.set_length(of_s.ceil() as u64);
            self.bar.set_style(style(
                "{spinner} {prefix} {bar:20} {pos}/{len} s  {wide_msg}",
            ));
        }
        self.bar.set_prefix(word(phase));
        self.bar.set_position(row.second + 1);
        self.bar.set_message(summary(row));
    }
}

impl Drop for StatusBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// What fits the place that stderr goes to.
pub fn for_stderr(quiet: bool) -> Box<dyn ProgressSink> {
    match (quiet, stderr().is_terminal()) {
        (true, _) => Box::new(NoProgress),
        (false, true) => Box::new(StatusBar::new()),
        (false, false) => Box::new(ProgressLines::default()),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a template of ours")
}

fn word(phase: RunPhase) -> &'static str {
    match phase {
        RunPhase::Setup => "setup",
        RunPhase::WarmUp => "warm-up",
        RunPhase::Measure => "measure",
        RunPhase::Drain | RunPhase::Close => "drain",
    }
}

fn summary(row: &TimelineRow) -> String {
    let mut text = format!("{:>7}/s", row.delivered);
    if let (Some(p50), Some(p99)) = (row.p50_ms, row.p99_ms) {
        text.push_str(&format!("  p50 {p50:.2} ms  p99 {p99:.2} ms"));
    }
    text.push_str(&format!("  {} connected", row.connected));
    if row.errors > 0 {
        text.push_str(&format!("  {} errors", row.errors));
    }
    let cores: Vec<_> = row.server_cores.iter().flatten().collect();
    if !cores.is_empty() {
        let sum: f64 = cores.into_iter().sum();
        text.push_str(&format!("  servers {sum:.2} cores"));
    }
    text
}
