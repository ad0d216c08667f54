//! The upper bounds of the histograms, seconds.
//!
//! Each bound is a series of every label value, so there are few. A bound stands where somebody decides by
//! it: at a threshold of docs/slo.md, or where a known delay begins. 50 ms and 150 ms are the thresholds of
//! the latency objectives for messages on one node and between nodes.

/// A step of a message's way: on one node it takes less than 1 ms, over Redis a few. A Redis that stalls
/// for 0.8 s, as at a fork for its file, is between 500 ms and 1 s. 7.5 s is the deadline of a lane.
pub(super) const PATH_SECONDS: &[f64] = &[0.001, 0.005, 0.02, 0.05, 0.15, 0.5, 1.0, 2.5, 7.5];

/// A new connection: two round trips of the network, two more with TLS, and the client's own time. Above
/// 1 s a user notices; 10 s is the default of `handshake_timeout`.
pub(super) const CONNECT_SECONDS: &[f64] = &[0.005, 0.02, 0.05, 0.15, 0.5, 1.0, 2.5, 10.0];

/// A request over HTTP: that of a message on one node, and up to `waitMs` for a reply, which an agent takes
/// many seconds for.
pub(super) const HTTP_SECONDS: &[f64] = &[0.005, 0.02, 0.05, 0.15, 0.5, 1.0, 5.0, 30.0];
