//! Who may connect: the key generation that credentials need, and whether the tenant is suspended.
//!
//! A change of the policy is a step of the tenant's directory, so that every node with the tenant is
//! told of it with the next number.

pub(super) mod model;
mod record;
mod reply;
mod request;

pub use record::TenantPolicy;
pub use reply::PolicyReply;
pub use request::{PolicyQuery, PolicyRequest};
