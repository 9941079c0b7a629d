//! Bad input: whatever is wrong with a file is said with its place, and stops no other.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nagaya::tasks::Completeness;

use super::fixtures::list;
use super::memory::Memory;
use crate::support::sandbox::full;

/// What is said of a file, by the end of its path.
fn said(listing: &nagaya::tasks::Listing, file: &str) -> String {
    let source = listing.sources.iter().find(|it| it.file.ends_with(file)).unwrap_or_else(|| panic!("{file} was read"));
    let at = match &source.completeness {
        Completeness::Unreadable(it) => it.at.map(|at| format!(" at {}:{}", at.line, at.column)).unwrap_or_default(),
        _ => String::new(),
    };
    format!("{}{at}: {}", source.completeness.word(), source.completeness.reason().unwrap_or_default())
}

#[test]
fn a_bad_file_is_named_and_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let write = |name: &str, bytes: &[u8]| {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), bytes).unwrap();
    };
    write("Makefile", b"good: ; true\n");
    write("a/package.json", b"{\n  \"scripts\": {\"x\": }\n}");
    write("b/Taskfile.yml", b"tasks:\n\ta: x\n");
    write("c/mise.toml", b"[tasks.a\nrun = 1\n");
    write("d/package.json", b"\xef\xbb\xbf{\"scripts\": {\"bom\": \"x\"}}\r\n");
    write("e/Makefile", b"# caf\xe9\nlatin: ; true\n");
    write("f/justfile", b"ok:\n  true\n\x00\x01");
    write("g/package.json", &[b' '; 5 << 20]);
    // 50 MB that take no room on the disk, and none in memory.
    fs::create_dir(root.join("k")).unwrap();
    fs::File::create(root.join("k/Makefile")).unwrap().set_len(50_000_000).unwrap();
    write("h/build.xml", b"<project>\n <target name='a'>\n</project>");
    fs::create_dir_all(root.join("i/Makefile")).unwrap();
    write("j/package.json", b"{\"scripts\": {\"deep\": ".repeat(3000).as_slice());
    write("bin/program", b"\x7fELF\x00\x01");
    write("scripts/a.png", b"\x89PNG\x00");
    write("Procfile.md", b"# About\nmany words\n");
    let listing = list(root);
    assert!(!listing.sources.iter().any(|it| it.file.ends_with("bin/program") || it.file.ends_with("a.png")));
    assert_eq!(said(&listing, "a/package.json"), "unreadable at 2:20: not valid JSON: here should be a value, not `}`");
    assert!(said(&listing, "b/Taskfile.yml").starts_with("unreadable at 2:"), "{}", said(&listing, "b/Taskfile.yml"));
    assert!(said(&listing, "c/mise.toml").starts_with("unreadable at 1:9"), "{}", said(&listing, "c/mise.toml"));
    let latin = "partial: not UTF-8 from line 1 column 6 on: names there may be wrong";
    assert_eq!(said(&listing, "e/Makefile"), latin);
    assert_eq!(said(&listing, "f/justfile"), "unreadable: it is no text: it has zero bytes");
    assert_eq!(said(&listing, "g/package.json"), "unreadable: it has 5 MiB, and at most 4 MiB are read");
    assert_eq!(said(&listing, "k/Makefile"), "unreadable: it has 47 MiB, and at most 4 MiB are read");
    assert!(said(&listing, "h/build.xml").starts_with("unreadable at 3:"), "{}", said(&listing, "h/build.xml"));
    assert!(said(&listing, "j/package.json").starts_with("unreadable at 1:"), "{}", said(&listing, "j/package.json"));
    let found: Vec<&str> = listing.tasks.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(found, ["make:good", "d:npm:bom", "e:make:latin"]);
}

#[test]
fn links_lead_to_files_and_never_in_circles() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("a/b")).unwrap();
    symlink("..", root.join("a/b/up")).unwrap();
    symlink("Makefile", root.join("a/Makefile")).unwrap();
    fs::write(root.join("common.mk"), "shared: ; true\n").unwrap();
    symlink("../../common.mk", root.join("a/b/Makefile")).unwrap();
    symlink("nowhere", root.join("justfile")).unwrap();
    let listing = list(root);
    assert_eq!(listing.tasks.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["a/b:make:shared"]);
    assert!(said(&listing, "a/Makefile").starts_with("unreadable: Too many levels of symbolic links"));
    assert_eq!(said(&listing, "justfile"), "unreadable: there is no such file");
}

#[test]
fn what_git_ignores_and_what_tools_made_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let write = |name: &str, text: &str| {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), text).unwrap();
    };
    for place in [
        "kept",
        "ignored",
        "node_modules/x",
        "py/venv/lib",
        "go/vendor/x",
        "rs/target/x",
        "target",
        "vendor",
        ".hidden",
    ] {
        write(&format!("{place}/Makefile"), "x: ; true\n");
    }
    write(".gitignore", "/ignored/\n");
    write("py/venv/pyvenv.cfg", "");
    write("go/vendor/modules.txt", "");
    write("rs/target/CACHEDIR.TAG", "");
    let found: Vec<String> = list(root).tasks.into_iter().map(|it| it.id).collect();
    assert_eq!(found, [".hidden:make:x", "kept:make:x", "target:make:x", "vendor:make:x"]);
}

#[test]
fn names_are_words_and_never_shell() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"{"scripts": {"a b": "x", "c:d'e\"": "x", "-f": "x", "$(rm)": "x", "é": "x"}}"#;
    fs::write(folder.path().join("package.json"), text).unwrap();
    let listing = list(folder.path());
    let argv = listing.tasks.iter().map(|task| match &task.invoke {
        nagaya::tasks::Invoke::Argv { words, .. } => words.join("|"),
        nagaya::tasks::Invoke::Elsewhere => String::new(),
    });
    let wanted = ["npm|run|a b", "npm|run|c:d'e\"", "npm|run|--|-f", "npm|run|$(rm)", "npm|run|é"];
    assert_eq!(argv.collect::<Vec<_>>(), wanted);
}

fn files_below(folder: &Path, out: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files_below(&path, out),
            false => drop(out.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
}

/// Cuts, doubles, or overwrites a part of a text.
fn damage(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    if bytes.is_empty() {
        return;
    }
    let at = random.usize(..bytes.len());
    let end = (at + random.usize(1..20)).min(bytes.len());
    match random.u8(..4) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        _ => {
            let marks = b"\"'`{}[]()<>:=,;#%$@\\/*-|&!\n\t \xe9\xc3\xa9";
            bytes[at] = marks[random.usize(..marks.len())];
        }
    }
}

/// Whatever is in a file, reading ends and nothing breaks.
#[test]
fn damaged_files_are_read_to_their_end() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tasks/fixtures");
    let mut random = fastrand::Rng::with_seed(7);
    for project in fs::read_dir(&fixtures).unwrap() {
        let root = project.unwrap().path();
        let mut whole = BTreeMap::new();
        files_below(&root, &mut whole);
        for _ in 0..if full() { 500 } else { 30 } {
            let mut files = whole.clone();
            for bytes in files.values_mut() {
                for _ in 0..random.usize(..4) {
                    damage(bytes, &mut random);
                }
            }
            let listing = Memory::new(files).list(&root);
            assert!(listing.tasks.len() < 2000, "{}", root.display());
        }
    }
}
