//! The client against a gateway that does exactly what a test says.

mod reconnect;
mod requests;
mod server;
