//! What operators are shown of the store.

/// What operators are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreState {
    /// `memory`, `redis`, `redis+sentinel` or `redis+cluster`.
    pub kind: &'static str,
    /// Whether there is a connection to every master.
    pub connected: bool,
    /// Times that all connections were replaced.
    pub reconnects: u64,
    /// Records and events that could not be read.
    pub skipped_records: u64,
    /// Times that a connection was held back because the node was behind.
    pub full_waits: u64,
    /// Commands that a server refused because it has no memory left.
    pub full_refusals: u64,
    /// Whether that happened within the last minute.
    pub is_full: bool,
    /// Commands that were sent: scripts, PUBLISH, all others.
    pub commands: [u64; 3],
    /// Whether the last answer about the nodes was not understood: their key is not as this program
    /// writes it.
    pub misread_nodes: bool,
    /// What went wrong last; without credentials.
    pub last_error: Option<String>,
    /// The version of the first server, while connected.
    pub version: Option<String>,
    /// Whether every master writes each change to a file (AOF), while connected. `false` is worth a
    /// warning.
    pub persistent: Option<bool>,
    /// Whether some master throws away keys without an end of their life when it is full
    /// (`maxmemory-policy allkeys-*`), while connected. `true` is worth a warning: policies have none.
    pub evicts: Option<bool>,
}

impl StoreState {
    /// That of a node that stands alone.
    pub(crate) fn alone() -> Self {
        Self {
            kind: "memory",
            connected: true,
            reconnects: 0,
            skipped_records: 0,
            full_waits: 0,
            full_refusals: 0,
            is_full: false,
            commands: [0; 3],
            misread_nodes: false,
            last_error: None,
            version: None,
            persistent: None,
            evicts: None,
        }
    }
}
