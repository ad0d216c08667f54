//! What the gateway tells the other nodes of itself.

/// What the gateway knows of itself that the others may know.
#[derive(Debug, Clone)]
pub(crate) struct NodeIdentity {
    /// Its name for operators.
    pub name: String,
    /// Where bots and clients connect.
    pub address: String,
    /// Where other nodes ask it whether its store answers; empty: nowhere.
    pub peer_address: String,
}
