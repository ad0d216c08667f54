//! The gateway as its peers meet it: over real sockets.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod api;
#[cfg(test)]
mod bystanders;
#[cfg(test)]
mod closes;
#[cfg(test)]
mod conversation;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod http;
#[cfg(test)]
mod leaks;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod old_secrets;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod presence;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod stalled;
#[cfg(test)]
mod tls;
