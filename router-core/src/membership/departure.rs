//! How far this node is with leaving the cluster: it beats no more, and has its own entry removed.

/// How far this node is with leaving the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Departure {
    /// It stays.
    Staying,
    /// It begins no beat any more, and waits for the answer to the last one.
    Due,
    /// It has asked for its own eviction, or is evicted.
    Begun,
}

impl Departure {
    pub(super) fn stays(self) -> bool {
        self == Self::Staying
    }

    /// It shall leave.
    pub(super) fn begin(&mut self) {
        if self.stays() {
            *self = Self::Due;
        }
    }

    /// Whether its eviction is asked for now; it is, once. Not while a beat is out: one that comes behind the eviction
    /// would write the entry anew.
    pub(super) fn asks(&mut self, is_beat_out: bool) -> bool {
        !is_beat_out && self.ends()
    }

    /// It is evicted, whoever asked for that. Whether that ends its departure.
    pub(super) fn ends(&mut self) -> bool {
        let is_due = *self == Self::Due;
        if is_due {
            *self = Self::Begun;
        }
        is_due
    }
}
