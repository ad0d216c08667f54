//! The `ws/` module against the public conformance cases and against raw sockets.

// `cfg(test)` is always true here; it tells clippy that helpers of tests may unwrap.
#[cfg(test)]
mod closing;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod kosoku;
#[cfg(test)]
mod outbound;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod server;
