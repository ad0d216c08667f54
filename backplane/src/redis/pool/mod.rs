//! Connections to one server: those of the hot path, and a small pool for the rest.

pub(super) mod admin;
pub(super) mod client_certificate;
pub(super) mod dialer;
pub(super) mod tls;
