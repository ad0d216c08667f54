//! Floor 3: the doors of a node, and the one place where effects become I/O.
//!
//! | folder | holds |
//! | --- | --- |
//! | `config/` | flags, environment and file, checked into values that are ready to use |
//! | `ws/` | WebSocket connections: handshake, reader, mailbox, writer; knows no frames of ours |

pub mod config;
pub mod ws;
