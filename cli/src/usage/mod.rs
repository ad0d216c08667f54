//! `usage …`: what users used, from the ledger of the running gateway.
//!
//! | file | holds |
//! | --- | --- |
//! | `pages.rs` | asks the gateway for rows, page by page |
//! | `show.rs` | `usage show` |
//! | `export/` | `usage export` |

mod export;
mod pages;
mod show;

pub use export::export;
pub use show::show;
