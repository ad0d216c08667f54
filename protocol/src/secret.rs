//! A value that must never be printed.

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// A credential: `Debug` prints `***`, and there is no `Display`.
///
/// Wire form: that of the value itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that checks or sends it.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl Secret<String> {
    /// The key for one other use of a secret: HMAC-SHA256(secret, `purpose`).
    ///
    /// Purposes are texts like `t2b/lane/v1`, so that what one use reveals is worthless to another.
    pub fn derive(&self, purpose: &str) -> Secret<[u8; 32]> {
        let keyed = Hmac::<Sha256>::new_from_slice(self.0.as_bytes());
        let mac = keyed
            .expect("HMAC takes keys of any length")
            .chain_update(purpose);
        Secret(mac.finalize().into_bytes().into())
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Secret<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_value() {
        assert_eq!(
            format!("{:?}", Some(Secret::new("t2b_alice_0123456789abcdef"))),
            "Some(***)"
        );
    }

    #[test]
    fn a_derived_key_is_the_hmac_of_its_purpose() {
        // printf t2b/lane/v1 | openssl dgst -sha256 -hmac 0123456789abcdefghijklmnopqrstuvwxyz
        let secret = Secret::new("0123456789abcdefghijklmnopqrstuvwxyz".to_owned());
        let hex = |key: [u8; 32]| key.map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(
            hex(*secret.derive("t2b/lane/v1").reveal()),
            "1ce0b428c8bf56187e547803cc3d55f44e70fd337586e6ebc729c44b58caa591"
        );
    }
}
