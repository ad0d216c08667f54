//! What every request passes before a route handles it.

pub(super) mod pages;
