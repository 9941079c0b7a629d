//! From words to tasks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::pick;
use crate::cli::args::Global;
use crate::cli::error::{Code, Error};
use crate::cli::locate;
use crate::cli::output::Output;
use crate::effects::fs::{self, Disk};
use crate::effects::tree::Listed;
use crate::effects::{environment, tree};
use crate::model::{TaskName, Workspace};
use crate::pipeline::{Candidate, Miss, find};
use crate::tasks::{Completeness, Invoke, Kind, OWN, Source, Task, by_package, called, is_pattern};

/// What was asked for, and what it was found in.
pub struct Asked {
    /// The manifest's, where there is one.
    pub workspace: Option<Workspace>,
    /// The folder in which tasks are looked for.
    pub root: PathBuf,
    pub targets: Vec<Target>,
}

/// A task that was asked for.
#[derive(Debug, Clone)]
pub enum Target {
    /// One of the manifest, by place.
    Declared(usize),
    Found(Box<Task>),
}

impl Asked {
    /// Finds what words mean. Without words, somebody at a terminal picks.
    pub fn find(global: &Global, words: &[String], output: &Output) -> Result<Self, Error> {
        let (workspace, root) = workspace(global, words, output)?;
        let mut asked = Self { workspace, root, targets: Vec::new() };
        let declared: Option<Vec<usize>> = words.iter().map(|word| asked.declared(word)).collect();
        if let Some(declared) = declared.filter(|declared| !declared.is_empty()) {
            // The tree need not be looked through.
            asked.targets = each_once(declared).map(Target::Declared).collect();
            return Ok(asked);
        }
        let memories = locate::places().ok().map(|places| places.trees());
        let Listed { listing, problems } = tree::list(&asked.root, memories.as_deref(), None);
        let mut found = listing.tasks;
        // The manifest's own are declared, and known better than by its text.
        found.retain(|task| task.runner != OWN || !task.project.as_os_str().is_empty());
        let mut candidates = asked.candidates(&found);
        let words = asked.spelled(words, &mut candidates, &mut found);
        let places = match words.as_slice() {
            [] => vec![asked.pick(&candidates, &found, global, output)?],
            words => {
                let place = |(at, word): (usize, &String)| {
                    let place = asked.place(word, &candidates, &found).map_err(|error| match at {
                        0 => error,
                        _ => error.hint(format!("arguments go after `--`: `nagaya run {} -- {word}`", words[0])),
                    });
                    place.map_err(|error| unread(&asked.root, &listing.sources, &problems).fold(error, Error::hint))
                };
                words.iter().enumerate().map(place).collect::<Result<_, _>>()?
            }
        };
        let declared = asked.workspace.as_ref().map_or(0, |workspace| workspace.tasks.len());
        let target = |place: usize| match place.checked_sub(declared) {
            None => Target::Declared(place),
            Some(place) => Target::Found(Box::new(found[place].clone())),
        };
        asked.targets = each_once(places).map(target).collect();
        Ok(asked)
    }

    /// All that the manifest declares: those that no other needs, as the others come before them.
    pub fn all(global: &Global, output: &Output) -> Result<Self, Error> {
        let (workspace, root) = workspace(global, &[], output)?;
        let tasks = workspace.iter().flat_map(|workspace| workspace.tasks.values());
        let needed: BTreeSet<usize> = tasks.clone().flat_map(|task| task.tasks.iter().copied()).collect();
        let last = (0..tasks.count()).filter(|place| !needed.contains(place));
        let targets: Vec<Target> = last.map(Target::Declared).collect();
        match targets.is_empty() {
            true => Err(Error::usage("the manifest declares no task")
                .hint("`nagaya run TASK --graph` draws a task of any runner, and `nagaya tasks` lists them")),
            false => Ok(Self { workspace, root, targets }),
        }
    }

    fn declared(&self, word: &str) -> Option<usize> {
        self.workspace.as_ref()?.tasks.get_index_of(word)
    }

    fn candidates(&self, found: &[Task]) -> Vec<Candidate> {
        let here = environment::folder().and_then(|here| fs::real(&here)).unwrap_or_default();
        let here = here.strip_prefix(&self.root).unwrap_or(Path::new(""));
        let declared = self.workspace.iter().flat_map(|workspace| workspace.tasks.keys());
        let declared = declared.map(TaskName::as_str).map(Candidate::declared);
        declared.chain(found.iter().map(|task| Candidate::found(task, here))).collect()
    }

    /// Words as those that are found have them. For names that no list has, there are more found then.
    fn spelled(&self, words: &[String], candidates: &mut Vec<Candidate>, found: &mut Vec<Task>) -> Vec<String> {
        let is_unknown = |word: &str| matches!(find(word, candidates), Err(Miss::Unknown(_)));
        let spell = |word: &String| match is_unknown(word) {
            true => by_package(&self.root, word, found, &Disk).unwrap_or_else(|| word.clone()),
            false => word.clone(),
        };
        let words: Vec<String> = words.iter().map(spell).collect();
        let mut new: Vec<Task> =
            words.iter().filter(|word| is_unknown(word)).flat_map(|word| called(word, found)).collect();
        // Two words may be one task's.
        new.sort_by(|one, other| one.id.cmp(&other.id));
        new.dedup_by(|one, other| one.id == other.id);
        if !new.is_empty() {
            found.extend(new);
            *candidates = self.candidates(found);
        }
        words
    }

    fn place(&self, word: &str, candidates: &[Candidate], found: &[Task]) -> Result<usize, Error> {
        let declared = candidates.len() - found.len();
        let place = find(word, candidates).and_then(|place| match place.checked_sub(declared) {
            // Another tool's service of this name would run beside ours.
            Some(at) if found[at].draft.kind == Kind::Service && self.is_service(word) => Err(Miss::Unknown(None)),
            _ => Ok(place),
        });
        if let Ok(place) = &place
            && let Some(task) = place.checked_sub(declared).map(|at| &found[at]).filter(|task| is_pattern(task))
        {
            let example = task.draft.name.replace('*', "NAME");
            return Err(Error::usage(format!("`{}` stands for many names", task.draft.name))
                .hint(format!("`nagaya run {example}` runs it with a word of yours for `NAME`")));
        }
        place.map_err(|miss| match miss {
            Miss::Several(several) => {
                let error = Error::usage(format!("`{word}` may mean {} tasks", several.len()));
                several.iter().fold(error, |error, full| error.hint(format!("nagaya run {full}")))
            }
            Miss::Unknown(_) if self.is_service(word) => Error::usage(format!("`{word}` is a service, and no task"))
                .hint(format!("`nagaya up {word}` starts it"))
                .hint(format!("`nagaya exec {word} -- COMMAND` runs a command where it runs")),
            Miss::Unknown(hint) => {
                let error = Error::usage(format!("there is no task `{word}` in {}", self.root.display()));
                hint.into_iter().fold(error, Error::hint).hint("`nagaya tasks` lists them")
            }
        })
    }

    fn is_service(&self, word: &str) -> bool {
        self.workspace.as_ref().is_some_and(|workspace| workspace.services.contains_key(word))
    }

    fn pick(&self, candidates: &[Candidate], found: &[Task], global: &Global, output: &Output) -> Result<usize, Error> {
        if candidates.is_empty() {
            return Err(Error::usage(format!("there are no tasks in {}", self.root.display())));
        }
        if !output.is_terminal() || output.json || global.no_input {
            return Err(Error::usage("no task is named").hint("`nagaya tasks` lists them, `nagaya run TASK` runs one"));
        }
        let declared = self.workspace.iter().flat_map(|workspace| workspace.tasks.values());
        let declared = declared.map(|task| (true, task.description.clone().unwrap_or_else(|| task.command.written())));
        let about = |task: &Task| {
            let text = task.draft.description.as_ref().map(|it| it.text.clone());
            (task.is_everyday(), text.unwrap_or_else(|| task.draft.gist().to_owned()))
        };
        let all = candidates.iter().zip(declared.chain(found.iter().map(about))).enumerate();
        let choices = all
            .filter(|(_, (_, (everyday, _)))| *everyday)
            .map(|(place, (candidate, (_, about)))| pick::Choice { place, name: candidate.full.clone(), about });
        pick::pick(&choices.collect::<Vec<_>>(), output)?.ok_or_else(|| Error::silent(Code::Interrupted))
    }
}

/// What is named twice is asked for once, as make has it.
fn each_once(places: Vec<usize>) -> impl Iterator<Item = usize> {
    let mut known = BTreeSet::new();
    places.into_iter().filter(move |place| known.insert(*place))
}

/// Where a task may be that was not found: what could not be read, and what has names that only its runner knows.
fn unread(root: &Path, sources: &[Source], problems: &[(PathBuf, String)]) -> impl Iterator<Item = String> {
    let shown = move |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let files = sources.iter().filter_map(move |it| match &it.completeness {
        Completeness::Unreadable(why) => Some(format!("{} cannot be read: {}", shown(&it.file), why.reason)),
        Completeness::Complete | Completeness::Partial(_) => None,
    });
    let folders = problems.iter().map(move |(path, why)| format!("{} cannot be read: {why}", shown(path)));
    let gaps = sources.iter().filter_map(move |it| match &it.completeness {
        Completeness::Partial(gaps) => {
            let reasons: Vec<&str> = gaps.iter().map(|gap| gap.reason.as_str()).collect();
            Some(format!("{} has more than can be read: {}", shown(&it.file), reasons.join(", ")))
        }
        Completeness::Complete | Completeness::Unreadable(_) => None,
    });
    files.chain(folders).chain(gaps).take(MOST_UNREAD)
}

/// More are for `nagaya tasks`.
const MOST_UNREAD: usize = 3;

/// A task of a task runner, as the manifest could have it.
#[derive(Debug)]
pub struct FoundTask {
    pub name: String,
    /// Absolute.
    pub folder: PathBuf,
    /// The file that it is written in, absolute.
    pub file: PathBuf,
    pub words: Vec<String>,
    pub description: Option<String>,
    /// Where it is from, for people.
    pub because: String,
}

/// Finds a task that the manifest does not declare.
pub fn find_task(global: &Global, word: &str, output: &Output) -> Result<FoundTask, Error> {
    let asked = Asked::find(global, &[word.to_owned()], output)?;
    let Some(Target::Found(task)) = asked.targets.first() else {
        return Err(Error::usage(format!("the manifest has a task `{word}` already"))
            .hint("a task of a runner has a longer name too, the `id` of `nagaya tasks --json`"));
    };
    let Invoke::Argv { words, folder, .. } = &task.invoke else {
        return Err(Error::usage(format!("nothing on this machine runs `{}`", task.id)));
    };
    let file = task.file.strip_prefix(&asked.root).unwrap_or(&task.file).display();
    Ok(FoundTask {
        name: task.draft.name.clone(),
        folder: folder.clone(),
        file: asked.root.join(&task.file),
        words: words.clone(),
        description: task.draft.description.as_ref().map(|it| it.text.clone()),
        because: format!("{} of {file}:{}", task.runner, task.draft.line),
    })
}

/// The manifest's workspace and its folder, for who runs these `tasks`; where there is none, this folder.
pub fn workspace(global: &Global, tasks: &[String], output: &Output) -> Result<(Option<Workspace>, PathBuf), Error> {
    match locate::manifest(global) {
        Ok(request) => {
            let workspace = locate::load_to_run(&request, tasks, output)?;
            let root = fs::real(&workspace.root).unwrap_or_else(|_| workspace.root.clone());
            Ok((Some(workspace), root))
        }
        Err(error) if !global.file.is_empty() => Err(error),
        Err(_) => {
            let folder = environment::folder().and_then(|folder| fs::real(&folder));
            let folder = folder.map_err(|error| Error::usage(format!("there is no current folder: {error}")))?;
            Ok((None, folder))
        }
    }
}
