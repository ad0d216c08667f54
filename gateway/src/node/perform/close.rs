//! How a socket is closed by an effect.

use std::sync::Arc;

use protocol::CloseCode;

use crate::node::entry::ConnectionEntry;
use crate::node::work::DeferredWork;

/// Closes a socket behind what is queued for it, once no lock is held.
pub(super) fn close_socket(
    entry: &Arc<ConnectionEntry>,
    close: CloseCode,
    work: &mut DeferredWork,
) {
    entry.socket.close(close);
    work.touch(entry);
}
