//! A tree of files as tasks are looked for in it: what git ignores and what tools made is left out.

mod answer;
mod memory;
mod observed;

use std::collections::{BTreeSet, HashMap};
use std::ffi::{CStr, OsStr};
use std::fs;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{FileType, Mode, OFlags};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::tasks::{Finder, LARGEST, Listing, Tree, Unread, Within, discover, is_foreign, marks};

use super::fs::Disk;
use super::gitignore as git;
use super::look::Look;
use answer::Answer;
use memory::{Memory, Names};
use observed::Observed;

/// What a walk found.
#[derive(Debug, Default)]
pub struct Walked {
    /// Files that some runner reads, from the root, sorted.
    pub files: Vec<PathBuf>,
    /// Folders that could not be looked into, and why.
    pub problems: Vec<(PathBuf, String)>,
    /// What was seen in each folder, by its own path: files that git ignores too.
    marks: HashMap<PathBuf, Vec<String>>,
    observed: Observed,
}

/// The disk after a walk, of which what was seen is not asked again; what is asked now is noted too.
#[derive(Debug)]
pub struct Seen {
    marks: HashMap<PathBuf, Vec<String>>,
    observed: Observed,
}

/// The tasks of a tree.
#[derive(Debug)]
pub struct Listed {
    pub listing: Listing,
    /// Folders that could not be looked into, and why.
    pub problems: Vec<(PathBuf, String)>,
}

impl Walked {
    /// The disk as the walk saw it.
    pub fn disk(&mut self) -> Seen {
        Seen { marks: std::mem::take(&mut self.marks), observed: std::mem::take(&mut self.observed) }
    }
}

/// What is told of the tasks of a tree.
#[derive(Debug)]
pub struct Told<R> {
    /// What is told beside the text.
    pub remarks: R,
    pub text: String,
    /// Folders that could not be looked into, and why.
    pub problems: Vec<(PathBuf, String)>,
}

/// Lists the tasks of a tree, of one runner alone where that is given. With `memories`, a folder of this user's, the list
/// is kept, and given again while all that it was made of looks the same.
pub fn list(root: &Path, memories: Option<&Path>, only: Option<&str>) -> Listed {
    let answer =
        memories.and_then(|memories| Answer::to(root, memories, &format!("list {}", only.unwrap_or_default())));
    let known = answer.as_ref().and_then(Answer::known::<()>);
    if let Some(listing) = known.and_then(|((), text)| serde_json::from_str(&text).ok()) {
        return Listed { listing, problems: Vec::new() };
    }
    let (listed, seen) = list_with(root, Memory::load(root, memories), only, Observed::default());
    if let Some(answer) = answer.filter(|_| listed.problems.is_empty())
        && let Ok(text) = serde_json::to_string(&listed.listing)
    {
        answer.keep(&(), &text, &seen.observed);
    }
    listed
}

/// What `tell` makes of that list. Nothing may have a say in it but the list and what the `question` names. It is kept as a text, so that to tell it again is next to no work.
pub fn tell<R: Serialize + DeserializeOwned>(
    root: &Path,
    memories: Option<&Path>,
    only: Option<&str>,
    question: &str,
    tell: impl FnOnce(&Listing) -> (R, String),
) -> Told<R> {
    let question = format!("tell {} {question}", only.unwrap_or_default());
    let answer = memories.and_then(|memories| Answer::to(root, memories, &question));
    if let Some((remarks, text)) = answer.as_ref().and_then(Answer::known) {
        return Told { remarks, text, problems: Vec::new() };
    }
    let (listed, seen) = list_with(root, Memory::load(root, memories), only, Observed::default());
    let (remarks, text) = tell(&listed.listing);
    if let Some(answer) = answer.filter(|_| listed.problems.is_empty()) {
        answer.keep(&remarks, &text, &seen.observed);
    }
    Told { remarks, text, problems: listed.problems }
}

fn list_with(root: &Path, memory: Memory, only: Option<&str>, observed: Observed) -> (Listed, Seen) {
    let mut walked = walk_with(root, &Finder::new(), memory, observed);
    let seen = walked.disk();
    let listing = discover(root, walked.files, &seen, only);
    (Listed { listing, problems: walked.problems }, seen)
}

/// For the names of a folder; more are read in turns.
const BUFFER: usize = 32 << 10;

/// Finds the files of a tree that task runners read. `.gitignore` holds also where there is no repository; symbolic
/// links to folders are not followed, so none can lead in a circle. With `memories`, a folder of this user's, what was
/// seen in folders is remembered, and those that have not changed since are not read again.
///
/// Of a hundred files one is wanted, so nothing is asked of git's rules but about those, and about folders.
pub fn walk(root: &Path, memories: Option<&Path>) -> Walked {
    walk_with(root, &Finder::new(), Memory::load(root, memories), Observed::default())
}

/// The same, with the files by which services are found.
pub fn walk_for_services(root: &Path) -> Walked {
    walk_with(root, &Finder::of_services(), Memory::load(root, None), Observed::default())
}

fn walk_with(root: &Path, finder: &Finder, memory: Memory, observed: Observed) -> Walked {
    let rules = above(root, &observed);
    let found = Walked { observed, ..Walked::default() };
    let mut walk = Walk { root, finder, memory, buffer: vec![MaybeUninit::uninit(); BUFFER], found };
    let mut todo = vec![(PathBuf::new(), rules)];
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
    fn with(&self, folder: &Path, observed: &Observed) -> Self {
        Self(Some(Rc::new((git::Folder::read(folder, observed), self.clone()))))
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
fn above(root: &Path, observed: &Observed) -> Rules {
    let mut folders = Vec::new();
    if observed.exists(&root.join(git::TOP)) {
        return Rules(None);
    }
    for folder in root.ancestors().skip(1) {
        let read = git::Folder::read(folder, observed);
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
        // Before it is read: what changes meanwhile makes it another one.
        let look = self.found.observed.folder(&path);
        let read = || read(&path, &finder.within(&folder), buffer);
        let names = match look.and_then(|look| self.memory.names(&folder, &look, read)) {
            Ok(names) => names,
            Err(error) => return self.found.problems.push((path, error.to_string())),
        };
        let rules = if names.has_rules { rules.with(&path, &self.found.observed) } else { rules };
        for name in &names.files {
            if !rules.leave_out(&path.join(name), false) {
                self.found.files.push(folder.join(name));
            }
        }
        let folders = names.folders().collect::<Vec<_>>();
        self.found.marks.insert(path.clone(), names.marks);
        for name in folders {
            let inner = path.join(&name);
            if !is_output(&inner, |path| self.found.observed.exists(path)) && !rules.leave_out(&inner, true) {
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
    names.marks.extend(text.filter(|text| wanted.is_mark(text)).map(str::to_owned));
    match text {
        Some("." | "..") => {}
        Some(text) if is_folder && is_foreign(text) => {}
        _ if is_folder => names.add_folder(OsStr::from_bytes(name.to_bytes())),
        Some(text) if wanted.is_wanted(text) => names.files.push(text.to_owned()),
        _ => {}
    }
}

/// Whether tools made what is in a folder whose name is a common word: Cargo's and Maven's output, Go's and Composer's
/// copies of dependencies, Python's environments. Whether something is there is told by `exists`.
pub(super) fn is_output(folder: &Path, exists: impl Fn(&Path) -> bool) -> bool {
    let has = |name: &str| exists(&folder.join(name));
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
        let look = Look::from(&told);
        readable(&look).and_then(|()| read_file(path, look.size).map_err(|error| unread(&error)))
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn is_executable(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|told| Look::from(&told).is_executable())
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
        let look = self.observed.whole(path).map_err(|error| unread(&error))?;
        readable(&look)?;
        // What may not be read may be readable to this user later, with nothing to be seen of that.
        read_file(path, look.size).inspect_err(|_| self.observed.doubt()).map_err(|error| unread(&error))
    }

    fn is_file(&self, path: &Path) -> bool {
        self.observed.kind(path).is_file()
    }

    fn is_executable(&self, path: &Path) -> bool {
        self.observed.whole(path).is_ok_and(|look| look.is_executable())
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        let _ = self.observed.whole(folder);
        Disk.names(folder)
    }

    fn marks(&self, folder: &Path) -> Vec<String> {
        if let Some(marks) = self.marks.get(folder) {
            return marks.clone();
        }
        // Above the tree much else comes and goes, so each is asked for.
        let there = marks().collect::<BTreeSet<_>>();
        let there = there.into_iter().filter(|name| self.observed.exists(&folder.join(name)));
        there.map(str::to_owned).collect()
    }
}

/// Whether a file can be read as text that people write.
fn readable(look: &Look) -> Result<(), Unread> {
    match (look.is_file(), look.size) {
        (false, _) => Err(Unread::NotAFile),
        (true, size) if size > LARGEST => Err(Unread::TooLarge(size)),
        (true, _) => Ok(()),
    }
}

/// The bytes of a file that had this size.
fn read_file(path: &Path, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0) + 1];
    let mut file = fs::File::open(path)?;
    let count = match file.read(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
        read => read?,
    };
    bytes.truncate(count);
    if count as u64 != size {
        // It changed meanwhile, or comes in pieces; what grows without end is cut off.
        file.take(LARGEST).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn unread(error: &io::Error) -> Unread {
    match error.kind() {
        io::ErrorKind::NotFound => Unread::Missing,
        _ => Unread::Other(error.to_string()),
    }
}
