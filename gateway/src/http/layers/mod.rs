//! Layers: every request passes them before its handler, and every answer after it.
//!
//! | layer | of | does |
//! | --- | --- | --- |
//! | [`account`] | `v1` | counts, logs; decides whether the connection is kept |
//! | [`host`] | both | refuses a `Host` that is not ours |
//! | [`pages`] | both | refuses web pages of other origins; tells listed ones that they may read the answer |
//! | [`charge`] | `v1` | charges the tenant with the answer |
//! | [`token`] | `admin` | refuses a request without the admin token |
//!
//! Their order is one list for each router: `v1::router` and `admin::router`, outermost first. They run after the router has
//! matched the path, so that they know the route, and before every extractor and handler.

pub(super) mod account;
pub(super) mod charge;
mod foreign;
pub(super) mod host;
pub(super) mod pages;
pub(super) mod token;
