//! Reads the files of addresses in a folder, and nothing outside of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// What is read of a file (linkerd 1 takes as much).
const LONGEST: u64 = 500_000;
/// Files that are looked at.
const MOST: usize = 1000;
/// How many folders deep.
const DEEPEST: usize = 8;

/// The texts of all files below a folder by their paths there; nothing where there is no such folder. Links that lead
/// out of it are not followed, and what begins with a dot is nobody's name.
pub fn read(folder: &Path) -> BTreeMap<String, Result<String, String>> {
    let mut found = BTreeMap::new();
    if let Ok(root) = folder.canonicalize() {
        collect(&root, &root, "", DEEPEST, &mut found);
    }
    found
}

fn collect(
    root: &Path,
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut BTreeMap<String, Result<String, String>>,
) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Ok(path) = entry.path().canonicalize() else { continue };
        if name.starts_with('.') || name.ends_with('~') || !path.starts_with(root) || found.len() >= MOST {
            continue;
        }
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            if depth > 1 {
                collect(root, &path, &format!("{name}/"), depth - 1, found);
            }
        } else if path.is_file() {
            found.insert(name, text(&path));
        }
    }
}

fn text(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text));
    read.map_err(|error| error.to_string())?;
    match text.len() as u64 > LONGEST {
        true => Err(format!("it has more than {LONGEST} bytes")),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_outside_of_the_folder_is_read() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("disco");
        assert!(read(&root).is_empty());
        fs::create_dir_all(root.join("team/a")).unwrap();
        fs::write(place.path().join("secret"), "secret").unwrap();
        fs::write(root.join("users"), "a 1").unwrap();
        fs::write(root.join("team/a/b"), "b 1").unwrap();
        fs::write(root.join(".swp"), "c 1").unwrap();
        fs::write(root.join("large"), "x".repeat(500_001)).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("users", root.join("same")).unwrap();
        symlink(".", root.join("loop")).unwrap();
        let found = read(&root);
        let direct: Vec<&str> = found.keys().map(String::as_str).filter(|name| !name.starts_with("loop/")).collect();
        assert_eq!(direct, ["large", "same", "team/a/b", "users"]);
        assert_eq!(found["team/a/b"].as_deref(), Ok("b 1"));
        assert_eq!(found["large"].as_ref().unwrap_err(), "it has more than 500000 bytes");
        assert!(found.values().flatten().all(|text| text != "secret") && found.len() < 100);
    }
}
