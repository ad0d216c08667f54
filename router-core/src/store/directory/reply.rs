//! What the store answers about the directory.

use protocol::BotId;

use super::records::{BotHolder, DirectorySnapshot};
use crate::env::Millis;

/// The answer to a [`DirectoryRequest`](super::DirectoryRequest).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryReply {
    /// All of a tenant.
    Loaded(Box<DirectorySnapshot>),
    /// The counter; 0 if there is none: nothing was ever written, or it was lost.
    Version(u64),
    /// The connection is the home.
    Claimed {
        /// The claim's number: the tenant's counter at that moment.
        epoch: u64,
        /// Since when the bot is online, Unix milliseconds.
        since_ms: Millis,
    },
    /// Nothing was done: a live holder has claimed the bot with this number, which is above all that
    /// the asker knew. An asker that knows it and asks again may take the bot over.
    Newer(u64),
    /// All was taken but these, with who holds them instead.
    Asserted(Vec<(BotId, Option<BotHolder>)>),
    /// It is so now.
    Done,
}
