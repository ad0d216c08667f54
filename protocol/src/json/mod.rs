//! The grammar of JSON, RFC 8259's exactly, and where the members of an object lie.
//!
//! Own code rather than serde_json, for three things at once: byte spans of members (a body is
//! passed on untouched, never re-encoded), a bound on nesting, and one pass for both a frame and
//! its `data`. Not a parser: no value is built, and strings are unescaped only when asked
//! ([`unescape`]). The text is known to be UTF-8 when it comes here; the WebSocket layer saw to that.

mod cursor;
mod member;
mod plain;
mod text;

pub(crate) use cursor::{Cursor, walk_members};
pub use member::{Malformed, Member, Members, Span};
pub use text::unescape;
