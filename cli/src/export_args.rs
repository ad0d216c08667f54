//! The arguments of `usage export`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use protocol::TenantId;
use protocol::units::parse_duration;

use crate::config_args::HiddenKeys;

/// Who takes the rows, and so which shape they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReceiverKind {
    /// The rows as the gateway's API has them, with a head line
    Csv,
    /// The rows as the gateway's API has them, one JSON object a line
    Ndjson,
    /// Batches of CloudEvents, as OpenMeter takes them
    Cloudevents,
    /// Meter events of Stripe
    Stripe,
    /// Batches of events for Lago
    Lago,
    /// Batches of events for Orb
    Orb,
    /// Batches of events for Metronome
    Metronome,
}

#[derive(Args)]
pub struct ExportUsageArgs {
    /// The user's id [default: all users]
    pub user: Option<TenantId>,
    /// The first day or hour, like 2026-11-28 or 2026-11-28T09:00:00Z [default: where the last export with this
    /// --state stopped, else the first day of this month]
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// The first day or hour after the range, at most 62 days after --from [default: the end of this hour or day]
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// The meter. Repeat it for several meters [default: all meters]
    #[arg(long)]
    pub meter: Vec<String>,
    /// The length of a row's period
    #[arg(long, value_parser = ["hour", "day"], default_value = "hour")]
    pub step: String,
    /// The receiver, and so the shape of the output
    #[arg(long = "as", value_name = "RECEIVER")]
    pub kind: ReceiverKind,
    /// The file with the state of every row at this receiver. t2b creates it. Give each receiver a file of its own
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Sends the events to this URL instead of printing them. It needs --state
    #[arg(long, value_name = "URL", requires = "state")]
    pub post: Option<String>,
    /// The file with the receiver's customer of each user: CSV with the head line `user,customer`
    #[arg(long, value_name = "FILE")]
    pub customers: Option<PathBuf>,
    /// Leaves out the rows of users who are not in --customers, for good. Without it, such a row is an error
    #[arg(long, requires = "customers")]
    pub skip_unknown: bool,
    #[command(flatten)]
    pub sending: SendingArgs,
    #[command(flatten)]
    pub decisions: DecisionArgs,
    #[command(flatten)]
    pub config: HiddenKeys,
}

/// How requests are sent to the receiver.
#[derive(Args)]
pub struct SendingArgs {
    /// The file with headers for the receiver, such as its API key: one `Name: value` per line
    #[arg(long, value_name = "FILE", requires = "post")]
    pub header_file: Option<PathBuf>,
    /// A header for the receiver. Prefer --header-file: other users of this machine can read a flag
    #[arg(long, value_name = "NAME: VALUE", requires = "post")]
    pub header: Vec<String>,
    /// Allows http:// to other machines than this one. Everyone on the way can read the key and the usage
    #[arg(long, requires = "post")]
    pub insecure_http: bool,
    /// How long the receiver ignores an event that it has already [default: 24h for stripe and cloudevents, 34d for
    /// metronome, for good for the others]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub window: Option<Duration>,
    /// Most rows of a batch
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub batch: u16,
    /// How often a batch is tried before the export gives up with exit code 75
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub attempts: u16,
    /// How long to wait before the second attempt. Each further wait is twice as long, at most 60s
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pub retry_wait: Duration,
    /// How long the receiver may take for an answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    pub timeout: Duration,
}

/// What a person decided about rows that were reported. The command writes it to the state file and exports nothing.
#[derive(Args)]
pub struct DecisionArgs {
    /// Notes in --state that the receiver has these rows, and ends. `-` reads the ids from standard input
    #[arg(long, value_name = "ID", num_args = 1.., requires = "state")]
    pub acknowledge: Vec<String>,
    /// Notes in --state that the receiver does not have these rows, and ends. The next export sends them again.
    /// `-` reads the ids from standard input
    #[arg(long, value_name = "ID", num_args = 1.., requires = "state")]
    pub resend: Vec<String>,
}
