//! What runners list themselves, when they are asked: that executes the project's code, so nobody is asked unawares.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Completeness, Definition, Draft, Invoke, Listing, Task};

/// How a runner is asked, and how its answer is read.
#[derive(Debug)]
pub struct Asking {
    pub runner: &'static str,
    /// Its program and arguments.
    pub words: &'static [&'static str],
    /// The names in what it prints; nothing where that is not as it should be.
    pub names: fn(&str) -> Option<Vec<String>>,
}

/// A question to one runner about one project.
#[derive(Debug)]
pub struct Question {
    pub asking: &'static Asking,
    /// The project's folder, from the root of the listing.
    pub project: PathBuf,
    /// Never to be given to a shell.
    pub words: Vec<String>,
}

/// Who can be asked.
pub const ASKINGS: &[Asking] = &[
    Asking { runner: "make", words: &["make", "-pRrq", ":"], names: make },
    Asking { runner: "npm", words: &["npm", "run", "--json"], names: npm },
    Asking { runner: "just", words: &["just", "--dump", "--dump-format", "json"], names: |out| just("", &json(out)?) },
    // Its JSON has labels in place of names.
    Asking { runner: "task", words: &["task", "--list-all", "--silent"], names: |out| Some(lines(out)) },
    Asking { runner: "rake", words: &["rake", "-AT"], names: rake },
    Asking { runner: "tox", words: &["tox", "-a", "-q"], names: |out| Some(lines(out)) },
    Asking { runner: "poe", words: &["poe", "_list_tasks"], names: poe },
    Asking { runner: "pdm", words: &["pdm", "run", "--json"], names: pdm },
    Asking { runner: "hatch", words: &["hatch", "env", "show", "--json"], names: |out| hatch(&json(out)?) },
    Asking { runner: "taskipy", words: &["task", "-l"], names: |out| Some(first_words(out)) },
    Asking { runner: "nox", words: &["nox", "--list-sessions", "--json"], names: nox },
    Asking { runner: "invoke", words: &["invoke", "--list"], names: invoke },
    Asking { runner: "doit", words: &["doit", "list", "--all"], names: |out| Some(first_words(out)) },
    Asking { runner: "duty", words: &["duty", "--list"], names: |out| Some(first_words(out)) },
    Asking { runner: "cmake", words: &["cmake", "--list-presets=all"], names: cmake },
    Asking { runner: "ninja", words: &["ninja", "-t", "targets", "all"], names: ninja },
];

impl Asking {
    /// How a runner is asked.
    pub fn of(runner: &str) -> Option<&'static Self> {
        ASKINGS.iter().find(|it| it.runner == runner)
    }
}

/// The questions that a listing leaves open: one a project and runner that can be asked.
pub fn questions(listing: &Listing) -> Vec<Question> {
    let mut questions: Vec<Question> = Vec::new();
    let samples = listing.sources.iter().filter_map(|source| source.sample.as_deref());
    for task in listing.tasks.iter().chain(samples) {
        let Some(asking) = Asking::of(task.runner) else { continue };
        let known = |it: &Question| it.asking.runner == task.runner && it.project == task.project;
        let Invoke::Argv { words, .. } = &task.invoke else { continue };
        if questions.iter().any(known) {
            continue;
        }
        // Whatever comes before the runner's own program belongs to it: `bundle exec`, `uv run`.
        let is_program = |word: &String| Path::new(word).file_name().is_some_and(|name| name == asking.words[0]);
        let Some(at) = words.iter().position(is_program) else { continue };
        let words = words[..=at].iter().cloned().chain(asking.words[1..].iter().map(|&word| word.to_owned()));
        questions.push(Question { asking, project: task.project.clone(), words: words.collect() });
    }
    questions
}

/// Lays what a runner said over what was found: what it knows too is verified, what only it knows is added.
pub fn merge(root: &Path, listing: &mut Listing, question: &Question, names: &[String]) {
    let is_own = |task: &Task| task.runner == question.asking.runner && task.project == question.project;
    let samples = listing.sources.iter().filter_map(|source| source.sample.as_deref());
    let Some(sample) = listing.tasks.iter().chain(samples).find(|task| is_own(task)).cloned() else { return };
    let mut new: Vec<&String> = names.iter().collect();
    for task in listing.tasks.iter_mut().filter(|task| is_own(task)) {
        task.verified = names.contains(&task.draft.name);
        // Some list aliases beside names.
        new.retain(|name| **name != task.draft.name && !task.draft.aliases.contains(name));
    }
    let is_before = |task: &Task| task.project <= question.project;
    let place = listing.tasks.iter().rposition(is_own).or_else(|| listing.tasks.iter().rposition(is_before));
    let place = place.map_or(0, |place| place + 1);
    let added: Vec<Task> = new.into_iter().map(|name| listed(&sample, name)).collect();
    let count = added.len();
    listing.tasks.splice(place..place, added);
    // What could not be known is known now.
    let own = question.project.as_os_str().is_empty();
    let project = if own { root.to_owned() } else { root.join(&question.project) };
    let is_source =
        |runner: &str, file: &Path| runner == question.asking.runner && file.parent() == Some(project.as_path());
    for source in listing.sources.iter_mut().filter(|source| is_source(source.runner, &source.file)) {
        if matches!(source.completeness, Completeness::Partial(_)) {
            source.completeness = Completeness::Complete;
        }
        if source.sample.take().is_some_and(|it| it.file == sample.file) {
            source.tasks += count;
        }
    }
}

/// A task that only its runner knows, which is run as its neighbours are.
fn listed(sample: &Task, name: &str) -> Task {
    let before = sample.id.strip_suffix(&sample.draft.name).unwrap_or("");
    let invoke = match &sample.invoke {
        Invoke::Argv { words, folder, dashes } => {
            // The word with the name is the last one that ends with it: hatch has `default:name`.
            let at = words.iter().rposition(|word| word.ends_with(&sample.draft.name));
            let prefix = at.and_then(|at| words[at].strip_suffix(&sample.draft.name));
            let mut words = words.clone();
            match (at, prefix.map(|prefix| format!("{prefix}{name}"))) {
                (Some(at), Some(word)) => {
                    words[at] = word;
                    Invoke::Argv { words, folder: folder.clone(), dashes: *dashes }
                }
                _ => Invoke::Elsewhere,
            }
        }
        Invoke::Elsewhere => Invoke::Elsewhere,
    };
    Task {
        id: format!("{before}{name}"),
        draft: Draft::new(name, 1).definition(Definition::Listed),
        invoke,
        verified: true,
        ..sample.clone()
    }
}

fn json(out: &str) -> Option<Value> {
    serde_json::from_str(out).ok()
}

fn keys(value: &Value) -> Option<Vec<String>> {
    Some(value.as_object()?.keys().cloned().collect())
}

fn texts(list: &Value, key: &str) -> Option<Vec<String>> {
    list.as_array()?.iter().map(|it| it[key].as_str().map(str::to_owned)).collect()
}

fn lines(out: &str) -> Vec<String> {
    out.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn first_words(out: &str) -> Vec<String> {
    lines(out).iter().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Targets are below "# Files"; what was only needed, and never a target, says so.
fn make(out: &str) -> Option<Vec<String>> {
    let (_, files) = out.split_once("\n# Files\n")?;
    let files = files.split("\n# files hash-table stats").next()?;
    let mut names = Vec::new();
    for block in files.split("\n\n").filter(|block| !block.contains("# Not a target:")) {
        let head = block.lines().filter(|line| !line.starts_with(['#', '\t', '.']) && !line.is_empty());
        // `push: REGISTRY = x` comes before the rule.
        let rule =
            head.filter(|line| !line.contains(" = ")).find_map(|line| line.rsplit_once(':').map(|it| (it, line)));
        let Some(((name, _), line)) = rule else { continue };
        let name = line.split_once(": ").map_or(name, |(name, _)| name);
        names.push(name.trim_end_matches(':').to_owned());
    }
    Some(names)
}

fn npm(out: &str) -> Option<Vec<String>> {
    Some(keys(&json(out)?)?.into_iter().filter(|name| !name.starts_with("//")).collect())
}

fn just(space: &str, module: &Value) -> Option<Vec<String>> {
    let mut names: Vec<String> = keys(&module["recipes"])?.into_iter().map(|name| format!("{space}{name}")).collect();
    for (name, module) in module["modules"].as_object().into_iter().flatten() {
        names.extend(just(&format!("{space}{name}::"), module)?);
    }
    Some(names)
}

fn rake(out: &str) -> Option<Vec<String>> {
    let first = |line: &str| Some(line.strip_prefix("rake ")?.split([' ', '[']).next()?.to_owned());
    Some(out.lines().filter_map(first).collect())
}

fn poe(out: &str) -> Option<Vec<String>> {
    Some(out.split_whitespace().map(str::to_owned).collect())
}

fn pdm(out: &str) -> Option<Vec<String>> {
    Some(keys(&json(out)?)?.into_iter().filter(|name| name != "_").collect())
}

/// Environments that hatch always has begin with its name.
fn hatch(environments: &Value) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for (name, it) in environments.as_object()?.iter().filter(|(name, _)| !name.starts_with("hatch-")) {
        let scripts = keys(&it["scripts"]).unwrap_or_default().into_iter();
        names.extend(scripts.map(|script| if name == "default" { script } else { format!("{name}:{script}") }));
    }
    Some(names)
}

/// `tests-3.11(django='4')` is chosen by `tests-3.11` as well.
fn nox(out: &str) -> Option<Vec<String>> {
    let sessions = texts(&json(out)?, "session")?;
    Some(sessions.iter().filter_map(|it| it.split('(').next()).map(str::to_owned).collect())
}

/// Its JSON has the names of functions where the collection gives others.
fn invoke(out: &str) -> Option<Vec<String>> {
    Some(out.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).map(str::to_owned).collect())
}

fn ninja(out: &str) -> Option<Vec<String>> {
    Some(lines(out).iter().filter_map(|line| line.split(':').next()).map(str::to_owned).collect())
}

/// `Available configure presets:`, then `  "name" - text`.
fn cmake(out: &str) -> Option<Vec<String>> {
    let mut kind = String::new();
    let mut names = Vec::new();
    for line in out.lines() {
        match line.trim().strip_prefix("Available ") {
            Some(rest) => kind = rest.split(' ').next()?.to_owned(),
            None => names.extend(line.split('"').nth(1).map(|name| format!("{kind}:{name}"))),
        }
    }
    Some(names)
}
