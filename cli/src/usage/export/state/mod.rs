//! The durable state of every row at one receiver.
//!
//! A row is pending, then sent, then acknowledged. A row without a record is pending: the ledger keeps it.
//!
//! | file | holds |
//! | --- | --- |
//! | `chain.rs` | lines with a checksum that covers all lines before |
//! | `records.rs` | what the lines say |
//! | `coverage.rs` | the ranges of time of which every row is acknowledged |
//! | `rows.rs` | the state that the records add up to |
//! | `file.rs` | the file: lock, load, append, compact |
//! | `place.rs` | what may be at the place of the file |
//!
//! The file is a log and not a database: the rows of a run are written once and read once, and a damaged file must be
//! recognised before anything is written to it. SQLite has no checksums over its pages by default, and redb repairs a file
//! while it opens it.

mod chain;
mod coverage;
mod file;
mod place;
mod records;
mod rows;
#[cfg(test)]
mod tests;

pub(super) use file::StateFile;
pub(super) use records::{ExportWay, StateHead};
