//! Items that are `pub` although no other crate names them.
//!
//! An item is named where its name stands in code, as an identifier: in another package, or in a test, benchmark,
//! example or program of its own one. A type also counts as named by the signature or the field of another public item,
//! from which nobody may be kept.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enums of syn grow with the grammar, and a check is about some items"
)]

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ImplItem, Item, Visibility};

use crate::code::{Crate, Files, PathList, package_of};

/// One sentence a public item that no other crate names.
pub(crate) fn findings(crates: &[Crate], files: &Files) -> Vec<String> {
    let words = words_by_crate(files);
    let libraries = crates.iter().filter(|tree| tree.is_library());
    libraries
        .flat_map(|tree| {
            let (public, in_signatures) = public_items(tree);
            let own = source_folder(&tree.modules[0].file).to_owned();
            let others: Vec<&BTreeSet<String>> = words
                .iter()
                .filter(|(place, _)| **place != own)
                .map(|(_, words)| words)
                .collect();
            public.into_iter().filter_map(move |(name, file)| {
                let is_named = in_signatures.contains(&name)
                    || others.iter().any(|words| words.contains(&name));
                (!is_named)
                    .then(|| format!("{file}: no other crate names {name}: it need not be pub"))
            })
        })
        .collect()
}

/// Every identifier of the Rust code, by the folder of a crate. A program beside a library is a crate of its own.
fn words_by_crate(files: &Files) -> BTreeMap<String, BTreeSet<String>> {
    let mut words: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let place = match path.ends_with("/src/main.rs") {
            true => path.clone(),
            false => source_folder(path).to_owned(),
        };
        if let Ok(tokens) = text.parse() {
            add_identifiers(tokens, words.entry(place).or_default());
        }
    }
    words
}

/// Those within macros too. Comments and texts have none.
fn add_identifiers(tokens: TokenStream, words: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => add_identifiers(group.stream(), words),
            TokenTree::Ident(ident) => {
                words.insert(ident.to_string());
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// `a/src` for what is compiled into the library, the package for what is not.
fn source_folder(path: &str) -> &str {
    let package = package_of(path);
    match path[package.len()..].starts_with("/src/") {
        true => &path[..package.len() + "/src".len()],
        false => package,
    }
}

/// Name and file of every public item and method, and all words in their signatures and fields.
fn public_items(tree: &Crate) -> (Vec<(String, &str)>, BTreeSet<String>) {
    let mut items = Vec::new();
    let mut signatures = Signatures::default();
    for module in &tree.modules {
        for item in &module.code {
            signatures.visit_item(item);
            items.extend(named_item(item).map(|name| (name, module.file.as_str())));
        }
    }
    // A method is no more public than its type.
    let types: BTreeSet<String> = items.iter().map(|(name, _)| name.clone()).collect();
    for module in &tree.modules {
        let blocks = module.code.iter().filter(|item| is_block_of(item, &types));
        let named = blocks.flat_map(methods);
        items.extend(named.map(|name| (name, module.file.as_str())));
    }
    let words = signatures.0.iter().flatten().cloned().collect();
    (items, words)
}

/// Whether an item is an `impl` of one of `types`.
fn is_block_of(item: &Item, types: &BTreeSet<String>) -> bool {
    let Item::Impl(block) = item else {
        return false;
    };
    let syn::Type::Path(own) = &*block.self_ty else {
        return false;
    };
    let name = own.path.segments.last();
    name.is_some_and(|name| types.contains(&name.ident.to_string()))
}

fn named_item(item: &Item) -> Option<String> {
    let (visibility, ident) = match item {
        Item::Const(item) => (&item.vis, &item.ident),
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Fn(item) => (&item.vis, &item.sig.ident),
        Item::Static(item) => (&item.vis, &item.ident),
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        Item::Type(item) => (&item.vis, &item.ident),
        Item::Union(item) => (&item.vis, &item.ident),
        _ => return None,
    };
    is_public(visibility).then(|| ident.to_string())
}

fn methods(item: &Item) -> Vec<String> {
    let Item::Impl(block) = item else {
        return Vec::new();
    };
    let functions = block.items.iter().filter_map(|item| match item {
        ImplItem::Fn(function) if is_public(&function.vis) => Some(function.sig.ident.to_string()),
        _ => None,
    });
    functions.collect()
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The paths in public signatures, fields and variants.
#[derive(Default)]
struct Signatures(PathList);

impl<'ast> Visit<'ast> for Signatures {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        if is_public(&item.vis) {
            for field in item.fields.iter().filter(|field| is_public(&field.vis)) {
                self.0.visit_type(&field.ty);
            }
        }
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        if is_public(&item.vis) {
            self.0.visit_item_enum(item);
        }
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        if is_public(&item.vis) {
            self.0.visit_item_trait(item);
        }
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        if is_public(&item.vis) {
            self.0.visit_type(&item.ty);
        }
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if is_public(&item.vis) {
            self.0.visit_type(&item.ty);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if is_public(&item.vis) {
            self.0.visit_signature(&item.sig);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        // What a trait's impl names, its bounds and associated types, is as public as the trait.
        if let Some((path, _, _)) = item
            .trait_
            .as_ref()
            .map(|(bang, path, token)| (path, bang, token))
        {
            self.0.visit_path(path);
            for inner in &item.items {
                if let ImplItem::Type(associated) = inner {
                    self.0.visit_type(&associated.ty);
                }
            }
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if is_public(&function.vis) {
            self.0.visit_signature(&function.sig);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        findings(&[Crate::read("a/src/lib.rs", &files).unwrap()], &files)
    }

    #[test]
    fn a_public_item_that_nobody_names_is_found() {
        let own = (
            "a/src/lib.rs",
            "pub struct Used; pub fn unused() {} fn f() { unused() }",
        );
        let other = (
            "b/src/lib.rs",
            "// unused\nuse a::Used; const C: &str = \"unused\";",
        );
        assert_eq!(
            found(&[own, other]),
            ["a/src/lib.rs: no other crate names unused: it need not be pub"]
        );
        let test = ("a/tests/it/main.rs", "fn t() { a::unused() }");
        assert_eq!(found(&[own, other, test]), [""; 0]);
    }

    #[test]
    fn a_type_in_a_public_signature_is_public() {
        let own = (
            "a/src/lib.rs",
            "pub struct Answer; impl Answer { pub fn read(self) {} } pub fn ask() -> Answer { Answer }",
        );
        let other = ("b/src/lib.rs", "fn f() { a::ask().read() }");
        assert_eq!(found(&[own, other]), [""; 0]);
    }
}
