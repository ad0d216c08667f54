//! What a load test is made of: the client's side of the wire, and what processes use.

pub mod process;
pub mod wire;
