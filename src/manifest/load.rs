//! From paths to a [`Workspace`]: reads, lays overlays over each other, follows includes, fills in variables.
//!
//! Files come through [`Files`], so that nothing here touches the disk.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::Workspace;

use super::dotenv;
use super::interpolate::{Lookup, interpolate};
use super::lower::{Unit, lower};
use super::merge::merge;
use super::node::Node;
use super::problem::{Problem, Problems};
use super::raw::RawWorkspace;
use super::read::{At, Read};
use super::source::Span;
use super::{templates, versions, yaml};

/// The file system, as far as a manifest needs it.
pub trait Files {
    /// The bytes of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Whether there is a folder at a path.
    fn is_dir(&self, path: &Path) -> bool;
    /// The path without links and `..`.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf>;
    /// The programs of a name: on a PATH, and in other folders, in whose paths `*` stands for a part of one name.
    fn programs(&self, _name: &str, _path: Option<&str>, _folders: &[String]) -> (Vec<PathBuf>, Vec<PathBuf>) {
        Default::default()
    }
    /// The version that a program tells of itself.
    fn version(&self, _program: &Path) -> Option<String> {
        None
    }
    /// Whether services may be run as other accounts.
    fn is_root(&self) -> bool {
        false
    }
}

/// What to load and under which circumstances.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Request {
    /// The manifest and the overlays given with `-f`, absolute.
    pub files: Vec<PathBuf>,
    /// They were named with `-f`: the local overlay stays out of it.
    pub explicit: bool,
    /// `-p`: takes the place of the manifest's name.
    pub project: Option<String>,
    /// Switched-on profiles.
    pub profiles: Vec<String>,
    /// `--no-env-file`: leaves `.env` alone.
    pub no_env_file: bool,
    /// There is to be a [`GUEST`] too.
    #[serde(default)]
    pub guest: bool,
}

/// The service in whose place `nagaya ci` runs its command: no manifest has it, and it may call all others.
pub const GUEST: &str = "ci-command";

/// The variables of the shell.
pub type Shell = BTreeMap<String, String>;

/// The overlays that are found by themselves.
const LOCAL: [&str; 2] = ["nagaya.local.yaml", "nagaya.local.yml"];

/// Loads a workspace; `None` when a problem forbids it. The problems come sorted.
pub fn load(request: &Request, shell: &Shell, files: &dyn Files) -> (Option<Workspace>, Problems) {
    let mut loader =
        Loader { request, shell, files, problems: Problems::default(), units: Vec::new(), seen: Vec::new() };
    loader.main();
    let Loader { mut problems, units, .. } = loader;
    let workspace = lower(units, request, shell, files, &mut problems);
    problems.sort();
    (workspace.filter(|_| !problems.has_errors()), problems)
}

/// What is wrong with a manifest that is not written yet: as if its file had this text.
pub fn check_text(path: &Path, text: &str, shell: &Shell, files: &dyn Files) -> Problems {
    let request = Request {
        files: vec![path.to_owned()],
        explicit: true,
        project: None,
        profiles: Vec::new(),
        no_env_file: false,
        guest: false,
    };
    load(&request, shell, &Unwritten { path, text, files }).1
}

/// The files as they are, but for one.
struct Unwritten<'a> {
    path: &'a Path,
    text: &'a str,
    files: &'a dyn Files,
}

impl Files for Unwritten<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == self.path { Ok(self.text.as_bytes().to_vec()) } else { self.files.read(path) }
    }

    fn is_dir(&self, path: &Path) -> bool {
        path != self.path && self.files.is_dir(path)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        if path == self.path { Ok(path.to_owned()) } else { self.files.canonical(path) }
    }

    fn programs(&self, name: &str, path: Option<&str>, folders: &[String]) -> (Vec<PathBuf>, Vec<PathBuf>) {
        self.files.programs(name, path, folders)
    }

    fn version(&self, program: &Path) -> Option<String> {
        self.files.version(program)
    }

    fn is_root(&self) -> bool {
        self.files.is_root()
    }
}

struct Loader<'a> {
    request: &'a Request,
    shell: &'a Shell,
    files: &'a dyn Files,
    problems: Problems,
    units: Vec<Unit>,
    seen: Vec<PathBuf>,
}

/// Variables in the order in which `${…}` finds them.
struct Surroundings<'a> {
    shell: &'a Shell,
    dotenv: &'a [(String, String)],
    vars: &'a [(String, String)],
}

impl Lookup for Surroundings<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let among = |list: &'_ [(String, String)]| list.iter().rposition(|(key, _)| key == name);
        let dotenv = || among(self.dotenv).map(|at| self.dotenv[at].1.as_str());
        let vars = || among(self.vars).map(|at| self.vars[at].1.as_str());
        self.shell.get(name).map(String::as_str).or_else(dotenv).or_else(vars)
    }
}

impl Loader<'_> {
    fn main(&mut self) {
        let Some(first) = self.request.files.first() else { return };
        let mut paths = self.request.files.clone();
        let dir = first.parent().unwrap_or(Path::new("/")).to_owned();
        if !self.request.explicit {
            paths.extend(LOCAL.iter().map(|name| dir.join(name)).filter(|path| self.files.canonical(path).is_ok()));
        }
        self.seen.extend(self.files.canonical(first));
        let dotenv = self.dotenv(&dir.join(".env"), false, None);
        self.unit(&paths, &dir, dotenv);
    }

    /// One manifest with its overlays, and then what it includes.
    fn unit(&mut self, paths: &[PathBuf], dir: &Path, dotenv: Vec<(String, String)>) {
        let mut documents: Vec<Node> = paths.iter().filter_map(|path| self.document(path)).collect();
        let vars = self.vars(&mut documents, &dotenv);
        let surroundings = Surroundings { shell: self.shell, dotenv: &dotenv, vars: &vars };
        for document in &mut documents {
            interpolate(document, &surroundings, &mut self.problems);
        }
        let Some(mut merged) = documents.into_iter().reduce(|mut base, over| {
            merge(&mut base, over);
            base
        }) else {
            return;
        };
        let versions = versions::expand(&mut merged, &mut self.problems);
        let place = templates::Place { dir, shell: self.shell, files: self.files };
        let bound = templates::expand(&mut merged, &place, &mut self.problems);
        let Some(raw) = RawWorkspace::read(&merged, &mut self.problems) else { return };
        let includes = raw.include.clone().unwrap_or_default();
        let (dir, dotenv) = (dir.to_owned(), Arc::new(dotenv));
        self.units.push(Unit { dir: dir.clone(), dotenv, raw, versions, bound, span: merged.span });
        for include in includes.0 {
            self.include(&dir, &include);
        }
    }

    fn include(&mut self, dir: &Path, include: &At<super::read::OrBrief<super::raw::Include>>) {
        let Some(path) = &include.value.0.path else {
            self.problems.push(Problem::error("missing_key", "an include needs a `path`").at(include.span));
            return;
        };
        let wanted = dir.join(path);
        let real = match self.files.canonical(&wanted) {
            Ok(real) => real,
            Err(error) => return self.problems.push(unreadable(&wanted, &error, "include").at(include.span)),
        };
        if self.files.is_dir(&real) {
            let hint = format!("name the manifest in it: `{}/nagaya.yaml`", path.trim_end_matches('/'));
            let problem = Problem::error("bad_include", format!("`{path}` is a folder")).at(include.span);
            return self.problems.push(problem.hint(hint));
        }
        // Reached a second time, by another way or in a circle: its services are there already.
        if self.seen.contains(&real) {
            return;
        }
        self.seen.push(real.clone());
        let inner = real.parent().unwrap_or(Path::new("/")).to_owned();
        let env_file = include.value.0.env_file.as_ref().map(|path| dir.join(path));
        let dotenv = match env_file {
            Some(path) => self.dotenv(&path, true, Some(include.span)),
            None => self.dotenv(&inner.join(".env"), false, None),
        };
        self.unit(&[real], &inner, dotenv);
    }

    fn document(&mut self, path: &Path) -> Option<Node> {
        let source = match text(self.files, path, "manifest", &mut self.problems) {
            Ok(source) => source,
            Err(problem) => {
                self.problems.push(*problem);
                return None;
            }
        };
        yaml::parse(source, &mut self.problems)
    }

    /// The values of `vars`, later documents winning.
    fn vars(&mut self, documents: &mut [Node], dotenv: &[(String, String)]) -> Vec<(String, String)> {
        let surroundings = Surroundings { shell: self.shell, dotenv, vars: &[] };
        let mut vars = Vec::new();
        for document in documents {
            let super::node::Value::Map(entries) = &mut document.value else { continue };
            let Some((_, node)) = entries.iter_mut().find(|(key, _)| key.text == "vars") else { continue };
            interpolate(node, &surroundings, &mut self.problems);
            // Its problems are reported when the whole document is read.
            let mut quiet = Problems::default();
            let read = super::read::Dict::<String>::read(node, &mut quiet).unwrap_or_default();
            vars.extend(read.0.into_iter().map(|(name, entry)| (name, entry.value)));
        }
        vars
    }

    fn dotenv(&mut self, path: &Path, required: bool, at: Option<Span>) -> Vec<(String, String)> {
        if self.request.no_env_file && !required {
            return Vec::new();
        }
        let vars = read_env_file(path, required, at, self.shell, self.files, &mut self.problems);
        vars.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect()
    }
}

/// Reads an env file; a missing one is a problem only where it is required.
pub(super) fn read_env_file(
    path: &Path,
    required: bool,
    at: Option<Span>,
    shell: &Shell,
    files: &dyn Files,
    problems: &mut Problems,
) -> dotenv::Variables {
    if !required && files.canonical(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Vec::new();
    }
    let source = match text(files, path, "env file", problems) {
        Ok(source) => {
            problems.sources.hide(source);
            source
        }
        Err(mut problem) => {
            problem.at.iter().for_each(|span| problems.sources.hide(span.source));
            problem.at = problem.at.or(at);
            problems.push(*problem);
            return Vec::new();
        }
    };
    let lookup = Surroundings { shell, dotenv: &[], vars: &[] };
    dotenv::parse(source, &lookup, problems)
        .into_iter()
        .map(|(key, value)| {
            let value = value.or_else(|| shell.get(&key).cloned());
            (key, value)
        })
        .collect()
}

/// Reads a file as text and adds it to the sources.
fn text(files: &dyn Files, path: &Path, what: &str, problems: &mut Problems) -> Result<usize, Box<Problem>> {
    let bytes = files.read(path).map_err(|error| Box::new(unreadable(path, &error, what)))?;
    if bytes.len() > yaml::LARGEST {
        let size = crate::model::Size(bytes.len() as u64);
        let limit = crate::model::Size(yaml::LARGEST as u64);
        let message = format!("{} has {size}; the largest {what} that is read has {limit}", path.display());
        return Err(Box::new(Problem::error("too_large", message).hint("split it with `include`")));
    }
    // Editors on Windows put a byte order mark first.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(problems.sources.add(path, text)),
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            let source = problems.sources.add(path, &format!("{good}\u{fffd}"));
            let at = Span { source, start: good.len(), end: good.len() + '\u{fffd}'.len_utf8() };
            let problem = Problem::error("not_utf8", format!("this {what} is not UTF-8 text")).at(at);
            Err(Box::new(problem.hint("save it as UTF-8; this is the first byte that is not")))
        }
    }
}

fn unreadable(path: &Path, error: &io::Error, what: &str) -> Problem {
    let shown = path.display();
    let reason = match error.kind() {
        io::ErrorKind::NotFound => format!("{shown} does not exist"),
        io::ErrorKind::PermissionDenied => format!("{shown} may not be read"),
        _ => format!("{shown} cannot be read: {error}"),
    };
    let problem = Problem::error("unreadable_file", format!("{what}: {reason}"));
    match error.kind() {
        io::ErrorKind::PermissionDenied => problem.hint(format!("`ls -l {shown}` shows who may")),
        _ => problem,
    }
}
