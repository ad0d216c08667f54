//! What happened to each tenant on this node lately: the answer to "why is this bot offline".
//!
//! ```text
//!  node/history.rs ──▶ HistoryTable ──▶ TenantHistory ──▶ the last 50 events, and how often each reason came
//!  (facts, ends of      (16 parts, each                └▶ the last connection of each of 32 bots
//!   sockets, failures)   behind a lock)
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `event.rs` | one event, and when two of them are one |
//! | `bot.rs` | the last connection that held a bot |
//! | `tenant.rs` | the history of one tenant, bounded in events |
//! | `table.rs` | all of them, bounded in bytes |
//!
//! It is in memory only, and says what this node saw: another node has the history of its own sockets.
//! A delivered message is no event. Credentials, bodies and the text of frames are never kept.

mod bot;
mod event;
mod table;
mod tenant;
#[cfg(test)]
mod tests;

pub(crate) use bot::{BotConnection, BotLoss, ConnectionClose, LossCause};
pub(crate) use event::{CountedEvent, EventKind, HistoryEvent};
pub(crate) use table::HistoryTable;
pub(crate) use tenant::{BOTS_MAX, ReasonCount, TenantHistory};
