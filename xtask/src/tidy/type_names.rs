//! Type names that a package has twice.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enums of syn grow with the grammar, and a check is about some items"
)]

use std::collections::BTreeMap;

use syn::Item;

use crate::code::{Crate, package_of};

/// One sentence a name that two types of a package have.
pub(crate) fn findings(crates: &[Crate]) -> Vec<String> {
    let mut places: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for module in crates.iter().flat_map(|tree| &tree.modules) {
        let package = package_of(&module.file);
        for name in module.code.iter().filter_map(type_name) {
            places
                .entry((package, name))
                .or_default()
                .push(&module.file);
        }
    }
    let twice = places.into_iter().filter(|(_, files)| files.len() > 1);
    twice
        .map(|((package, name), files)| {
            let count = files.len();
            format!(
                "{package} has {count} types named {name}: {}",
                files.join(", ")
            )
        })
        .collect()
}

fn type_name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Enum(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Files;

    #[test]
    fn a_name_that_two_types_have_is_found() {
        let files = Files::from([
            ("a/src/lib.rs".to_owned(), "mod b; struct Place;".to_owned()),
            (
                "a/src/b.rs".to_owned(),
                "enum Place {} struct Other;".to_owned(),
            ),
        ]);
        let read = Crate::read("a/src/lib.rs", &files).unwrap();
        assert_eq!(
            findings(&[read]),
            ["a has 2 types named Place: a/src/lib.rs, a/src/b.rs"]
        );
    }
}
