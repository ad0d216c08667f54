//! Texts that Redis has, read. Anybody may have written them.

/// The text, if it is one.
pub(super) fn text<T: AsRef<[u8]> + ?Sized>(bytes: &T) -> Option<&str> {
    std::str::from_utf8(bytes.as_ref()).ok()
}

/// The number. Digits only: `parse` alone would take a sign.
pub(super) fn number(digits: &str) -> Option<u64> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}
