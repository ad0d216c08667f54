//! The machine of the load generator, and the versions of the programs.

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine of the load generator, and the versions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunEnvironment {
    /// Version of this program.
    pub loadtest: String,
    /// Versions of the gateways, if their metrics are watched.
    pub gateways: Vec<String>,
    /// Cores that this program may use.
    pub cores: usize,
    /// Model of the processor.
    pub processor: String,
    /// The system's kernel.
    pub kernel: String,
    /// Whether a gateway runs on this machine too.
    pub shares_machine: bool,
}

impl RunEnvironment {
    /// This machine.
    pub fn here(gateways: Vec<String>, shares_machine: bool) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processors
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map(|(_, model)| model.trim().to_owned());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            loadtest: env!("CARGO_PKG_VERSION").to_owned(),
            gateways,
            cores,
            processor: model.unwrap_or_else(|| "unknown".to_owned()),
            kernel: kernel.trim().to_owned(),
            shares_machine,
        }
    }
}
