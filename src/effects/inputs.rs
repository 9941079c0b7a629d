//! What the inputs of a task have in them: names, modes and contents, as hashes.

use std::fs;
use std::io::{self, Read};
use std::num::NonZero;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::globs::{Found, Globs, named, shown, unshown};

/// Larger files are read in pieces.
const PIECE: usize = 1 << 20;

/// The inputs of a task, by path from its folder, each with its hash. What it makes itself is no input.
pub fn hash(folder: &Path, inputs: &[String], outputs: &[String]) -> io::Result<Vec<(String, String)>> {
    let globs = |list: &[String]| Globs::new(list).map_err(io::Error::other);
    let own = globs(outputs)?;
    let mut found = globs(inputs)?.find(folder, true)?;
    found.retain(|path, _| !own.matches(path));
    hash_all(folder, found)
}

/// The globs that mean nothing that is there, of the inputs of a task; those that take away are none of them. `found` has
/// what is known to be there already, by path from the folder, as [`hash`] gives it.
pub fn unmatched(folder: &Path, inputs: &[String], found: &[String]) -> io::Result<Vec<String>> {
    let found: Vec<PathBuf> = found.iter().map(|path| unshown(path)).collect();
    let mut out = Vec::new();
    for input in inputs.iter().filter(|input| !input.starts_with('!')) {
        let globs = Globs::new(&[input]).map_err(io::Error::other)?;
        // What others take away, or the task makes itself, is there too.
        if !found.iter().any(|path| globs.matches(path)) && globs.find(folder, true)?.is_empty() {
            out.push(input.clone());
        }
    }
    Ok(out)
}

/// What stands for a file as it is: for what kind it is, and for what is in it.
pub fn hash_file(path: &Path) -> io::Result<String> {
    let told = fs::symlink_metadata(path).map_err(|error| named(path, &error))?;
    hash_one(path, &told, &mut Vec::new())
}

/// On all processors: most of the time goes into opening files.
fn hash_all(folder: &Path, found: Found) -> io::Result<Vec<(String, String)>> {
    let files: Vec<(PathBuf, fs::Metadata)> = found.into_iter().collect();
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = files.len().div_ceil(workers).max(64);
    std::thread::scope(|scope| {
        let workers: Vec<_> = files
            .chunks(share)
            .map(|files| {
                scope.spawn(move || {
                    let mut buffer = Vec::new();
                    let one = |(path, told): &(PathBuf, fs::Metadata)| {
                        hash_one(&folder.join(path), told, &mut buffer).map(|hash| (shown(path), hash))
                    };
                    files.iter().map(one).collect::<io::Result<Vec<_>>>()
                })
            })
            .collect();
        let mut all = Vec::with_capacity(files.len());
        for worker in workers {
            all.extend(worker.join().map_err(|_| io::Error::other("a hash could not be made"))??);
        }
        Ok(all)
    })
}

/// A letter for what it is, and the hash of its content.
fn hash_one(path: &Path, told: &fs::Metadata, buffer: &mut Vec<u8>) -> io::Result<String> {
    if told.is_symlink() {
        let to = fs::read_link(path).map_err(|error| named(path, &error))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(to.as_os_str().as_bytes());
        hasher.update(&[0]);
        // What it leads to counts as much as where that is.
        if fs::metadata(path).is_ok_and(|target| target.is_file()) {
            hash_content(path, &mut hasher, buffer)?;
        }
        return Ok(format!("l{}", hasher.finalize().to_hex()));
    }
    if told.is_dir() {
        return Ok("d".to_owned());
    }
    if !told.is_file() {
        return Ok("s".to_owned());
    }
    let mut hasher = blake3::Hasher::new();
    hash_content(path, &mut hasher, buffer)?;
    let letter = if told.permissions().mode() & 0o111 != 0 { 'x' } else { 'f' };
    Ok(format!("{letter}{}", hasher.finalize().to_hex()))
}

fn hash_content(path: &Path, hasher: &mut blake3::Hasher, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut file = fs::File::open(path).map_err(|error| named(path, &error))?;
    buffer.resize(PIECE, 0);
    loop {
        match file.read(buffer).map_err(|error| named(path, &error))? {
            0 => return Ok(()),
            count => hasher.update(&buffer[..count]),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            folder.write("src/a", "1");
            folder.write("src/b", "2");
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
            fs::write(self.path(name), text).unwrap();
        }

        fn hash(&self) -> Vec<(String, String)> {
            hash(self.0.path(), &["src/**".into()], &["src/out/**".into()]).unwrap()
        }
    }

    #[test]
    fn every_change_that_matters_is_seen() {
        let folder = Folder::new();
        let mut seen = vec![folder.hash()];
        let mut differs = |what: &str, folder: &Folder| {
            let now = folder.hash();
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        folder.write("src/a", "3");
        differs("content", &folder);
        fs::set_permissions(folder.path("src/a"), fs::Permissions::from_mode(0o755)).unwrap();
        differs("mode", &folder);
        fs::rename(folder.path("src/b"), folder.path("src/c")).unwrap();
        differs("name", &folder);
        fs::rename(folder.path("src/c"), folder.path("src/C")).unwrap();
        differs("a name's capitals", &folder);
        fs::create_dir(folder.path("src/empty")).unwrap();
        differs("an empty folder", &folder);
        fs::remove_file(folder.path("src/C")).unwrap();
        differs("a file that is gone", &folder);
        folder.write("beside", "1");
        std::os::unix::fs::symlink("../beside", folder.path("src/link")).unwrap();
        differs("a link", &folder);
        folder.write("beside", "2");
        differs("what a link leads to", &folder);
        fs::remove_file(folder.path("src/link")).unwrap();
        folder.write("src/link", "2");
        differs("a file in place of a link", &folder);
        let name = std::ffi::OsStr::from_bytes(b"src/\xff");
        fs::write(folder.0.path().join(name), "").unwrap();
        differs("a name that is no text", &folder);
    }

    #[test]
    fn what_does_not_matter_is_not_seen() {
        let folder = Folder::new();
        let before = folder.hash();
        folder.write("src/out/made", "1");
        folder.write("other", "1");
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        fs::File::options().write(true).open(folder.path("src/a")).unwrap().set_modified(old).unwrap();
        assert_eq!(folder.hash(), before);
    }

    #[test]
    fn globs_that_mean_nothing_are_told_apart() {
        let folder = Folder::new();
        let inputs = ["scr/**", "src/*", "src/b", "src/none", "!none"].map(str::to_owned);
        for found in [vec![], vec!["src/a".to_owned()]] {
            assert_eq!(unmatched(folder.0.path(), &inputs, &found).unwrap(), ["scr/**", "src/none"]);
        }
    }

    #[test]
    fn an_input_that_may_not_be_read_is_named() {
        let folder = Folder::new();
        // A folder where a file was found: what even root cannot read as a file.
        let told = fs::metadata(folder.path("src/a")).unwrap();
        let error = hash_one(&folder.path("src"), &told, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("src: "), "{error}");
    }
}
