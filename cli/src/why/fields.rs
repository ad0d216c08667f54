//! Members of the answer.

use serde_json::Value;

/// A text; `?` if it is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}
