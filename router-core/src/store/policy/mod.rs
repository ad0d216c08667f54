//! Who may connect: the key generation that credentials need, and whether the tenant is suspended. And what the
//! tenant may use: the plan and the limits that an operator assigned to it.
//!
//! A change of the policy is a step of the tenant's directory, so that every node with the tenant is
//! told of it with the next number.

pub(super) mod model;
mod record;
mod reply;
mod request;

pub use record::{AssignedTerms, TenantPolicy};
pub use reply::PolicyReply;
pub use request::{PolicyQuery, PolicyRequest};
