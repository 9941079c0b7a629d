//! From the files of a tree to the list of its tasks.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::around::Around;
use super::launch::launch;
use super::listed::Asking;
use super::look::Look;
use super::package_manager::Manager;
use super::runner::{RUNNERS, Reading, Runner};
use super::tree::Tree;
use super::walk::Finder;
use super::{Completeness, Draft, Gap, Source, Task, Unreadable};

/// All that was found.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub tasks: Vec<Task>,
    pub sources: Vec<Source>,
    /// What speaks against a choice that was made, with its folder from the root.
    pub conflicts: Vec<(PathBuf, String)>,
    /// The package managers that run scripts, by folder from the root.
    pub managers: BTreeMap<PathBuf, Manager>,
}

/// Reads tasks from `files`, which are paths from `root` that [`Finder`] wants. With `only`, of one runner alone.
pub fn discover(root: &Path, files: Vec<PathBuf>, tree: &dyn Tree, only: Option<&str>) -> Listing {
    let finder = Finder::new();
    let plan = Plan::of(&files, &finder, only);
    let around = Around::new(root, tree, files.iter().map(|path| root.join(path)).collect::<BTreeSet<_>>());
    let mut listing = Listing::default();
    for ((project, runner), paths) in plan.sources {
        for (path, loose) in paths {
            read(&around, &RUNNERS[runner], &project, &path, loose, &mut listing);
        }
    }
    unify(&mut listing.tasks);
    blame_once(&mut listing.sources);
    listing
}

/// Which files are read for which project and runner.
struct Plan {
    /// By project and runner; with whether the file may be something else altogether.
    sources: BTreeMap<(PathBuf, usize), Vec<(PathBuf, bool)>>,
}

impl Plan {
    fn of(files: &[PathBuf], finder: &Finder, only: Option<&str>) -> Self {
        // Of those of which only the first counts, the best so far.
        let mut firsts: HashMap<(PathBuf, usize), (usize, PathBuf)> = HashMap::new();
        let mut sources: BTreeMap<(PathBuf, usize), Vec<(PathBuf, bool)>> = BTreeMap::new();
        for path in files {
            for claim in finder.claims(path) {
                if only.is_some_and(|only| RUNNERS[claim.runner].id != only) {
                    continue;
                }
                let project = path.ancestors().nth(claim.depth).unwrap_or(Path::new("")).to_owned();
                let key = (project, claim.runner);
                match claim.rank {
                    None => sources.entry(key).or_default().push((path.clone(), claim.loose)),
                    Some(rank) if firsts.get(&key).is_none_or(|(best, _)| rank < *best) => {
                        firsts.insert(key, (rank, path.clone()));
                    }
                    Some(_) => {}
                }
            }
        }
        for (key, (_, path)) in firsts {
            sources.entry(key).or_default().insert(0, (path, false));
        }
        Self { sources }
    }
}

fn read(around: &Around<'_>, runner: &'static Runner, project: &Path, path: &Path, loose: bool, listing: &mut Listing) {
    let file = around.root.join(path);
    let folder = below(around.root, project);
    let read = around.read(&file).and_then(|text| {
        let look = Look { path: &file, folder: &folder, text: &text.text, around };
        let mut reading = (runner.read)(&look)?;
        if let (Some(reading), Some(at)) = (&mut reading, text.broken) {
            let reason = format!("not UTF-8 from line {} column {} on: names there may be wrong", at.line, at.column);
            reading.gaps.push(Gap { reason, count: 0 });
        }
        Ok(reading)
    });
    let (completeness, tasks) = match read {
        Ok(None) => return,
        Ok(Some(Reading { tasks, gaps })) if gaps.is_empty() => (Completeness::Complete, tasks),
        Ok(Some(Reading { tasks, gaps })) => (Completeness::Partial(gaps), tasks),
        // A program or a picture beside scripts.
        Err(Unreadable { at: None, .. }) if loose => return,
        Err(unreadable) => (Completeness::Unreadable(unreadable), Vec::new()),
    };
    let is_open = tasks.is_empty() && matches!(completeness, Completeness::Partial(_));
    let sample = (is_open && Asking::of(runner.id).is_some())
        .then(|| Box::new(task(around, runner, project, &file, Draft::new(UNNAMED, 1), listing)));
    listing.sources.push(Source { file: file.clone(), runner: runner.id, completeness, tasks: tasks.len(), sample });
    for draft in tasks {
        let task = task(around, runner, project, &file, draft, listing);
        listing.tasks.push(task);
    }
}

/// Stands for a name that only a runner knows.
const UNNAMED: &str = "?";

/// A task with how it is run; what is noticed on the way is noted.
fn task(
    around: &Around<'_>,
    runner: &'static Runner,
    project: &Path,
    file: &Path,
    draft: Draft,
    listing: &mut Listing,
) -> Task {
    let folder = below(around.root, project);
    let launch = launch(around, runner, &draft, &folder);
    for conflict in launch.conflicts {
        let conflict = (project.to_owned(), conflict);
        if !listing.conflicts.contains(&conflict) {
            listing.conflicts.push(conflict);
        }
    }
    if let Some(manager) = launch.manager {
        listing.managers.insert(project.to_owned(), manager);
    }
    Task {
        id: id(project, runner, &draft.name),
        runner: runner.id,
        project: project.to_owned(),
        file: draft.file.clone().unwrap_or_else(|| file.to_owned()),
        draft,
        invoke: launch.invoke,
        verified: false,
    }
}

/// A path from the root; the root itself has no `/` behind it.
fn below(root: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { root.to_owned() } else { root.join(path) }
}

fn id(project: &Path, runner: &Runner, name: &str) -> String {
    match project.as_os_str().is_empty() {
        true => format!("{}:{name}", runner.id),
        false => format!("{}:{}:{name}", project.display(), runner.id),
    }
}

/// Tasks of one name in one place are told apart by their files, and by their lines where that is not enough.
fn unify(tasks: &mut [Task]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for task in tasks.iter() {
        *seen.entry(task.id.clone()).or_default() += 1;
    }
    let mut taken: HashSet<String> = HashSet::new();
    for task in tasks {
        if seen.get(&task.id).is_some_and(|count| *count > 1) && taken.contains(&task.id) {
            let file = task.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let plain = task.id.clone();
            task.id = format!("{plain}@{file}");
            if taken.contains(&task.id) {
                task.id = format!("{plain}@{file}:{}", task.draft.line);
            }
            let numbered = task.id.clone();
            let mut number = 2;
            while taken.contains(&task.id) {
                task.id = format!("{numbered}#{number}");
                number += 1;
            }
        }
        taken.insert(task.id.clone());
    }
}

/// A file that several runners read and none can is told of once.
fn blame_once(sources: &mut Vec<Source>) {
    let mut blamed: HashSet<(PathBuf, Unreadable)> = HashSet::new();
    sources.retain(|source| match &source.completeness {
        Completeness::Unreadable(unreadable) => blamed.insert((source.file.clone(), unreadable.clone())),
        Completeness::Complete | Completeness::Partial(_) => true,
    });
}
