//! The state file: locked while an export runs, checked before it is written, synced after each record.
//!
//! | event | what is left |
//! | --- | --- |
//! | the process is killed while it writes a record | a last line without an end, which the next export cuts off |
//! | it is killed while it creates or compacts the file | the file as it was, and `FILE.new`, which the next one replaces |
//! | it is no regular file, or has more than 1 GiB | it is refused, and nothing is read of it |
//! | any other difference from what was written | the file is refused, and stays as it is |

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use protocol::{UsageHour, UsageMeter};

use super::chain::LineChain;
use super::place::{BYTES_MAX, beside, check, check_bytes, is_state, writable};
use super::records::{StateHead, StateRecord};
use super::rows::StateRows;
use crate::failure::CommandFailure;
use crate::usage::export::row_key::{RowKey, RowSpace};

/// Most rows of a record when the file is compacted.
const RECORD_ROWS: usize = 100;
/// The file is compacted when it has more than twice the bytes that it had after the last time, and this.
const SLACK_BYTES: u64 = 64 << 10;

/// The state of the rows at one receiver.
#[derive(Debug)]
pub(in super::super) struct StateFile {
    path: PathBuf,
    /// Held until the process ends, however it ends.
    _lock: File,
    /// `None`: the file does not exist yet.
    log: Option<StateLog>,
}

#[derive(Debug)]
struct StateLog {
    head: StateHead,
    rows: StateRows,
    file: File,
    chain: LineChain,
    bytes: u64,
    /// Bytes after the last compaction, or at the start.
    compact_bytes: u64,
}

impl StateFile {
    /// Locks and reads the file. It need not exist.
    ///
    /// # Errors
    ///
    /// Exit 75: another export has it. Exit 1: it cannot be read, or it is damaged.
    pub(in super::super) fn open(path: &Path) -> Result<Self, CommandFailure> {
        // Two names of one file have one lock.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let failed = |error: &dyn std::fmt::Display| failure(&path, error);
        // Before anything is created beside it.
        is_state(&path).map_err(|error| failed(&error))?;
        let lock = writable().open(beside(&path, "lock"));
        let lock = lock.map_err(|error| failed(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!("{}: another export uses this file", path.display());
                return Err(CommandFailure::try_later("state_in_use", text));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        let log = match is_state(&path).map_err(|error| failed(&error))? {
            true => Some(StateLog::load(&path).map_err(|error| failed(&error))?),
            false => None,
        };
        Ok(Self {
            path,
            _lock: lock,
            log,
        })
    }

    /// Whose state the file has. `None`: the file does not exist yet.
    pub(in super::super) fn head(&self) -> Option<&StateHead> {
        self.log.as_ref().map(|log| &log.head)
    }

    /// Creates the file, or checks that it belongs to the same receiver, way, cluster and step.
    ///
    /// # Errors
    ///
    /// Exit 64: it belongs to another one; the member is named. Exit 1: it cannot be written.
    pub(in super::super) fn claim(&mut self, wanted: &StateHead) -> Result<(), CommandFailure> {
        if let Some(head) = self.head() {
            return self.compare(head, wanted);
        }
        let space = space_of(wanted);
        let log = StateLog::write(&self.path, wanted.clone(), StateRows::new(space));
        self.log = Some(log.map_err(|error| failure(&self.path, &error))?);
        Ok(())
    }

    fn compare(&self, head: &StateHead, wanted: &StateHead) -> Result<(), CommandFailure> {
        let members = [
            ("receiver", head.receiver.clone(), wanted.receiver.clone()),
            ("cluster", head.cluster.clone(), wanted.cluster.clone()),
            (
                "step",
                format!("{:?}", head.step).to_lowercase(),
                format!("{:?}", wanted.step).to_lowercase(),
            ),
            (
                "way",
                format!("{:?}", head.way).to_lowercase(),
                format!("{:?}", wanted.way).to_lowercase(),
            ),
        ];
        let Some((member, has, asked)) = members.into_iter().find(|(_, has, asked)| has != asked)
        else {
            return Ok(());
        };
        let path = self.path.display();
        let text = format!("{path}: its {member} is {has}, and this export's is {asked}");
        Err(CommandFailure::usage("state", text))
    }

    /// The ids of the file's rows. `None`: the file does not exist yet.
    pub(in super::super) fn space(&self) -> Option<RowSpace> {
        self.head().map(space_of)
    }

    /// Whether the receiver has a row.
    pub(in super::super) fn is_acknowledged(&self, key: &RowKey) -> bool {
        let log = self.log.as_ref();
        log.is_some_and(|log| log.rows.is_acknowledged(key))
    }

    /// When a row was sent first, Unix milliseconds, if nothing is known of it since.
    pub(in super::super) fn sent_ms(&self, key: &RowKey) -> Option<u64> {
        self.log.as_ref()?.rows.sent_ms(key)
    }

    /// Every row that was sent and is not acknowledged, and when, Unix milliseconds.
    pub(in super::super) fn sent(&self) -> impl Iterator<Item = (&RowKey, u64)> {
        self.log.iter().flat_map(|log| log.rows.sent())
    }

    /// The first hour of which some row of these meters may not be acknowledged. `None`: no export was made.
    pub(in super::super) fn first_hole(&self, meters: &[UsageMeter]) -> Option<UsageHour> {
        self.log.as_ref()?.rows.first_hole(meters)
    }

    /// Notes the first hour of the first export.
    pub(in super::super) fn begin(&mut self, from: UsageHour) -> Result<(), CommandFailure> {
        match self.log.as_ref().is_some_and(|log| log.rows.has_begun()) {
            true => Ok(()),
            false => self.append(StateRecord::Begin(from)),
        }
    }

    /// Notes that rows are about to be sent.
    pub(in super::super) fn mark_sent(
        &mut self,
        rows: Vec<String>,
        at: u64,
    ) -> Result<(), CommandFailure> {
        self.append(StateRecord::Sent { at, rows })
    }

    /// Notes that the receiver has rows.
    pub(in super::super) fn acknowledge(
        &mut self,
        rows: Vec<String>,
    ) -> Result<(), CommandFailure> {
        self.append(StateRecord::Acknowledged(rows))
    }

    /// Notes that the receiver does not have rows that were sent.
    pub(in super::super) fn release(&mut self, rows: Vec<String>) -> Result<(), CommandFailure> {
        self.append(StateRecord::Pending(rows))
    }

    /// Notes that every row of these meters and hours is acknowledged, unless one of them is known not to be; and
    /// compacts the file if that is worth it.
    pub(in super::super) fn cover(
        &mut self,
        meters: &[UsageMeter],
        (from, to): (UsageHour, UsageHour),
    ) -> Result<(), CommandFailure> {
        // The ledger may have lost a row that was sent. It is still to be reported.
        let is_inside =
            |key: &RowKey| meters.contains(&key.meter) && (from..to).contains(&key.from);
        if self.sent().any(|(key, _)| is_inside(key)) {
            return Ok(());
        }
        let meters = meters.to_vec();
        self.append(StateRecord::Covered { meters, from, to })?;
        let log = self.log.as_ref();
        match log.is_some_and(|log| log.bytes > 2 * log.compact_bytes + SLACK_BYTES) {
            true => self.compact(),
            false => Ok(()),
        }
    }

    /// Writes the file anew, with the fewest records that say the same.
    pub(super) fn compact(&mut self) -> Result<(), CommandFailure> {
        let Some(log) = self.log.take() else {
            return Ok(());
        };
        let log = StateLog::write(&self.path, log.head, log.rows);
        self.log = Some(log.map_err(|error| failure(&self.path, &error))?);
        Ok(())
    }

    fn append(&mut self, record: StateRecord) -> Result<(), CommandFailure> {
        if matches!(&record, StateRecord::Sent { rows, .. } | StateRecord::Acknowledged(rows) | StateRecord::Pending(rows) if rows.is_empty())
        {
            return Ok(());
        }
        let Some(log) = &mut self.log else {
            return Err(failure(&self.path, &"was not created"));
        };
        log.append(&record)
            .map_err(|error| failure(&self.path, &error))
    }
}

impl StateLog {
    /// Reads a file and checks every line.
    fn load(path: &Path) -> io::Result<Self> {
        let file = writable()
            .create(false)
            .read(true)
            .append(true)
            .open(path)?;
        // What was opened, which may be another one than what was found before.
        check(&file.metadata()?)?;
        let mut bytes = Vec::new();
        let read = (&file).take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
        check_bytes(read as u64)?;
        // A record whose write was cut off: nothing was sent after it.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        bytes.truncate(whole.map_or(0, |end| end + 1));
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged(1))?;
        let mut chain = LineChain::default();
        let mut lines = text.split_terminator('\n');
        let head = lines.next().and_then(|line| chain.text(line));
        let head = head.ok_or_else(|| {
            let text = "is not a state file of t2b usage export, or its first line is damaged";
            io::Error::other(text)
        })?;
        let head: StateHead = serde_json::from_str(head).map_err(io::Error::other)?;
        if !head.is_readable() {
            return Err(io::Error::other("was written by another version of t2b"));
        }
        let mut rows = StateRows::new(space_of(&head));
        for (index, line) in lines.enumerate() {
            let record = chain.text(line);
            let record = record.and_then(|text| serde_json::from_str(text).ok());
            let is_fine = record.is_some_and(|record: StateRecord| rows.add(&record));
            is_fine.then_some(()).ok_or_else(|| damaged(index + 2))?;
        }
        let bytes = bytes.len() as u64;
        if file.metadata()?.len() > bytes {
            file.set_len(bytes)?;
        }
        Ok(Self {
            head,
            rows,
            file,
            chain,
            bytes,
            compact_bytes: bytes,
        })
    }

    /// Writes a file anew, in the place of the one that may be there.
    fn write(path: &Path, head: StateHead, rows: StateRows) -> io::Result<Self> {
        let new = beside(path, "new");
        let mut chain = LineChain::default();
        let mut text = chain.line(&json_text(&head)?);
        for record in rows.records(RECORD_ROWS) {
            text.push_str(&chain.line(&json_text(&record)?));
        }
        let mut file = writable().truncate(true).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_folder(path)?;
        let file = OpenOptions::new().append(true).open(path)?;
        let bytes = text.len() as u64;
        Ok(Self {
            head,
            rows,
            file,
            chain,
            bytes,
            compact_bytes: bytes,
        })
    }

    fn append(&mut self, record: &StateRecord) -> io::Result<()> {
        let mut chain = self.chain;
        let line = chain.line(&json_text(record)?);
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()?;
        self.chain = chain;
        self.bytes += line.len() as u64;
        let is_own = self.rows.add(record);
        debug_assert!(is_own, "rows are checked before they are sent");
        Ok(())
    }
}

fn space_of(head: &StateHead) -> RowSpace {
    RowSpace {
        cluster: head.cluster.clone(),
        step: head.step,
    }
}

/// A new name is durable when its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn json_text(value: &impl serde::Serialize) -> io::Result<String> {
    serde_json::to_string(value).map_err(io::Error::other)
}

fn damaged(line: usize) -> io::Error {
    io::Error::other(format!(
        "line {line} is damaged; see \"a lost or damaged file\" in docs/billing.md"
    ))
}

fn failure(path: &Path, error: &dyn std::fmt::Display) -> CommandFailure {
    CommandFailure::failed("state", format!("{}: {error}", path.display()))
}
