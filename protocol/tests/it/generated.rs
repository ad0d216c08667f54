//! The files made from the types are the ones checked in.

use std::fs;
use std::path::Path;

use protocol::generate;

#[test]
fn generated_files_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (path, content) in generate::files() {
        let file = root.join(path);
        let current = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            current == content,
            "{path} is not current: run `cargo xtask generate`"
        );
    }
}
