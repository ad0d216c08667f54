//! WebSocket connections: RFC 6455 from the handshake to the last byte.
//!
//! ```text
//!  request --> handshake --> split_upgraded --> Reader -----> drive --> SocketHandler    
//!                                     \                         |            |
//!                                      WriteHalf                | pong,      | push to any
//!                                          \                    | Close      | connection
//!                                           Connection <--------+------------+
//!                                           |- mailbox: queue with limits, one short lock
//!                                           '- writer:  flush() writes what waits in one call
//! ```
//!
//! Nothing here knows T2B frames, tenants or routing: limits are values passed in, and what the
//! messages mean, a [`SocketHandler`] knows. An idle connection costs one task and no buffer. A [`Local`]
//! connection has no socket: a task of this process takes what is pushed to it.
//!
//! | full, late, broken | then |
//! | --- | --- |
//! | message over its limit, too many fragments | Close 1009, before room is made |
//! | budget for incomplete messages used up | Close 1013 |
//! | queue full | waiting partials are dropped, then `Push::Full`; [`Connection::look`] finds it slow after 10 s |
//! | peer acknowledges nothing of what the kernel and the queue hold | [`Connection::look`] finds it slow after 10 s |
//! | peer has not taken all when the closing ends | the socket is reset, so that the kernel holds nothing for it |
//! | control frames too fast | ignored and counted; ten times too fast, or before the peer has shown a credential: Close 1008 |
//! | peer never answers our Close | 2 s, then the socket is let go |
//! | handler panics | Close 1011 |

pub mod budget;
mod connection;
mod drive;
mod frame;
pub mod handshake;
mod held;
mod local;
mod mailbox;
mod outgoing;
mod queue;
mod reader;
mod stream;
mod unacked;
mod writer;

pub use budget::{Budget, Pool};
pub use connection::Connection;
pub use drive::{CLOSE_WAIT, Flow, SocketHandler, drive};
pub use held::{SocketLook, WriteLimits};
pub use local::{Local, Told};
pub use outgoing::{Class, Ended, Outgoing, Push, StreamKey};
pub use reader::{Message, ReadLimits, Reader};
pub use stream::{ReadHalf, SocketEnds, WriteHalf, split_boxed, split_plain, split_upgraded};
pub use unacked::{KernelAsk, KernelHeld, SEND_BUFFER_BYTES};
