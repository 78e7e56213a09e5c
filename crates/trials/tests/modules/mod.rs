//! Which module of a crate imports which, read from its source. Tests are left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use syn::{
    Attribute, Item, ItemUse, Macro, UseTree,
    visit::{self, Visit},
};

/// The root of a crate: `lib.rs`, `main.rs` or both.
const ROOT: &str = "crate";

/// The source of a crate. Modules have paths such as `subscribe::queue`.
#[derive(Default)]
pub struct Graph {
    /// The files of all modules.
    pub files: BTreeSet<PathBuf>,
    /// Every module, with those that it imports.
    pub imports: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Reads the crate whose source is in the folder `source`.
    pub fn read(source: &Path) -> anyhow::Result<Self> {
        let mut graph = Self::default();
        let mut parsed = Vec::new();
        for root in ["lib.rs", "main.rs"].map(|file| source.join(file)) {
            if root.is_file() {
                graph.read_file(Vec::new(), root, source, &mut parsed)?;
            }
        }
        // Which paths lead to modules is known only now.
        for Module { path, items } in &parsed {
            let mut written = Paths::default();
            items.iter().for_each(|item| written.visit_item(item));
            let imports = written.found.iter().filter_map(|it| graph.target(path, it));
            let imports: BTreeSet<String> = imports.filter(|it| *it != named(path)).collect();
            graph.imports.entry(named(path)).or_default().extend(imports);
        }
        Ok(graph)
    }

    /// Parses a file, and the files of the modules that it declares, which are in `children`.
    fn read_file(
        &mut self,
        path: Vec<String>,
        file: PathBuf,
        children: &Path,
        parsed: &mut Vec<Module>,
    ) -> anyhow::Result<()> {
        let text = fs::read_to_string(&file).with_context(|| format!("reading {file:?}"))?;
        let items = syn::parse_file(&text).with_context(|| format!("parsing {file:?}"))?.items;
        self.files.insert(file);
        self.add(path, items, children, parsed)
    }

    fn add(
        &mut self,
        path: Vec<String>,
        items: Vec<Item>,
        children: &Path,
        parsed: &mut Vec<Module>,
    ) -> anyhow::Result<()> {
        for item in &items {
            let Item::Mod(declared) = item else { continue };
            if is_for_tests(&declared.attrs) {
                continue;
            }
            let name = declared.ident.to_string();
            let folder = children.join(&name);
            let flat = children.join(format!("{name}.rs"));
            let child = joined(&path, name);
            match &declared.content {
                Some((_, inline)) => self.add(child, inline.clone(), &folder, parsed)?,
                None if flat.is_file() => self.read_file(child, flat, &folder, parsed)?,
                None => self.read_file(child, folder.join("mod.rs"), &folder, parsed)?,
            }
        }
        self.imports.entry(named(&path)).or_default();
        parsed.push(Module { path, items });
        Ok(())
    }

    /// The module of this crate that the path `written` in `module` leads to, if there is one.
    fn target(&self, module: &[String], written: &[String]) -> Option<String> {
        let (first, rest) = written.split_first()?;
        let mut target: Vec<String> = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => module[..module.len().checked_sub(1)?].to_vec(),
            child => Some(joined(module, child.to_owned())).filter(|it| self.has(it))?,
        };
        for segment in rest {
            if segment == "super" {
                target.pop()?;
                continue;
            }
            let child = joined(&target, segment.clone());
            if !self.has(&child) {
                break;
            }
            target = child;
        }
        Some(named(&target))
    }

    fn has(&self, path: &[String]) -> bool {
        self.imports.contains_key(&named(path))
    }

    /// The imports that are part of a circle, such as `chaos::audit imports chaos`.
    pub fn circular_imports(&self) -> Vec<String> {
        let mut circular = Vec::new();
        for (module, imports) in &self.imports {
            for import in imports {
                if self.reached_from(import).contains(module) {
                    circular.push(format!("{module} imports {import}"));
                }
            }
        }
        circular
    }

    /// Every module that `module` imports, directly or through others.
    pub fn reached_from(&self, module: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![module.to_owned()];
        while let Some(next) = open.pop() {
            for import in self.imports.get(&next).into_iter().flatten() {
                if reached.insert(import.clone()) {
                    open.push(import.clone());
                }
            }
        }
        reached
    }
}

/// A module, in a file of its own or within another's.
struct Module {
    path: Vec<String>,
    items: Vec<Item>,
}

fn named(path: &[String]) -> String {
    if path.is_empty() { ROOT.to_owned() } else { path.join("::") }
}

fn joined(path: &[String], name: String) -> Vec<String> {
    path.iter().cloned().chain([name]).collect()
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|it| it.is_ident("test"))
    })
}

/// Every path that is written in a module.
#[derive(Default)]
struct Paths {
    found: Vec<Vec<String>>,
}

impl Paths {
    fn add_use(&mut self, before: &[String], tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                self.add_use(&joined(before, path.ident.to_string()), &path.tree);
            }
            UseTree::Name(name) => self.found.push(joined(before, name.ident.to_string())),
            UseTree::Rename(name) => self.found.push(joined(before, name.ident.to_string())),
            UseTree::Glob(_) => self.found.push(before.to_vec()),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_use(before, tree));
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            // Read as a module of its own.
            Item::Mod(_) => return,
            Item::Use(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_use(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|it| it.ident.to_string()).collect();
        if segments.len() > 1 {
            self.found.push(segments);
        }
        visit::visit_path(self, path);
    }

    /// Only the macro knows what its tokens mean, so everything that looks like a path counts.
    fn visit_macro(&mut self, found: &'ast Macro) {
        let tokens = found.tokens.to_string().replace(" :: ", "::");
        let words = tokens.split(|it: char| !it.is_alphanumeric() && !"_:".contains(it));
        let paths = words.filter(|word| word.contains("::"));
        self.found.extend(paths.map(|path| path.split("::").map(str::to_owned).collect()));
        visit::visit_macro(self, found);
    }
}
