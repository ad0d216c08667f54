//! Where the masters are: from the URL, by sentinels, or by a Cluster's slots.

pub(super) mod address;
pub(super) mod masters;
pub(crate) mod place;
pub(super) mod server;
pub(super) mod url;
