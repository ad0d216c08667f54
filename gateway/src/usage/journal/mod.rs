//! The journal: usage that is not booked, in a file, so that it survives the process.
//!
//! A node has one journal, `<boot>.journal`, and holds a lock on it and on `<boot>.lock` as long as it lives: so a
//! journal stays locked if somebody deletes `<boot>.lock`. Before each write the node looks whether the journal is still
//! in its place; one that was deleted or replaced begins anew. Each write
//! says of each tenant that changed *all* that it has: the last word about a tenant counts. When the file has
//! grown, it begins anew with what all tenants have. No write is followed by fsync: the journal survives the
//! process, not the machine.
//!
//! ```text
//!  file  = magic, block…          block = length u32, checksum u64, MessagePack
//!  first block: JournalHead       every other: JournalWrite
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `format.rs` | the blocks |
//! | `writer.rs` | the journal of this boot |
//! | `reading.rs` | what a journal has that is not booked |
//! | `folder.rs` | journals of boots that are gone, and those that are kept aside |

mod folder;
mod format;
mod reading;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use folder::{DeadJournal, dead_journals};
pub(crate) use format::JournalBuffer;
pub(crate) use writer::JournalWriter;
