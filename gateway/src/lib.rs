//! Floor 3: the doors of a node, and the one place where effects become I/O.
//!
//! | folder | holds |
//! | --- | --- |
//! | `ws/` | WebSocket connections: handshake, reader, mailbox, writer; knows no frames of ours |

pub mod ws;
