//! A tree of files as tasks are looked for in it: what git ignores and what tools made is left out.

mod memory;

use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::fs;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{FileType, Mode, OFlags};

use crate::tasks::{Finder, LARGEST, Tree, Unread, Within, is_foreign, is_mark};

use super::fs::Disk;
use super::gitignore as git;
use memory::{Memory, Names};

/// What a walk found.
#[derive(Debug, Default)]
pub struct Walked {
    /// Files that some runner reads, from the root, sorted.
    pub files: Vec<PathBuf>,
    /// Folders that could not be looked into, and why.
    pub problems: Vec<(PathBuf, String)>,
    /// What was seen in each folder, by its own path: files that git ignores too.
    seen: HashMap<PathBuf, Vec<String>>,
}

/// The disk after a walk, of which what was seen is not asked again.
#[derive(Debug)]
pub struct Seen(HashMap<PathBuf, Vec<String>>);

impl Walked {
    /// The disk as the walk saw it.
    pub fn disk(&mut self) -> Seen {
        Seen(std::mem::take(&mut self.seen))
    }
}

/// For the names of a folder; more are read in turns.
const BUFFER: usize = 32 << 10;

/// Finds the files of a tree that task runners read. `.gitignore` holds also where there is no repository; symbolic
/// links to folders are not followed, so none can lead in a circle. With `memories`, a folder of this user's, what was
/// seen in folders is remembered, and those that have not changed since are not read again.
///
/// Of a hundred files one is wanted, so nothing is asked of git's rules but about those, and about folders.
pub fn walk(root: &Path, memories: Option<&Path>) -> Walked {
    walk_with(root, &Finder::new(), Memory::load(root, memories))
}

/// The same, with the files by which services are found.
pub fn walk_for_services(root: &Path) -> Walked {
    walk_with(root, &Finder::of_services(), Memory::load(root, None))
}

fn walk_with(root: &Path, finder: &Finder, memory: Memory) -> Walked {
    let mut walk = Walk { root, finder, memory, buffer: vec![MaybeUninit::uninit(); BUFFER], found: Walked::default() };
    let mut todo = vec![(PathBuf::new(), above(root))];
    while let Some((folder, rules)) = todo.pop() {
        walk.enter(folder, rules, &mut todo);
    }
    walk.memory.save();
    let mut found = walk.found;
    found.files.sort();
    found.problems.sort();
    found
}

struct Walk<'a> {
    root: &'a Path,
    finder: &'a Finder,
    memory: Memory,
    buffer: Vec<MaybeUninit<u8>>,
    found: Walked,
}

/// Git's rules for what is in a folder: the nearest that have any, and those above them.
#[derive(Clone)]
struct Rules(Option<Rc<(git::Folder, Rules)>>);

impl Rules {
    fn with(&self, folder: &Path) -> Self {
        Self(Some(Rc::new((git::Folder::read(folder), self.clone()))))
    }

    fn leave_out(&self, path: &Path, is_folder: bool) -> bool {
        let mut at = self;
        while let Some(it) = &at.0 {
            if let Some(verdict) = it.0.leaves_out(path, is_folder) {
                return verdict;
            }
            at = &it.1;
        }
        false
    }
}

/// The rules of the folders above, up to the top of the repository.
fn above(root: &Path) -> Rules {
    let mut folders = Vec::new();
    for folder in root.ancestors().skip(usize::from(!root.join(git::TOP).exists())) {
        if folder == root {
            return Rules(None);
        }
        let read = git::Folder::read(folder);
        let is_top = read.is_top();
        folders.push(read);
        if is_top {
            break;
        }
    }
    folders.into_iter().rev().fold(Rules(None), |rules, folder| Rules(Some(Rc::new((folder, rules)))))
}

impl Walk<'_> {
    fn enter(&mut self, folder: PathBuf, rules: Rules, todo: &mut Vec<(PathBuf, Rules)>) {
        let path = if folder.as_os_str().is_empty() { self.root.to_owned() } else { self.root.join(&folder) };
        let (finder, buffer) = (self.finder, &mut self.buffer);
        let names = self.memory.names(&folder, &path, || read(&path, &finder.within(&folder), buffer));
        let names = match names {
            Ok(names) => names,
            Err(error) => return self.found.problems.push((path, error.to_string())),
        };
        let rules = if names.has_rules { rules.with(&path) } else { rules };
        for name in &names.files {
            if !rules.leave_out(&path.join(name), false) {
                self.found.files.push(folder.join(name));
            }
        }
        let folders = names.folders().collect::<Vec<_>>();
        self.found.seen.insert(path.clone(), names.marks);
        for name in folders {
            let inner = path.join(&name);
            if !is_output(&inner) && !rules.leave_out(&inner, true) {
                todo.push((folder.join(name), rules.clone()));
            }
        }
    }
}

/// What matters of a folder's names.
fn read(path: &Path, wanted: &Within<'_>, buffer: &mut [MaybeUninit<u8>]) -> io::Result<Names> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(path, flags, Mode::empty())?;
    let mut names = Names::default();
    let mut entries = rustix::fs::RawDir::new(&folder, buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        let kind = match entry.file_type() {
            FileType::Unknown => kind(&path.join(OsStr::from_bytes(name.to_bytes()))),
            kind => kind,
        };
        add(&mut names, name, kind == FileType::Directory, wanted);
    }
    names.marks.sort();
    Ok(names)
}

/// Not every file system says it with the name.
fn kind(path: &Path) -> FileType {
    rustix::fs::lstat(path).map_or(FileType::Unknown, |told| FileType::from_raw_mode(told.st_mode))
}

fn add(names: &mut Names, name: &CStr, is_folder: bool, wanted: &Within<'_>) {
    let text = name.to_str().ok();
    names.has_rules |= matches!(text, Some(git::FILE | git::TOP));
    names.marks.extend(text.filter(|text| is_mark(text)).map(str::to_owned));
    match text {
        Some("." | "..") => {}
        Some(text) if is_folder && is_foreign(text) => {}
        _ if is_folder => names.add_folder(OsStr::from_bytes(name.to_bytes())),
        Some(text) if wanted.is_wanted(text) => names.files.push(text.to_owned()),
        _ => {}
    }
}

/// Whether tools made what is in a folder whose name is a common word: Cargo's and Maven's output, Go's and Composer's
/// copies of dependencies, Python's environments.
pub(super) fn is_output(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).exists();
    match folder.file_name().and_then(OsStr::to_str) {
        Some("target") => has("CACHEDIR.TAG") || has("maven-status") || has("classes"),
        Some("vendor") => has("modules.txt") || has("autoload.php") || has("bundle"),
        Some("venv" | "env") => has("pyvenv.cfg"),
        _ => false,
    }
}

impl Tree for Disk {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Unread> {
        let told = fs::metadata(path).map_err(|error| unread(&error))?;
        if !told.is_file() {
            return Err(Unread::NotAFile);
        }
        if told.len() > LARGEST {
            return Err(Unread::TooLarge(told.len()));
        }
        let mut bytes = vec![0; usize::try_from(told.len()).unwrap_or(0) + 1];
        let mut file = fs::File::open(path).map_err(|error| unread(&error))?;
        let count = match file.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            read => read.map_err(|error| unread(&error))?,
        };
        bytes.truncate(count);
        if count as u64 != told.len() {
            // It changed meanwhile, or comes in pieces; what grows without end is cut off.
            file.take(LARGEST).read_to_end(&mut bytes).map_err(|error| unread(&error))?;
        }
        Ok(bytes)
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn is_executable(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|told| told.is_file() && told.permissions().mode() & 0o111 != 0)
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

impl Tree for Seen {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Unread> {
        Tree::read(&Disk, path)
    }

    fn is_file(&self, path: &Path) -> bool {
        Tree::is_file(&Disk, path)
    }

    fn is_executable(&self, path: &Path) -> bool {
        Disk.is_executable(path)
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        Disk.names(folder)
    }

    fn marks(&self, folder: &Path) -> Vec<String> {
        self.0.get(folder).cloned().unwrap_or_else(|| Disk.marks(folder))
    }
}

fn unread(error: &io::Error) -> Unread {
    match error.kind() {
        io::ErrorKind::NotFound => Unread::Missing,
        _ => Unread::Other(error.to_string()),
    }
}
