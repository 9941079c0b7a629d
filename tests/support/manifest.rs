//! A disk in memory, and a shorthand for loading from it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use nagaya::manifest::{Files, Problems, Request, Shell, load};
use nagaya::model::Workspace;

/// Files by absolute path; every folder on the way exists, and so do `web` and `users` below `/w`.
#[derive(Default)]
pub struct Disk(BTreeMap<PathBuf, Vec<u8>>);

impl Disk {
    pub fn with(mut self, path: &str, text: &str) -> Self {
        self.0.insert(Path::new("/w").join(path), text.as_bytes().to_vec());
        self
    }

    pub fn with_bytes(mut self, path: &str, bytes: &[u8]) -> Self {
        self.0.insert(Path::new("/w").join(path), bytes.to_vec());
        self
    }

    /// Loads `/w/nagaya.yaml` with an empty shell.
    pub fn load(&self) -> (Option<Workspace>, Problems) {
        self.load_with(&Request::default(), &[])
    }

    pub fn load_with(&self, request: &Request, shell: &[(&str, &str)]) -> (Option<Workspace>, Problems) {
        let mut request = request.clone();
        if request.files.is_empty() {
            request.files.push("/w/nagaya.yaml".into());
        }
        let shell: Shell = shell.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        load(&request, &shell, self)
    }
}

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(&clean(path)).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn is_dir(&self, path: &Path) -> bool {
        let path = clean(path);
        let below = |file: &PathBuf| file != &path && file.starts_with(&path);
        self.0.keys().any(below) || ["/w/web", "/w/users"].map(Path::new).contains(&path.as_path())
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let path = clean(path);
        if self.0.contains_key(&path) || self.is_dir(&path) { Ok(path) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

/// The path without `.` and `..`.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                out.pop();
            }
            std::path::Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// Each problem as `line:column code message | hint`.
pub fn shown(problems: &Problems) -> Vec<String> {
    let shown = problems.list.iter().map(|problem| {
        let place = problem.at.map(|span| problems.sources.position(span));
        let place = place.map_or("-".to_owned(), |at| format!("{}:{}", at.line, at.column));
        let hint = problem.hint.as_ref().map(|hint| format!(" | {hint}")).unwrap_or_default();
        format!("{place} {} {}{hint}", problem.code, problem.message)
    });
    shown.collect()
}

/// The workspace of a manifest that has no problem.
pub fn good(text: &str) -> Workspace {
    let (workspace, problems) = Disk::default().with("nagaya.yaml", text).load();
    assert_eq!(shown(&problems), [""; 0]);
    workspace.unwrap()
}

/// The workspace of a manifest of which there is only to be warned.
pub fn passable(text: &str) -> Workspace {
    let (workspace, problems) = Disk::default().with("nagaya.yaml", text).load();
    assert!(!problems.has_errors() && !shown(&problems).is_empty());
    workspace.unwrap()
}

/// The problems of a manifest that has some.
pub fn bad(text: &str) -> Vec<String> {
    let (workspace, problems) = Disk::default().with("nagaya.yaml", text).load();
    assert!(workspace.is_none() || !problems.has_errors());
    shown(&problems)
}
