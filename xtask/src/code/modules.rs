//! The tree of modules of one crate, and what a path in it means.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enums of syn grow with the grammar, and a check is about some items"
)]

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, anyhow};
use syn::visit::Visit as _;
use syn::{Attribute, Item, UseTree};

use super::files::Files;
use super::paths::PathList;

/// How many `use` declarations a path may lead through.
const DEPTH_MAX: usize = 16;

/// One library or program: its modules, the root first.
pub(crate) struct Crate {
    pub(crate) modules: Vec<Module>,
}

/// One module. An inline module has the file that it stands in.
pub(crate) struct Module {
    pub(crate) file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// What is defined here, by name.
    pub(crate) items: BTreeSet<String>,
    /// What `use` makes of a name.
    imports: BTreeMap<String, Import>,
    globs: Vec<Vec<String>>,
    /// Every path outside `use` declarations.
    pub(crate) paths: PathList,
    /// The items, without those of inner modules and of tests.
    pub(crate) code: Vec<Item>,
}

struct Import {
    path: Vec<String>,
    is_public: bool,
}

impl Crate {
    /// Parses the crate whose root file is `root`.
    pub(crate) fn read(root: &str, files: &Files) -> anyhow::Result<Self> {
        let mut read = Self {
            modules: Vec::new(),
        };
        let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
        read.file(root, folder, None, files)?;
        Ok(read)
    }

    fn file(
        &mut self,
        path: &str,
        folder: &str,
        parent: Option<usize>,
        files: &Files,
    ) -> anyhow::Result<usize> {
        let text = files.get(path).ok_or_else(|| anyhow!("no file {path}"))?;
        let parsed = syn::parse_file(text).with_context(|| path.to_owned())?;
        self.module(path, folder, parent, parsed.items, files)
    }

    /// Adds a module of `items`; files of its inner modules are looked for in `folder`.
    fn module(
        &mut self,
        path: &str,
        folder: &str,
        parent: Option<usize>,
        items: Vec<Item>,
        files: &Files,
    ) -> anyhow::Result<usize> {
        let index = self.modules.len();
        self.modules.push(Module::new(path, parent));
        for item in items {
            if is_test(attributes(&item)) {
                continue;
            }
            match item {
                Item::Mod(inner) => {
                    let name = inner.ident.to_string();
                    let folder = format!("{folder}/{name}");
                    let child = match inner.content {
                        Some((_, items)) => self.module(path, &folder, Some(index), items, files),
                        None => {
                            let own = format!("{folder}.rs");
                            let own = match files.contains_key(&own) {
                                true => own,
                                false => format!("{folder}/mod.rs"),
                            };
                            self.file(&own, &folder, Some(index), files)
                        }
                    }?;
                    self.modules[index].children.insert(name, child);
                }
                Item::Use(import) => {
                    let is_public = !matches!(import.vis, syn::Visibility::Inherited);
                    self.modules[index].import(&import.tree, &mut Vec::new(), is_public);
                }
                item => self.modules[index].define(item),
            }
        }
        Ok(index)
    }

    /// Whether it is a library, not a program.
    pub(crate) fn is_library(&self) -> bool {
        self.modules[0].file.ends_with("/lib.rs")
    }

    /// The module that defines what `path`, written in module `from`, begins with. None: another crate
    /// does, or nobody.
    pub(crate) fn definer(&self, from: usize, path: &[String]) -> Option<usize> {
        self.resolve(from, path, DEPTH_MAX)
    }

    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<usize> {
        let depth = depth.checked_sub(1)?;
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => self.modules[from].parent?,
            _ => return self.named(from, path, depth),
        };
        while let Some((next, after)) = rest.split_first() {
            if next != "super" {
                return self.named(at, rest, depth);
            }
            at = self.modules[at].parent?;
            rest = after;
        }
        // A whole module is no use of what it defines.
        None
    }

    /// What a path means that begins with a name of module `at`.
    fn named(&self, at: usize, path: &[String], depth: usize) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        let module = &self.modules[at];
        if let Some(child) = module.children.get(first) {
            return match rest.is_empty() {
                true => None,
                false => self.named(*child, rest, depth),
            };
        }
        if module.items.contains(first) {
            return Some(at);
        }
        if let Some(import) = module.imports.get(first) {
            let whole = [import.path.as_slice(), rest].concat();
            return self.resolve(at, &whole, depth);
        }
        module.globs.iter().find_map(|glob| {
            let whole = [glob.as_slice(), path].concat();
            self.resolve(at, &whole, depth)
        })
    }
}

impl Module {
    fn new(file: &str, parent: Option<usize>) -> Self {
        Self {
            file: file.to_owned(),
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            imports: BTreeMap::new(),
            globs: Vec::new(),
            paths: PathList::default(),
            code: Vec::new(),
        }
    }

    /// The private `use` declarations: a trait may be used by its methods alone.
    pub(crate) fn private_imports(&self) -> impl Iterator<Item = &[String]> {
        let imports = self.imports.values();
        let private = imports.filter(|import| !import.is_public);
        private.map(|import| import.path.as_slice())
    }

    /// Every `use` declaration and every other path, as they are written.
    pub(crate) fn all_paths(&self) -> impl Iterator<Item = &[String]> {
        let imports = self.imports.values().map(|import| import.path.as_slice());
        let globs = self.globs.iter().map(Vec::as_slice);
        imports.chain(globs).chain(self.paths.iter())
    }

    fn define(&mut self, item: Item) {
        if let Some(name) = name_of(&item) {
            self.items.insert(name);
        }
        self.paths.visit_item(&item);
        self.code.push(item);
    }

    fn import(&mut self, tree: &UseTree, before: &mut Vec<String>, is_public: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.import(&path.tree, before, is_public);
                before.pop();
            }
            UseTree::Name(name) if name.ident == "self" => {
                let last = before.last().cloned().unwrap_or_default();
                self.bind(last, before.clone(), is_public);
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                let path = [before.as_slice(), std::slice::from_ref(&name)].concat();
                self.bind(name, path, is_public);
            }
            UseTree::Rename(renamed) => {
                let mut path = before.clone();
                if renamed.ident != "self" {
                    path.push(renamed.ident.to_string());
                }
                self.bind(renamed.rename.to_string(), path, is_public);
            }
            UseTree::Glob(_) => self.globs.push(before.clone()),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before, is_public);
                }
            }
        }
    }

    fn bind(&mut self, name: String, path: Vec<String>, is_public: bool) {
        self.imports.insert(name, Import { path, is_public });
    }
}

fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether an item is compiled for tests only.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<syn::Path>()
                    .is_ok_and(|path| path.is_ident("test")))
    })
}
