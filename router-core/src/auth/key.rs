//! API keys: `t2b_<userId>_<16 hex>`, and `t2b_<userId>_<g>-<16 hex>` after a revoke.

use hmac::Hmac;
use protocol::TenantId;
use sha2::Sha256;

use super::mac::mac;

/// How a key begins.
pub(super) const KEY_PREFIX: &str = "t2b_";
const MAC_HEX: usize = 16;

/// What a key says.
pub(super) struct KeyParts<'a> {
    pub tenant: TenantId,
    pub generation: u64,
    pub tag: &'a str,
}

/// Splits a key at its last `_`, as tenants may have underscores.
pub(super) fn parse_key(key: &str) -> Option<KeyParts<'_>> {
    let (user, tail) = key.strip_prefix(KEY_PREFIX)?.rsplit_once('_')?;
    let (generation, tag) = match tail.split_once('-') {
        None => (0, tail),
        Some((digits, tag)) => (parse_generation(digits)?, tag),
    };
    let is_tag =
        tag.len() == MAC_HEX && tag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !is_tag {
        return None;
    }
    Some(KeyParts {
        tenant: TenantId::parse(user).ok()?,
        generation,
        tag,
    })
}

/// A generation above 0 has one spelling: no sign, no leading zero.
fn parse_generation(digits: &str) -> Option<u64> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    plain.then(|| digits.parse().ok()).flatten()
}

/// The text of a key.
pub(super) fn write_key(key: &Hmac<Sha256>, tenant: &TenantId, generation: u64) -> String {
    let tag = key_mac(key, tenant, generation);
    match generation {
        0 => format!("{KEY_PREFIX}{tenant}_{tag}"),
        g => format!("{KEY_PREFIX}{tenant}_{g}-{tag}"),
    }
}

/// The head of a key's code.
pub(super) fn key_mac(key: &Hmac<Sha256>, tenant: &TenantId, generation: u64) -> String {
    let tag = match generation {
        0 => mac(key, tenant.as_str().as_bytes()),
        g => mac(key, format!("{tenant}:{g}").as_bytes()),
    };
    tag[..MAC_HEX / 2]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
