//! The gateway as its peers meet it: over real sockets.

#[cfg(test)]
mod access_log;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod admission;
#[cfg(test)]
mod api;
#[cfg(test)]
mod bystanders;
#[cfg(test)]
mod closes;
#[cfg(test)]
mod conflicts;
#[cfg(test)]
mod conversation;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod half_close;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod http;
#[cfg(test)]
mod kernel_memory;
#[cfg(test)]
mod kernel_sockets;
#[cfg(test)]
mod labels;
#[cfg(test)]
mod leaks;
#[cfg(test)]
mod limits;
mod liveness;
#[cfg(test)]
mod measured;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod numbers;
#[cfg(test)]
mod old_secrets;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod presence;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod quota;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod slow_http;
#[cfg(test)]
mod stalled;
#[cfg(test)]
mod status;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod usage_check;
#[cfg(test)]
mod usage_journal;
#[cfg(test)]
mod usage_pages;
#[cfg(test)]
mod why;
