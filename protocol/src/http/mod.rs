//! The HTTP API: its bodies, and how they are read and written.
//!
//! | file | holds |
//! | --- | --- |
//! | `bodies.rs` | the bodies as types |
//! | `message.rs` | the body that sends a message |
//! | `token.rs` | the body that asks for a client token |
//! | `page.rs` | the answer that is a page of bots |
//! | `tenant.rs` | tenants, for operators |
//! | `usage.rs` | rows of usage, and pages of them |
//! | `reply.rs` | the reply that a call waits for, its parts joined |

mod bodies;
mod message;
mod page;
mod reply;
mod tenant;
mod token;
mod usage;

pub use bodies::{BotPage, MessageAnswer, Problem, TokenIssued};
pub use message::decode_message;
pub use page::bot_page;
pub use reply::Reply;
pub use tenant::{AllowanceInfo, AssignedInfo, TenantInfo, TenantOrder};
pub use token::decode_token_request;
pub use usage::{UsagePage, UsageRow, UsageStep};
