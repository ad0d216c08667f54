//! The gateway as its peers meet it: over real sockets.

#[cfg(test)]
mod conversation;
#[cfg(test)]
mod harness;
