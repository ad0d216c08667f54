//! What the node does with the usage that its tenants count.
//!
//! ```text
//!  shards ─▶ gather ─┬─▶ JournalBuffer ─▶ journal file     every usage_journal, and before a scrape
//!                    └─▶ TenantSeries  ─▶ /metrics/tenants
//!  journals of boots that are gone ─▶ ledger               once, at the start
//!  shards ─▶ oldest hour that is not booked ─▶ beat        when an hour ends
//! ```
//!
//! | file | does |
//! | --- | --- |
//! | `gathering.rs` | takes the reports of the shards; writes the journal |
//! | `watermark.rs` | says up to which hour everything is booked |
//! | `loss.rs` | remembers that the store lost its data |
//! | `recovery.rs` | books what the journals of dead boots have |
//! | `ending.rs` | books what is left when the node ends |

mod ending;
mod gathering;
mod loss;
mod recovery;
mod watermark;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::config::Config;
use crate::usage::{ClosedMark, JournalBuffer, JournalWriter, TenantSeries};

use loss::LossMemory;
pub(crate) use loss::StoreLoss;

/// How usage is kept until it is booked, and what is known of all of it.
pub(crate) struct NodeUsage {
    /// The name of the cluster in the ids of rows.
    pub(crate) cluster_name: String,
    /// The folder of the journals; absent: there is none.
    folder: Option<PathBuf>,
    /// How often reports are gathered.
    period: Duration,
    /// The journal while nobody writes it; absent while somebody does, and without one.
    journal: Mutex<Option<JournalWriter>>,
    /// What the next write of the journal has.
    buffer: Mutex<JournalBuffer>,
    series: Mutex<TenantSeries>,
    /// The first hour of which this node may have usage that is not booked, as a number.
    flushed: AtomicU32,
    /// The first hour of the journals that are not booked yet; `u32::MAX`: all are.
    recovering: AtomicU32,
    /// What readers were told.
    pub(crate) closed: ClosedMark,
    pub(crate) loss: LossMemory,
}

/// How often reports are gathered without a journal: for metrics only.
const WITHOUT_JOURNAL: Duration = Duration::from_secs(1);

impl NodeUsage {
    /// As a configuration says.
    pub(crate) fn new(config: &Config) -> Self {
        let is_on = !config.usage_journal.is_zero();
        let folder = config.state_dir.as_ref().filter(|_| is_on);
        Self {
            cluster_name: config.cluster_name.clone(),
            folder: folder.map(|dir| dir.join("usage")),
            period: match folder.is_some() {
                true => config.usage_journal,
                false => WITHOUT_JOURNAL,
            },
            journal: Mutex::default(),
            buffer: Mutex::default(),
            series: Mutex::new(TenantSeries::new(config.tenant_series_max)),
            flushed: AtomicU32::new(0),
            // Until the journals are read, nobody knows.
            recovering: AtomicU32::new(if folder.is_some() { 0 } else { u32::MAX }),
            closed: ClosedMark::default(),
            loss: LossMemory::default(),
        }
    }
}
