//! The gateway as its peers meet it: over real sockets.

#[cfg(test)]
mod closes;
#[cfg(test)]
mod conversation;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod http;
#[cfg(test)]
mod stalled;
#[cfg(test)]
mod tls;
