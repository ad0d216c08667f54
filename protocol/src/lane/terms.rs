//! How one node writes to another: what both of them read and verify.

use std::fmt;

use super::key_id::KeyId;
use crate::envelope::{WIRE, common_wire};

/// What a sender writes to another node with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneTerms {
    /// The wire version.
    pub wire: u16,
    /// The key that signs. Absent: the sender's first, as the other node has not said which keys it
    /// has.
    pub key: Option<KeyId>,
}

impl LaneTerms {
    /// For a node of this build with the same secrets.
    pub const NEWEST: LaneTerms = LaneTerms {
        wire: WIRE[1],
        key: None,
    };
    /// For a node that has not said anything of itself: what every build that is in use reads.
    pub const UNKNOWN: LaneTerms = LaneTerms {
        wire: WIRE[0],
        key: None,
    };

    /// The terms of a node with these wire versions and keys, `ours`, for one with `theirs`: the
    /// lower maximum, and the first of our keys that they have.
    ///
    /// `theirs` without keys: a build that does not publish them.
    pub fn between(
        ours: ([u16; 2], &[KeyId]),
        theirs: ([u16; 2], &[KeyId]),
    ) -> Result<LaneTerms, TermsMismatch> {
        let wire = common_wire(ours.0, theirs.0).ok_or(TermsMismatch::Wire)?;
        if theirs.1.is_empty() {
            return Ok(LaneTerms { wire, key: None });
        }
        let common = ours.1.iter().find(|key| theirs.1.contains(key));
        let key = Some(*common.ok_or(TermsMismatch::Key)?);
        Ok(LaneTerms { wire, key })
    }
}

/// Why two nodes cannot speak with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TermsMismatch {
    /// They have no wire version in common.
    Wire,
    /// They have no secret in common.
    Key,
}

impl TermsMismatch {
    /// Every reason.
    pub const ALL: [TermsMismatch; 2] = [TermsMismatch::Wire, TermsMismatch::Key];

    /// The metric label, and the word for operators.
    pub const fn reason(self) -> &'static str {
        match self {
            TermsMismatch::Wire => "no_common_wire",
            TermsMismatch::Key => "no_common_secret",
        }
    }
}

impl fmt::Display for TermsMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: KeyId = KeyId::from_bits(1);
    const NEW: KeyId = KeyId::from_bits(2);
    const OTHER: KeyId = KeyId::from_bits(3);

    #[test]
    fn a_sender_signs_with_the_first_of_its_keys_that_the_other_node_has() {
        let key = |ours: &[KeyId], theirs: &[KeyId]| {
            LaneTerms::between((WIRE, ours), (WIRE, theirs)).map(|terms| terms.key)
        };
        // The steps of the documented rotation, and those of the short one.
        for (ours, theirs, signs) in [
            (&[OLD][..], &[OLD, NEW][..], OLD),
            (&[OLD, NEW], &[OLD], OLD),
            (&[OLD, NEW], &[NEW, OLD], OLD),
            (&[NEW, OLD], &[OLD, NEW], NEW),
            (&[NEW, OLD], &[NEW], NEW),
            (&[NEW], &[NEW, OLD], NEW),
            (&[NEW, OLD], &[OLD], OLD),
            (&[OLD], &[NEW, OLD], OLD),
        ] {
            assert_eq!(key(ours, theirs), Ok(Some(signs)), "{ours:?} {theirs:?}");
        }
        assert_eq!(key(&[NEW], &[OLD, OTHER]), Err(TermsMismatch::Key));
        assert_eq!(key(&[NEW, OLD], &[]), Ok(None), "an earlier build");
    }

    #[test]
    fn a_sender_writes_the_lower_maximum() {
        let wire = |ours, theirs| {
            LaneTerms::between((ours, &[OLD]), (theirs, &[OLD])).map(|terms| terms.wire)
        };
        assert_eq!(wire([1, 2], [1, 2]), Ok(2));
        assert_eq!(wire([1, 2], [1, 1]), Ok(1));
        assert_eq!(wire([1, 2], [2, 9]), Ok(2));
        assert_eq!(wire([1, 2], [3, 4]), Err(TermsMismatch::Wire));
        assert_eq!(wire([3, 4], [1, 2]), Err(TermsMismatch::Wire));
        assert_eq!(wire([1, 2], [9, 1]), Err(TermsMismatch::Wire), "no range");
    }
}
