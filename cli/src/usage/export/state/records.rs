//! What the lines of a state file say.

use protocol::http::UsageStep;
use protocol::{UsageHour, UsageMeter};
use serde::{Deserialize, Serialize};

/// The version of the format. A file of another version is refused.
const VERSION: u32 = 1;

/// How the events of a file leave: what was printed is not at the receiver, so the two are not mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum ExportWay {
    /// With `--post`.
    Post,
    /// Without.
    Print,
}

/// The first line: whose state this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct StateHead {
    #[serde(rename = "t2b_usage_export")]
    version: u32,
    pub(in super::super) receiver: String,
    pub(in super::super) way: ExportWay,
    pub(in super::super) cluster: String,
    pub(in super::super) step: UsageStep,
}

/// Every other line. Hours are numbers as [`UsageHour::number`] has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum StateRecord {
    /// The first hour of the first export. Later ones do not change it: who exports an older day by hand does not ask
    /// for the days between.
    Begin(UsageHour),
    /// Rows that are about to be sent for the first time.
    Sent {
        /// Unix milliseconds.
        at: u64,
        rows: Vec<String>,
    },
    /// Rows that the receiver has.
    Acknowledged(Vec<String>),
    /// Rows that were sent and that the receiver does not have.
    Pending(Vec<String>),
    /// From one hour to before another, every row of these meters is acknowledged. Their own records are forgotten.
    Covered {
        meters: Vec<UsageMeter>,
        from: UsageHour,
        to: UsageHour,
    },
}

impl StateHead {
    /// The head of a new file.
    pub(in super::super) fn new(
        receiver: &str,
        way: ExportWay,
        (cluster, step): (&str, UsageStep),
    ) -> Self {
        Self {
            version: VERSION,
            receiver: receiver.to_owned(),
            way,
            cluster: cluster.to_owned(),
            step,
        }
    }

    /// Whether this build reads such a file.
    pub(super) fn is_readable(&self) -> bool {
        self.version == VERSION
    }
}
