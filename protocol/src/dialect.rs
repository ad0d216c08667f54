//! The dialects that sockets speak.

/// A dialect that sockets speak. The closed list: what several connections of one dialect are told is
/// encoded once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DialectKind {
    /// [T2B](crate::t2b): JSON frames.
    T2b,
}

impl DialectKind {
    /// How many there are.
    pub const COUNT: usize = 1;
}
