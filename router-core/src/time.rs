//! The unit of time.

/// Milliseconds: a moment by one of the two clocks of [`Env`](crate::Env), or a duration.
pub type Millis = u64;
