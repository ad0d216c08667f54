//! Why bytes are no packet.

use super::key_id::KeyId;

/// Why bytes are no packet.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// Fewer bytes than a MAC has, or more than a packet may have.
    #[error("packet has {0} bytes")]
    Size(usize),
    /// Its head names a wire version that this build does not read.
    #[error("packet of wire version {0} is not understood")]
    Version(u16),
    /// Its head names a key of a secret that this node does not have.
    #[error("packet is signed with the secret {0}, which this node does not have")]
    Key(KeyId),
    /// No live secret made its MAC.
    #[error("packet is not signed with a secret of this node")]
    Mac,
    /// It is not MessagePack of this shape.
    #[error("packet is not well formed")]
    Malformed(#[from] rmp_serde::decode::Error),
    /// More items or verdicts than a packet may have, none at all, or numbers below 1.
    #[error("packet breaks the rule on its {0}")]
    Count(&'static str),
}

impl PacketError {
    /// The metric label of each kind of error.
    pub const REASONS: [&'static str; 5] = ["size", "wire", "secret", "signature", "malformed"];

    /// Which of [`REASONS`](Self::REASONS) it is.
    pub const fn reason(&self) -> &'static str {
        match self {
            PacketError::Size(_) => "size",
            PacketError::Version(_) => "wire",
            PacketError::Key(_) => "secret",
            PacketError::Mac => "signature",
            PacketError::Malformed(_) | PacketError::Count(_) => "malformed",
        }
    }
}
