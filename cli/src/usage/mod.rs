//! `usage …`: what users used, from the ledger of the running gateway.
//!
//! | file | holds |
//! | --- | --- |
//! | `pages.rs` | asks the gateway for rows, page by page |
//! | `show.rs` | `usage show` |

mod pages;
mod show;

pub use show::show;
