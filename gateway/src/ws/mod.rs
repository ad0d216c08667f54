//! WebSocket connections: RFC 6455 from the handshake to the last byte.
//!
//! ```text
//!  request --> handshake --> split_upgraded --> Reader -----> drive --> SocketHandler    
//!                                     \                         |            |
//!                                      WriteHalf                | pong,      | push to any
//!                                          \                    | Close      | connection
//!                                           Connection <--------+------------+
//!                                           |- queue:   bounded, one short lock
//!                                           '- writer:  flush() writes what waits in one call
//! ```
//!
//! Nothing here knows T2B frames, tenants or routing: limits are values passed in, and what the
//! messages mean, a [`SocketHandler`] knows. An idle connection costs one task and no buffer. A [`LocalConnection`]
//! connection has no socket: a task of this process takes what is pushed to it.
//!
//! | full, late, broken | then |
//! | --- | --- |
//! | message over its limit, too many fragments | Close 1009, before room is made |
//! | budget for incomplete messages used up | Close 1013 |
//! | queue full | waiting partials are dropped, then `PushOutcome::Full`; [`Connection::look`] finds it slow after 10 s |
//! | peer acknowledges nothing of what the kernel and the queue hold | [`Connection::look`] finds it slow after 10 s |
//! | peer has not taken all when the closing ends | the socket is reset, so that the kernel holds nothing for it |
//! | control frames too fast | ignored and counted; ten times too fast, or before the peer has shown a credential: Close 1008 |
//! | peer never answers our Close | 2 s, then the socket is released |
//! | handler panics | Close 1011 |

pub mod budget;
mod closing;
mod connection;
mod control_rate;
mod drive;
mod frame;
mod handler;
pub mod handshake;
mod held;
mod local;
mod message;
mod outbound_queue;
mod outgoing;
mod reader;
mod shared_queue;
mod signals;
mod socket_ends;
mod stream;
mod unacked;
mod writer;

pub use budget::Budget;
pub(crate) use budget::BudgetPool;
pub use closing::CLOSE_WAIT;
pub use connection::Connection;
pub use drive::drive;
pub use handler::{ReadFlow, SocketHandler};
pub use held::{SocketLook, WriteLimits};
pub(crate) use local::{LocalConnection, LocalEvent};
pub use message::Message;
pub use outgoing::{ConnectionEnd, OutgoingFrame, PushOutcome, QueueClass, StreamKey};
pub use reader::{FrameReader, ReadLimits};
pub use socket_ends::SocketEnds;
pub use stream::{ReadHalf, WriteHalf, split_upgraded};
#[cfg(test)]
pub(crate) use stream::{split_boxed, split_plain};
pub use unacked::SEND_BUFFER_BYTES;
pub(crate) use unacked::{KernelAsk, KernelHeld};
