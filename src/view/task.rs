//! Tasks as users see them: the shapes of `tasks --json`, and lines for a terminal.

use std::path::Path;

use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::tasks::{self, Argument, Completeness, Invoke, Listing};

/// One task, as JSON.
#[derive(Debug, Serialize)]
pub struct Task<'a> {
    pub id: &'a str,
    pub name: &'a str,
    /// The project's folder, from the folder that was listed; `.` for that itself.
    pub project: String,
    pub runner: &'a str,
    /// From the folder that was listed.
    pub file: String,
    pub line: usize,
    pub description: Option<&'a str>,
    pub description_origin: Option<&'static str>,
    /// What it runs, as written.
    pub command: Option<&'a str>,
    pub arguments: Vec<Given<'a>>,
    /// The words that run it, never to be given to a shell. Null where nothing on this machine runs it.
    pub invoke: Option<&'a [String]>,
    /// The folder to run it in, absolute.
    pub working_dir: Option<&'a Path>,
    /// The user's own arguments come after `--`.
    pub arguments_after_dashes: bool,
    pub depends_on: &'a [String],
    pub aliases: &'a [String],
    pub group: Option<&'a str>,
    /// `task`, `hook`, `file`, `job` or `service`.
    pub kind: &'static str,
    pub private: bool,
    /// `literal`, `included`, `inferred`, `builtin` or `listed`.
    pub definition: &'static str,
    pub platforms: &'a [String],
    /// Its runner was asked (`--exec`), and knows it.
    pub verified: bool,
}

/// One argument of a task.
#[derive(Debug, Serialize)]
pub struct Given<'a> {
    pub name: &'a str,
    pub required: bool,
    pub default: Option<&'a str>,
    pub variadic: bool,
    pub description: Option<&'a str>,
}

/// One file that tasks were looked for in.
#[derive(Debug, Serialize)]
pub struct Source<'a> {
    pub file: String,
    pub runner: &'a str,
    /// `complete`, `partial` or `unreadable`.
    pub status: &'static str,
    pub reason: Option<String>,
    pub line: Option<usize>,
    pub column: Option<usize>,
    pub tasks: usize,
}

/// A path as it is shown: from the root where it is below it.
pub fn path_from(root: &Path, path: &Path) -> String {
    let shown = path.strip_prefix(root).unwrap_or(path);
    if shown.as_os_str().is_empty() { ".".to_owned() } else { shown.display().to_string() }
}

impl<'a> Task<'a> {
    pub fn new(root: &Path, task: &'a tasks::Task) -> Self {
        let draft = &task.draft;
        let (invoke, working_dir, arguments_after_dashes) = match &task.invoke {
            Invoke::Argv { words, folder, dashes } => (Some(words.as_slice()), Some(folder.as_path()), *dashes),
            Invoke::Elsewhere => (None, None, false),
        };
        Self {
            id: &task.id,
            name: &draft.name,
            project: path_from(Path::new(""), &task.project),
            runner: task.runner,
            file: path_from(root, &task.file),
            line: draft.line,
            description: draft.description.as_ref().map(|it| &*it.text),
            description_origin: draft.description.as_ref().map(|it| it.origin.word()),
            command: Some(&*draft.command).filter(|it| !it.is_empty()),
            arguments: draft.arguments.iter().map(Given::new).collect(),
            invoke,
            working_dir,
            arguments_after_dashes,
            depends_on: &draft.depends_on,
            aliases: &draft.aliases,
            group: draft.group.as_deref(),
            kind: draft.kind.word(),
            private: draft.private,
            definition: draft.definition.word(),
            platforms: &draft.platforms,
            verified: task.verified,
        }
    }
}

impl<'a> Given<'a> {
    fn new(argument: &'a Argument) -> Self {
        Self {
            name: &argument.name,
            required: argument.required,
            default: argument.default.as_deref(),
            variadic: argument.variadic,
            description: argument.description.as_deref(),
        }
    }
}

impl<'a> Source<'a> {
    pub fn new(root: &Path, source: &'a tasks::Source) -> Self {
        let at = match &source.completeness {
            Completeness::Unreadable(unreadable) => unreadable.at,
            Completeness::Complete | Completeness::Partial(_) => None,
        };
        Self {
            file: path_from(root, &source.file),
            runner: source.runner,
            status: source.completeness.word(),
            reason: source.completeness.reason(),
            line: at.map(|at| at.line),
            column: at.map(|at| at.column),
            tasks: source.tasks,
        }
    }

    /// Its place, as compilers write it: `a/package.json:3:7`.
    pub fn place(&self) -> String {
        match (self.line, self.column) {
            (Some(line), Some(column)) => format!("{}:{line}:{column}", self.file),
            _ => self.file.clone(),
        }
    }
}

/// A line of a listing on a terminal.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A project and runner, with what belongs to it stepping back.
    Head(String, String),
    /// A task's name with its arguments, and its description.
    Task(String, String),
    Blank,
}

/// Names longer than this push their own descriptions aside, not everybody's.
const WIDEST_NAME: usize = 32;

/// The tasks as lines, grouped by project and runner, in `width` columns where that is known.
pub fn task_lines(root: &Path, listing: &Listing, tasks: &[&tasks::Task], width: Option<usize>) -> Vec<Line> {
    let mut lines = Vec::new();
    let same = |a: &&tasks::Task, b: &&tasks::Task| (&a.project, a.runner) == (&b.project, b.runner);
    for group in tasks.chunk_by(same) {
        if !lines.is_empty() {
            lines.push(Line::Blank);
        }
        lines.push(head(root, listing, group, width));
        let usage: Vec<String> = group.iter().map(|task| usage(task)).collect();
        let column = usage.iter().map(|it| it.width()).filter(|it| *it <= WIDEST_NAME).max().unwrap_or(WIDEST_NAME);
        for (task, usage) in group.iter().zip(usage) {
            let pad = " ".repeat(column.saturating_sub(usage.width()));
            let name = shorten(&format!("  {usage}{pad}"), width);
            let room = width.map(|width| width.saturating_sub(name.width() + 2));
            lines.push(Line::Task(name, shorten(&about(task), room)));
        }
    }
    lines
}

fn head(root: &Path, listing: &Listing, group: &[&tasks::Task], width: Option<usize>) -> Line {
    let task = group[0];
    let manager = listing.managers.get(&task.project).filter(|_| task.runner == "npm");
    let runner = manager.map_or(task.runner, |manager| manager.word());
    // The files themselves before those that they include.
    let (own, included): (Vec<&tasks::Task>, Vec<&tasks::Task>) =
        group.iter().partition(|task| task.draft.definition != tasks::Definition::Included);
    let all = own.into_iter().chain(included).map(|task| path_from(root, &task.file));
    let files: Vec<String> = all.collect::<indexmap::IndexSet<_>>().into_iter().collect();
    let more = if files.len() > 1 { format!(" and {} more", files.len() - 1) } else { String::new() };
    let title = format!("{}  {runner}", plain(&path_from(Path::new(""), &task.project)));
    let room = width.map(|width| width.saturating_sub(title.width() + 2));
    Line::Head(title, shorten(&format!("{}{more}", files[0]), room))
}

/// A name with its arguments, as a manual page writes them.
fn usage(task: &tasks::Task) -> String {
    let mut out = task.draft.name.clone();
    for argument in &task.draft.arguments {
        let dots = if argument.variadic { "…" } else { "" };
        let name = &argument.name;
        out.push_str(&if argument.required { format!(" {name}{dots}") } else { format!(" [{name}{dots}]") });
    }
    out
}

/// What a task says of itself, or what it runs.
fn about(task: &tasks::Task) -> String {
    let draft = &task.draft;
    let text = match &draft.description {
        Some(description) => description.text.clone(),
        None => draft.gist().to_owned(),
    };
    let mut marks: Vec<&str> = Vec::new();
    if draft.private {
        marks.push("private");
    }
    let elsewhere = format!("for {}", draft.platforms.join(", "));
    if !draft.is_for_here() {
        marks.push(&elsewhere);
    }
    if draft.kind != tasks::Kind::Task {
        marks.push(draft.kind.word());
    }
    if draft.definition == tasks::Definition::Builtin {
        marks.push("built in");
    }
    match marks.is_empty() {
        true => text,
        false => format!("({}) {text}", marks.join(", ")).trim_end().to_owned(),
    }
}

/// A text of somebody else's, as a name may be: control characters would move the cursor, or more.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// At most so many columns; a cut is shown.
fn shorten(text: &str, room: Option<usize>) -> String {
    let text = plain(text);
    let Some(room) = room else { return text };
    if text.width() <= room {
        return text;
    }
    let mut left = room.saturating_sub(1);
    let kept = text.chars().take_while(|c| {
        let width = c.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    });
    let mut out: String = kept.collect();
    if room > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_shown_and_fits() {
        assert_eq!(shorten("長屋長屋", Some(5)), "長屋…");
        assert_eq!(shorten("abc", Some(3)), "abc");
        assert_eq!(shorten("a\tb\u{1b}[2J", None), "a b [2J");
        assert_eq!(shorten("abc", Some(0)), "");
    }
}
