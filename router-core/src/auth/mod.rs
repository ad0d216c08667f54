//! Who is speaking: API keys and client tokens, checked without asking anybody.
//!
//! A key is `t2b_<userId>_<16 hex>`, the hex being the head of HMAC-SHA256(secret, userId); after a
//! revoke it is `t2b_<userId>_<g>-<16 hex>` over `userId:g`. The MAC is checked here, before
//! anything is looked up; whether `g` is still the tenant's generation is the tenant's to say.
//!
//! `key.rs` has keys, `token.rs` client tokens, `keyring.rs` the secrets that sign and verify both;
//! `throttle.rs` counts failures by their `source.rs`.

mod credential;
mod error;
mod key;
mod keyring;
mod mac;
mod source;
mod throttle;
mod token;

pub use credential::Credential;
pub use error::{AuthError, WeakSecret};
pub use keyring::{Keyring, VerifiedCredential};
pub use protocol::token::TokenScope;
pub use source::Source;
pub use throttle::{Attempt, FailureTally, FailureThrottle};
pub use token::TokenClaims;
