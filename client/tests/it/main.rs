//! The client against a gateway that does exactly what a test says.

#[cfg(test)]
mod reconnect;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod server;
#[cfg(test)]
mod too_large;
#[cfg(test)]
mod unreadable;
