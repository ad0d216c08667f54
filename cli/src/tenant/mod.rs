//! `tenant …`, `keys revoke`: what operators see and order of a user.
//!
//! | file | holds |
//! | --- | --- |
//! | `list.rs`, `show.rs` | `tenant list`, `tenant show` |
//! | `set.rs` | `tenant set`: plan, limits, labels |
//! | `orders.rs` | `tenant suspend`, `resume`, `delete`, `keys revoke` |

mod list;
mod orders;
mod set;
mod show;

pub use list::list;
pub use orders::{delete, resume, revoke, suspend};
pub use set::set;
pub use show::show;
