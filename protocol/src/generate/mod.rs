//! The words of the wire for those who do not read Rust: JSON Schema, TypeScript, Markdown.
//!
//! Pure functions from the types and tables to text; `cargo xtask generate` writes the files, a
//! test keeps them current. Not a source of truth: change the types, then generate.

mod schema;
mod tables;
mod typescript;

use schema::json_schema;
pub use schema::with_plain_enums;
pub use tables::{Tables, markdown_tables};
use typescript::typescript;

/// The generated files: path from the root of the repository, and content.
pub fn files() -> [(&'static str, String); 3] {
    [
        ("protocol/schema/t2b.schema.json", json_schema()),
        ("sdk/typescript/src/protocol.ts", typescript()),
        // The plugin is installed by itself: it cannot reach into the SDK.
        ("openclaw-plugin/src/protocol.ts", typescript()),
    ]
}
