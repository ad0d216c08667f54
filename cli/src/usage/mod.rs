//! `usage …`: what users used, from the ledger of the running gateway.
//!
//! | file | holds |
//! | --- | --- |
//! | `pages.rs` | asks the gateway for rows, page by page |
//! | `show.rs`, `check.rs` | `usage show`, `usage check` |
//! | `export/` | `usage export` |

mod check;
mod export;
mod pages;
mod show;

pub use check::check;
pub use export::export;
pub use show::show;
