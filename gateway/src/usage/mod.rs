//! Usage outside the machines: the journal, the series of tenants, and what the ledger is read for.
//!
//! | file | holds |
//! | --- | --- |
//! | `journal/` | usage that is not booked, in a file |
//! | `series.rs` | `/metrics/tenants` |
//! | `window.rs` | which rows a request asks for |
//! | `range.rs` | the range of a request, and of the pages behind its first one |
//! | `cursor.rs` | where a page ends |
//! | `closed_mark.rs` | up to which hour this node has answered that usage is closed |
//! | `reader.rs` | the rows of a page |
//! | `failure.rs` | why there is no page |
//! | `check.rs` | what is wrong with the ledger |
//! | `render.rs` | a page as JSON, NDJSON or CSV |
//!
//! What is counted, and how it gets into the ledger, is in `router-core/src/tenant/meter/` and
//! `node/usage/`.

mod check;
mod closed_mark;
mod cursor;
mod failure;
mod journal;
mod range;
mod reader;
mod render;
mod series;
mod window;

pub(crate) use closed_mark::ClosedMark;
pub(crate) use failure::PageFailure;
pub(crate) use journal::{DeadJournal, JournalBuffer, JournalWriter, dead_journals};
pub(crate) use reader::{UsageReader, rfc3339_ms};
pub(crate) use render::PageFormat;
pub(crate) use series::TenantSeries;
pub use series::tenant_families;
pub(crate) use window::UsageWindow;
