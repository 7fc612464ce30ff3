//! Import cycles between the files of one crate, found in the text of its `use` items and paths.
//!
//! Crates cannot depend on each other in a circle, because cargo refuses it; files can, and then neither can be read or moved without the
//! other. A file imports another when a path that starts with `crate`, `self` or `super` names something that the other file defines;
//! re-exports (`pub use`) are followed to the file that defines the item. Code under `#[cfg(test)]` is left out.
//! The check does not see a path in code that starts with a child module's bare name, such as `child::f()` after `mod child;`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};

/// A module's path inside its crate; the root is empty.
type Module = Vec<String>;

/// One source file.
struct Source {
    path: PathBuf,
    module: Module,
    /// Paths that the file names, from the crate's root.
    names: Vec<Vec<String>>,
    /// What the file re-exports: the name given to it, and the path it has.
    exports: Vec<(String, Vec<String>)>,
}

/// The import cycles of every crate below `crates`, each as its files in order; empty when there are none.
pub(super) fn cycles(crates: &Path) -> Outcome<Vec<Vec<PathBuf>>> {
    let mut all = Vec::new();
    for folder in entries(crates)? {
        let source = folder.join("src");
        if source.is_dir() {
            all.extend(cycles_of(&source)?);
        }
    }
    Ok(all)
}

/// The import cycles of one crate's `src` folder.
fn cycles_of(source: &Path) -> Outcome<Vec<Vec<PathBuf>>> {
    let mut files = Vec::new();
    collect(source, &Vec::new(), &mut files)?;
    let by_module: BTreeMap<&[String], usize> =
        files.iter().enumerate().map(|(at, file)| (file.module.as_slice(), at)).collect();
    let mut imports = vec![BTreeSet::new(); files.len()];
    for (at, file) in files.iter().enumerate() {
        for name in &file.names {
            if let Some(target) = defining_file(&files, &by_module, name, 8).filter(|&target| target != at) {
                imports[at].insert(target);
            }
        }
    }
    let found = components(&imports);
    Ok(found.into_iter().map(|cycle| cycle.into_iter().map(|at| files[at].path.clone()).collect()).collect())
}

/// The file that defines what `name` names: the longest prefix that is a file's module, behind at most `depth` re-exports.
fn defining_file(
    files: &[Source],
    by_module: &BTreeMap<&[String], usize>,
    name: &[String],
    depth: usize,
) -> Option<usize> {
    let (length, at) = (0..=name.len()).rev().find_map(|n| Some((n, *by_module.get(&name[..n])?)))?;
    let Some(item) = name.get(length) else { return Some(at) };
    let exported = files[at].exports.iter().find(|(export, _)| export == item);
    match exported {
        Some((_, path)) if depth > 0 && path.as_slice() != name => {
            let path: Vec<String> = path.iter().chain(&name[length + 1..]).cloned().collect();
            defining_file(files, by_module, &path, depth - 1)
        }
        _ => Some(at),
    }
}

/// Reads the files below `folder`, which is the module `module`.
fn collect(folder: &Path, module: &Module, files: &mut Vec<Source>) -> Outcome<()> {
    for path in entries(folder)? {
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        let below = |name: &str| module.iter().cloned().chain([name.to_owned()]).collect::<Module>();
        if path.is_dir() {
            collect(&path, &below(stem), files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !stem.ends_with("tests")
            && !(module.is_empty() && stem == "main" && folder.join("lib.rs").exists())
        {
            let module = if matches!(stem, "lib" | "main" | "mod") { module.clone() } else { below(stem) };
            let text = std::fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
            let text = without_tests(&without_comments_and_strings(&text));
            let (names, exports) = paths(&text, &module);
            files.push(Source { path, module, names, exports });
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder).map_err(|error| Failure::io("list", folder, &error))?;
    let mut paths: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

/// The text with comments and the insides of string literals blanked.
fn without_comments_and_strings(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(end) = raw_string(rest) {
            end
        } else if c == '"' {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|&(_, c)| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |(at, _)| at + 1)
        } else if rest.starts_with("'\"'")
            || rest.starts_with("'\\\"'")
            || rest.starts_with("'{'")
            || rest.starts_with("'}'")
        {
            rest[1..].find('\'').map_or(rest.len(), |end| end + 2)
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.push(' ');
        rest = &rest[skip..];
    }
    out
}

/// The length of a raw string literal at the start of `text`.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?.chars().take_while(|&c| c == '#').count();
    let body = text.get(1 + hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    body.find(&end).map(|at| 2 + hashes + at + end.len())
}

/// The text without the items that follow `#[cfg(test)]`.
fn without_tests(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut depth = 0_usize;
        let end = rest.char_indices().find(|&(_, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && matches!(c, '}' | ';')
        });
        rest = end.map_or("", |(at, _)| &rest[at + 1..]);
    }
    out + rest
}

/// Every path of `text` that starts at the crate's root or at `module`, and what `text` re-exports.
#[allow(clippy::type_complexity, reason = "names and exports, as their fields say")]
fn paths(text: &str, module: &Module) -> (Vec<Vec<String>>, Vec<(String, Vec<String>)>) {
    let (mut names, mut exports) = (Vec::new(), Vec::new());
    // `use` items: whole trees, of which a bare first segment is a child module.
    let mut rest = text;
    while let Some(at) = find_word(rest, "use") {
        let before = rest[..at].trim_end();
        let public = before.ends_with("pub") || before.ends_with(')') && before.contains("pub(");
        let body = &rest[at + 3..];
        let end = body.find(';').unwrap_or(body.len());
        for (path, alias) in leaves(&body[..end], &[]) {
            let full = absolute(&path, module, true);
            if public && let Some(last) = alias.or_else(|| path.last().cloned()) {
                exports.push((last, full.clone()));
            } else {
                names.push(full);
            }
        }
        rest = &body[end..];
    }
    // Paths inside code.
    for start in ["crate::", "super::", "self::"] {
        let mut rest = text;
        while let Some(at) = rest.find(start) {
            let inside_another = rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            let path: String =
                rest[at..].chars().take_while(|&c| c.is_alphanumeric() || c == '_' || c == ':').collect();
            // Past the whole path: `super::super::x` holds a second `super::`.
            rest = &rest[at + path.len()..];
            let is_macro = rest.starts_with('!');
            if !inside_another && !is_macro && !path.ends_with(':') {
                let segments: Vec<String> = path.split("::").map(str::to_owned).collect();
                names.push(absolute(&segments, module, false));
            }
        }
    }
    // A re-export counts as an import of the file that makes it only through its users.
    (names, exports)
}

/// The place of `word` in `text` as a word of its own.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let edge = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
    let mut from = 0;
    while let Some(at) = text[from..].find(word).map(|at| at + from) {
        let after = text[at + word.len()..].chars().next();
        if edge(text[..at].chars().next_back()) && after.is_some_and(char::is_whitespace) {
            return Some(at);
        }
        from = at + word.len();
    }
    None
}

/// The leaves of a `use` tree, with their aliases.
fn leaves(tree: &str, prefix: &[String]) -> Vec<(Vec<String>, Option<String>)> {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let head: Vec<String> = segments(&tree[..open]);
        let inner = tree[open + 1..].strip_suffix('}').unwrap_or(&tree[open + 1..]);
        let prefix: Vec<String> = prefix.iter().cloned().chain(head).collect();
        return split(inner).into_iter().flat_map(|part| leaves(part, &prefix)).collect();
    }
    if tree.is_empty() {
        return Vec::new();
    }
    let (path, alias) = match tree.split_once(" as ") {
        Some((path, alias)) => (path, Some(alias.trim().to_owned())),
        None => (tree, None),
    };
    let mut path: Vec<String> = prefix.iter().cloned().chain(segments(path)).collect();
    if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
        path.pop();
    }
    vec![(path, alias)]
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::trim).filter(|part| !part.is_empty() && *part != "*").map(str::to_owned).collect()
}

/// The parts of a list at its top level.
fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_usize, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[from..]);
    parts
}

/// A path from the crate's root; a bare first segment is taken as a child of `module` where `children` says so.
fn absolute(path: &[String], module: &Module, children: bool) -> Vec<String> {
    let mut base: Module = module.clone();
    let mut rest = path;
    match path.first().map(String::as_str) {
        Some("crate") => {
            base.clear();
            rest = &path[1..];
        }
        Some("self") => rest = &path[1..],
        Some("super") => {
            while rest.first().is_some_and(|segment| segment == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        _ if children => {}
        _ => return path.to_vec(),
    }
    base.into_iter().chain(rest.iter().cloned()).collect()
}

/// The strongly connected components of more than one file, by Kosaraju's two passes.
fn components(imports: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    fn visit(at: usize, edges: &[BTreeSet<usize>], seen: &mut [bool], order: &mut Vec<usize>) {
        if std::mem::replace(&mut seen[at], true) {
            return;
        }
        for &next in &edges[at] {
            visit(next, edges, seen, order);
        }
        order.push(at);
    }
    let (mut seen, mut order) = (vec![false; imports.len()], Vec::new());
    for at in 0..imports.len() {
        visit(at, imports, &mut seen, &mut order);
    }
    let mut back = vec![BTreeSet::new(); imports.len()];
    for (from, targets) in imports.iter().enumerate() {
        for &to in targets {
            back[to].insert(from);
        }
    }
    let mut seen = vec![false; imports.len()];
    let mut found = Vec::new();
    for &at in order.iter().rev() {
        let mut component = Vec::new();
        visit(at, &back, &mut seen, &mut component);
        if component.len() > 1 {
            component.sort_unstable();
            found.push(component);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cycles of a crate made of these files, as file names.
    fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            std::fs::write(path, text).expect("written");
        }
        let short = |path: PathBuf| path.strip_prefix(folder.path()).expect("inside").display().to_string();
        cycles_of(folder.path()).expect("read").into_iter().map(|c| c.into_iter().map(short).collect()).collect()
    }

    #[test]
    fn two_files_that_import_each_other_are_a_cycle() {
        let a = "use crate::b::{B, more::C};\npub struct A;";
        let cycle = found(&[("lib.rs", "mod a;\nmod b;"), ("a.rs", a), ("b.rs", "fn f() -> crate::a::A { todo }")]);
        assert_eq!(cycle, [["a.rs", "b.rs"]]);
        assert!(found(&[("lib.rs", "mod a;\nmod b;"), ("a.rs", a), ("b.rs", "pub struct B;")]).is_empty());
    }

    #[test]
    fn re_exports_lead_to_the_file_that_defines_the_item() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;"),
            ("a.rs", "use crate::B;\npub struct A;"),
            ("b.rs", "use super::A;\npub struct B;"),
        ];
        assert_eq!(found(&files), [["a.rs", "b.rs"]]);
        // The root itself imports nothing that only passes through it.
        assert!(found(&[files[0], files[1], ("b.rs", "pub struct B;")]).is_empty());
    }

    #[test]
    fn a_child_that_uses_its_parent_is_a_cycle_where_the_parent_uses_it_too() {
        let child = ("p/child.rs", "use super::Parent;\npub fn f(_: Parent) {}");
        let parent = ("p/mod.rs", "mod child;\npub struct Parent;\nfn g() { self::child::f(Parent) }");
        assert_eq!(found(&[("lib.rs", "mod p;"), parent, child]), [["p/child.rs", "p/mod.rs"]]);
    }

    #[test]
    fn several_supers_are_one_path_and_macros_are_no_modules() {
        let files = [
            ("lib.rs", "mod a; mod x; mod metrics;"),
            ("a/mod.rs", "mod b; use b::B;"),
            ("a/b.rs", "pub struct B; fn f() { super::super::x::g(); }"),
            ("x.rs", "pub fn g() { crate::metrics!(1) }"),
            ("metrics.rs", "use crate::x::g;"),
        ];
        assert_eq!(found(&files), Vec::<Vec<String>>::new());
        // The path is read to its end: `super::super::x` is the root's `x`, in a `use` item as in code.
        for b in ["pub struct B; fn f() { super::super::x::g(); }", "use super::super::x::g; pub struct B;"] {
            let x = ("x.rs", "use crate::a::b::B; pub fn g() {}");
            assert_eq!(found(&[files[0], files[1], ("a/b.rs", b), x]), [["a/b.rs", "x.rs"]]);
        }
    }

    #[test]
    fn this_workspace_has_no_cycles() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
        let found = cycles(&crates).unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!(found, Vec::<Vec<PathBuf>>::new());
    }

    #[test]
    fn comments_strings_and_tests_do_not_import() {
        let b = "// crate::a::A\nconst S: &str = \"crate::a::A\"; const R: &str = r#\"crate::a::A\"#;\n\
            #[cfg(test)]\nmod tests { use crate::a::A; fn f() { } }\npub struct B;";
        assert!(
            found(&[("lib.rs", "mod a;\nmod b;"), ("a.rs", "use crate::b::B;\npub struct A;"), ("b.rs", b)]).is_empty()
        );
    }
}
