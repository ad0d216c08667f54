//! How often the machine beats, asks and probes, after how long it judges, and how much it remembers.

use crate::env::Millis;

/// From the begin of one beat to the next, milliseconds. Never two are out.
pub(super) const BEAT_MS: Millis = 1000;
/// From the begin of a beat to the next if an eviction was asked for and not done, milliseconds: a
/// whole second would be too late for GHO-1.
pub(super) const LOOK_AGAIN_MS: Millis = 250;
/// The same if somebody named a node that is not known, milliseconds: a new node's first message waits
/// for that.
pub(super) const LOOK_FOR_NEW_MS: Millis = 10;
/// Healthy time after which an unchanged beat makes suspect, milliseconds: three beats.
pub(super) const SUSPECT_MS: Millis = 3000;
/// Healthy time after which an unchanged beat means death, milliseconds: six beats. With the first
/// sight of the last beat and the eviction that stays below the 8 s of GHO-1.
pub const DEAD_MS: Millis = 6000;
/// Most healthy time between two beats, milliseconds: one lost answer passes, a stop does not.
pub(super) const GAP_MAX_MS: Millis = 2000;
/// How often the own subscription is probed, milliseconds.
pub(super) const PROBE_MS: Millis = 500;
/// Silence of the own probes, or of the store, that makes degraded, milliseconds.
pub const DEGRADED_MS: Millis = 2000;
/// Own probes in a row that do not come back although the link says that it is up, until it is
/// made anew: connected but deaf heals by nothing else. Four seconds.
pub(super) const PROBES_LOST_MAX: u32 = 8;
/// How often the node says anew what it is, milliseconds; at once if more than its count of
/// connections changed.
pub(super) const HELLO_MS: Millis = 10_000;
/// How often a peer whose secrets or wire versions do not fit is described again, milliseconds: and
/// so, how often the log tells of it.
pub(super) const DESCRIBE_AGAIN_MS: Millis = 60_000;
/// How long the evicted nodes are remembered, milliseconds: their entries are swept from every directory
/// long before.
pub(super) const DEAD_KEPT_MS: Millis = 10 * 60 * 1000;
/// Most evicted remembered; the oldest go first. Five restarts of a hundred nodes in ten minutes;
/// every claim's script takes them as arguments.
pub(super) const DEAD_MAX: usize = 512;
/// Most peers; what else beats is passed over.
pub(super) const PEERS_MAX: usize = 1024;
