//! Which task a word means.

use std::path::Path;

use crate::manifest::did_you_mean;
use crate::tasks::Task;

/// A task that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its full name, which no other has.
    pub full: String,
    /// Other words that may mean it.
    pub spellings: Vec<String>,
    /// How far it is from what is usually meant: the manifest's own first, then what is for every day, then what is near.
    pub distance: (u8, bool, usize),
}

/// Why a word means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// Nothing has this name; with one that is like it.
    Unknown(Option<String>),
    /// The full names of those it may mean.
    Several(Vec<String>),
}

impl Candidate {
    /// A task of the manifest.
    pub fn declared(name: &str) -> Self {
        Self { full: name.to_owned(), spellings: Vec::new(), distance: (0, false, 0) }
    }

    /// A task that was found, seen from a folder, which like the task's is given from the root of the listing.
    pub fn found(task: &Task, here: &Path) -> Self {
        let draft = &task.draft;
        let folder = task.project.to_str().unwrap_or("");
        let last = task.project.file_name().and_then(|name| name.to_str()).unwrap_or("");
        let mut spellings = Vec::new();
        for name in std::iter::once(&draft.name).chain(&draft.aliases) {
            spellings.push(name.clone());
            spellings.push(format!("{}:{name}", task.runner));
            for folder in [folder, last].into_iter().filter(|folder| !folder.is_empty()) {
                spellings.push(format!("{folder}:{name}"));
                spellings.push(format!("{folder}:{}:{name}", task.runner));
            }
        }
        let distance = (1, !task.is_everyday(), steps(&task.project, here));
        Self { full: task.id.clone(), spellings, distance }
    }
}

/// From one folder to another, what is above nearer than what is below or beside.
fn steps(project: &Path, here: &Path) -> usize {
    match here.strip_prefix(project) {
        Ok(down) => down.components().count(),
        Err(_) => 1000 + project.components().count(),
    }
}

/// The place of the task that a word means: the nearest of those that have it for a name.
pub fn find(word: &str, candidates: &[Candidate]) -> Result<usize, Miss> {
    if let Some(place) = candidates.iter().position(|it| it.full == word) {
        return Ok(place);
    }
    let fits = |it: &&(usize, &Candidate)| it.1.spellings.iter().any(|spelling| spelling == word);
    let fitting: Vec<(usize, &Candidate)> = candidates.iter().enumerate().filter(|it| fits(&it)).collect();
    let nearest = fitting.iter().map(|(_, it)| it.distance).min();
    let near: Vec<&(usize, &Candidate)> = fitting.iter().filter(|(_, it)| Some(it.distance) == nearest).collect();
    match near.as_slice() {
        [] => {
            // Who names a folder means one of its tasks.
            let count = if word.contains(':') { usize::MAX } else { 1 };
            let known =
                candidates.iter().flat_map(|it| std::iter::once(&it.full).chain(it.spellings.iter().take(count)));
            Err(Miss::Unknown(did_you_mean(word, known.map(String::as_str))))
        }
        [(place, _)] => Ok(*place),
        several => Err(Miss::Several(several.iter().map(|(_, it)| it.full.clone()).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(full: &str, spellings: &[&str], distance: (u8, bool, usize)) -> Candidate {
        let spellings = spellings.iter().map(|&it| it.to_owned()).collect();
        Candidate { full: full.to_owned(), spellings, distance }
    }

    #[test]
    fn the_nearest_of_a_name_is_meant() {
        let all = [
            candidate("npm:test", &["test"], (1, false, 1)),
            candidate("make:test", &["test"], (1, false, 1)),
            candidate("a:npm:test", &["test", "a:test"], (1, false, 1001)),
            candidate("make:lint", &["lint"], (1, false, 1)),
            candidate("lint", &[], (0, false, 0)),
            candidate("npm:prepare", &["prepare"], (1, true, 1)),
            candidate("a:make:prepare", &["prepare"], (1, false, 1001)),
        ];
        assert_eq!(find("a:test", &all), Ok(2));
        assert_eq!(find("make:test", &all), Ok(1));
        assert_eq!(find("lint", &all), Ok(4));
        assert_eq!(find("prepare", &all), Ok(6));
        assert_eq!(find("test", &all), Err(Miss::Several(vec!["npm:test".into(), "make:test".into()])));
        assert_eq!(find("tset", &all), Err(Miss::Unknown(Some("did you mean `test`?".into()))));
        assert_eq!(find("a:tset", &all), Err(Miss::Unknown(Some("did you mean `a:test`?".into()))));
        assert_eq!(find("nothing-like-it", &all), Err(Miss::Unknown(None)));
    }

    #[test]
    fn above_is_nearer_than_below() {
        let order = [("a/b", "a/b"), ("a", "a/b"), ("", "a/b"), ("c", "a/b"), ("a/b/c", "a/b")];
        let steps: Vec<usize> =
            order.iter().map(|(project, here)| steps(Path::new(project), Path::new(here))).collect();
        assert!(steps.is_sorted(), "{steps:?}");
    }
}
