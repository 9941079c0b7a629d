//! ARCHITECTURE.md is the map: this fails when the code has left it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file that needs no reason.
const USUAL: usize = 400;
/// What the top of the repository has.
const TOP: [&str; 18] = [
    ".ci",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "clippy.toml",
    "deny.toml",
    "examples",
    "install.sh",
    "rustfmt.toml",
    "src",
    "templates",
    "tests",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cells of every row below a heading of ARCHITECTURE.md, without the table's head.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let page = read(&root().join("ARCHITECTURE.md"));
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).expect("the page has this heading");
    let section = section.split("\n## ").next().unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    section.lines().filter(|line| line.starts_with('|')).skip(2).map(cells).collect()
}

/// The layer of each module.
fn layers() -> BTreeMap<String, u32> {
    rows("Layers").into_iter().map(|row| (row[1].clone(), row[0].parse().unwrap())).collect()
}

/// All Rust files of a folder, by their path in the repository.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("rs") => found.push(path.strip_prefix(root()).unwrap().to_owned()),
                _ => {}
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The module that a file of `src` belongs to; none for the crate's own.
fn module(path: &Path) -> Option<String> {
    let first = path.strip_prefix("src").unwrap().iter().next().unwrap().to_str().unwrap();
    let name = first.trim_end_matches(".rs");
    (!["lib", "main"].contains(&name)).then(|| name.to_owned())
}

/// The modules that a file imports. Groups (`use crate::{a, b}`) would hide them, so there are none.
fn imports(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    text.split("crate::").skip(1).map(name).collect()
}

#[test]
fn every_module_is_on_the_map_and_imports_only_from_below() {
    let layers = layers();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for path in sources("src") {
        let Some(module) = module(&path) else { continue };
        let Some(layer) = layers.get(&module) else {
            wrong.push(format!("{}: `{module}` has no layer", path.display()));
            continue;
        };
        for import in imports(&read(&root().join(&path))).into_iter().filter(|import| *import != module) {
            match layers.get(&import) {
                Some(below) if below < layer => {}
                Some(other) => wrong.push(format!("{} (layer {layer}) imports {import} ({other})", path.display())),
                None => wrong.push(format!("{} imports `{import}`, which has no layer", path.display())),
            }
        }
        seen.insert(module);
    }
    let placed: BTreeSet<String> = layers.into_keys().collect();
    assert_eq!(wrong, [""; 0]);
    assert_eq!(seen, placed, "the map has modules that the code has not");
}

#[test]
fn a_file_has_a_size_or_a_reason() {
    let reasons: BTreeMap<String, usize> =
        rows("Sizes").into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect();
    let mut wrong = Vec::new();
    for path in sources("src").into_iter().chain(sources("tests")) {
        let lines = read(&root().join(&path)).lines().count();
        let shown = path.display().to_string();
        let most = reasons.get(&shown).copied().unwrap_or(USUAL);
        if lines > most {
            wrong.push(format!("{shown} has {lines} lines, more than {most}"));
        }
        if most > USUAL && lines <= USUAL {
            wrong.push(format!("{shown} needs no reason any more"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn no_statics_no_mod_rs_and_unsafe_in_the_launcher_alone() {
    let mut wrong = Vec::new();
    for path in sources("src") {
        let shown = path.display().to_string();
        for (number, line) in read(&root().join(&path)).lines().enumerate() {
            let code = line.trim_start();
            let has = |words: &[&str]| words.iter().any(|word| code.starts_with(word));
            if has(&["static ", "pub static ", "pub(crate) static ", "pub(super) static ", "thread_local!"]) {
                wrong.push(format!("{shown}:{}: static state", number + 1));
            }
            let is_unsafe =
                ["{", "fn", "impl", "trait", "extern"].iter().any(|what| code.contains(&format!("unsafe {what}")));
            if is_unsafe && !shown.starts_with("src/launcher/") {
                wrong.push(format!("{shown}:{}: unsafe", number + 1));
            }
        }
        if shown.ends_with("mod.rs") {
            wrong.push(format!("{shown}: a module's file is named after it"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent = |path: &PathBuf| !read(&root().join(path)).starts_with("//! ");
    let silent: Vec<PathBuf> = sources("src").into_iter().chain(sources("tests")).filter(silent).collect();
    assert_eq!(silent, [""; 0].map(PathBuf::from));
}

#[test]
fn the_top_has_nothing_else() {
    let files = std::process::Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap();
    assert!(files.status.success(), "{files:?}");
    let top: BTreeSet<&str> =
        std::str::from_utf8(&files.stdout).unwrap().lines().map(|path| path.split('/').next().unwrap()).collect();
    let strangers: Vec<&str> = top.into_iter().filter(|name| !TOP.contains(name)).collect();
    assert_eq!(strangers, [""; 0]);
}
