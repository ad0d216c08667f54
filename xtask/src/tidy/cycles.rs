//! Files of a crate that import each other.
//!
//! A file imports another one if it names something that is defined there. A re-export names
//! nothing, so a `mod.rs` may re-export what its inner modules define.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Crate;

/// One sentence a group of files, each of which imports each other one, directly or through others.
pub(crate) fn findings(crates: &[Crate]) -> Vec<String> {
    crates.iter().flat_map(cycles_of).collect()
}

fn cycles_of(tree: &Crate) -> Vec<String> {
    let imports = imports(tree);
    let mut left: BTreeSet<&str> = imports.keys().copied().collect();
    let mut found = Vec::new();
    while let Some(file) = left.pop_first() {
        let cycle: BTreeSet<&str> = reached(&imports, file)
            .into_iter()
            .filter(|other| reached(&imports, other).contains(file))
            .collect();
        if cycle.len() > 1 {
            left.retain(|other| !cycle.contains(other));
            let files: Vec<&str> = cycle.into_iter().collect();
            found.push(format!("files import each other: {}", files.join(", ")));
        }
    }
    found
}

/// Which files each file imports.
pub(crate) fn imports(tree: &Crate) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (index, module) in tree.modules.iter().enumerate() {
        let own = module.file.as_str();
        let entry = imports.entry(own).or_default();
        let paths = module.paths.iter().chain(module.private_imports());
        let definers = paths.filter_map(|path| tree.definer(index, path));
        let files = definers.map(|definer| tree.modules[definer].file.as_str());
        entry.extend(files.filter(|file| *file != own));
    }
    imports
}

/// All that a file imports, directly or through others.
fn reached<'a>(imports: &BTreeMap<&'a str, BTreeSet<&'a str>>, file: &'a str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&str> = vec![file];
    while let Some(file) = next.pop() {
        let files = imports.get(file).into_iter().flatten();
        next.extend(files.filter(|file| seen.insert(**file)));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Files;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        findings(&[Crate::read("a/src/lib.rs", &files).unwrap()])
    }

    #[test]
    fn files_that_import_each_other_are_found() {
        let found = found(&[
            ("a/src/lib.rs", "mod b; mod c;"),
            ("a/src/b.rs", "use crate::c::C; pub struct B(C);"),
            ("a/src/c.rs", "pub struct C; fn f(_: &super::b::B) {}"),
        ]);
        assert_eq!(found, ["files import each other: a/src/b.rs, a/src/c.rs"]);
    }

    #[test]
    fn a_parent_that_its_child_uses_may_re_export_it_and_not_use_it() {
        let child = ("a/src/b.rs", "use super::A; pub struct B(A);");
        let root = "mod b; pub use b::B; pub struct A;";
        assert_eq!(found(&[("a/src/lib.rs", root), child]), [""; 0]);
        let root = "mod b; pub use b::B; pub struct A; fn f(_: B) {}";
        assert_eq!(found(&[("a/src/lib.rs", root), child]).len(), 1);
    }

    #[test]
    fn an_import_within_a_macro_counts_and_one_in_a_test_does_not() {
        let root = ("a/src/lib.rs", "mod b; mod c;");
        let b = ("a/src/b.rs", "pub struct B; fn f() { m!(crate::c::C) }");
        let c = ("a/src/c.rs", "pub struct C; fn f(_: crate::b::B) {}");
        assert_eq!(found(&[root, b, c]).len(), 1);
        let test = "pub struct C; #[cfg(test)] mod tests { use crate::b::B; fn f(_: B) {} }";
        assert_eq!(found(&[root, b, ("a/src/c.rs", test)]), [""; 0]);
    }
}
