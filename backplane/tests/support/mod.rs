//! What the suites of this crate share: a store on a real Redis, and queries written short.

#![allow(dead_code, reason = "each suite uses a part of it")]

pub mod store;
pub mod words;
