//! Task, also called go-task: <https://taskfile.dev/docs/reference/schema>. Includes of files are followed, those from
//! elsewhere are gaps.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::tasks::formats::Node;
use crate::tasks::look::{Look, tidy};
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Argument, Definition, Draft, Origin};

const NAMES: &[&str] = &[
    "Taskfile.yml",
    "taskfile.yml",
    "Taskfile.yaml",
    "taskfile.yaml",
    "Taskfile.dist.yml",
    "taskfile.dist.yml",
    "Taskfile.dist.yaml",
    "taskfile.dist.yaml",
];

pub const RUNNER: Runner = Runner::new("task", read).first(NAMES).runs(Via::Path, &["task", "{}"]);

fn read(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    if root.get("tasks").is_none() && root.get("includes").is_none() {
        return Ok(None);
    }
    let mut files = Files { look, open: HashSet::from([look.path.to_owned()]) };
    Ok(Some(files.taskfile(look.path, &root)))
}

struct Files<'a> {
    look: &'a Look<'a>,
    /// The files that include each other down to this one: a circle ends.
    open: HashSet<PathBuf>,
}

impl Files<'_> {
    fn taskfile(&mut self, path: &Path, root: &Node) -> Reading {
        let mut reading = Reading::default();
        for (key, task) in root.below(&["tasks"]) {
            reading.tasks.push(draft(&key.text, key.at.line, task));
        }
        for (key, include) in root.below(&["includes"]) {
            self.include(path, &key.text, include, &mut reading);
        }
        reading
    }

    fn include(&mut self, path: &Path, name: &str, include: &Node, reading: &mut Reading) {
        let Some(target) = include.text().or_else(|| include.text_of("taskfile")) else { return };
        if target.contains("://") || target.starts_with("git@") {
            reading.gap("included files from elsewhere");
            return;
        }
        if target.contains("{{") {
            reading.gap("included files named by templates");
            return;
        }
        let Some(file) = self.file(path, target) else {
            if !include.flag("optional") {
                reading.uncounted(format!("`{target}` is included and is not there"));
            }
            return;
        };
        if !self.open.insert(file.clone()) {
            reading.uncounted("files that include each other in a circle, which Task refuses");
            return;
        }
        let inner = match self.look.around.yaml(&file) {
            Ok(root) => self.taskfile(&file, &root),
            Err(error) => {
                reading.uncounted(format!("`{target}` cannot be read: {}", error.reason));
                Reading::default()
            }
        };
        self.open.remove(&file);
        reading.absorb(namespaced(name, include, &file, inner));
    }

    /// A file, or the one of the usual names in a folder.
    fn file(&self, path: &Path, target: &str) -> Option<PathBuf> {
        let target = tidy(&path.parent().unwrap_or(path).join(target));
        let is_file = |path: &PathBuf| self.look.around.is_file(path);
        Some(target.clone()).filter(is_file).or_else(|| NAMES.iter().map(|name| target.join(name)).find(is_file))
    }
}

/// Puts the tasks of an included file into its namespace.
fn namespaced(space: &str, include: &Node, file: &Path, mut inner: Reading) -> Reading {
    let excludes = include.texts_of("excludes");
    let flat = include.flag("flatten");
    let named = |name: &str| match name.strip_prefix(':') {
        Some(root) => root.to_owned(),
        None if flat => name.to_owned(),
        None => format!("{space}:{name}"),
    };
    inner.tasks.retain(|draft| !excludes.contains(&draft.name));
    let spaces = include.texts_of("aliases");
    for draft in &mut inner.tasks {
        let own = std::mem::take(&mut draft.name);
        let aliases = std::mem::take(&mut draft.aliases);
        draft.aliases = aliases.iter().map(|alias| named(alias)).collect();
        for space in &spaces {
            draft.aliases.extend(std::iter::once(&own).chain(&aliases).map(|name| format!("{space}:{name}")));
        }
        // A namespace's default is called by the namespace alone.
        if own == "default" && !flat {
            draft.aliases.push(space.to_owned());
            draft.aliases.extend(spaces.iter().cloned());
        }
        draft.name = named(&own);
        draft.depends_on = draft.depends_on.iter().map(|name| named(name)).collect();
        draft.private |= include.flag("internal");
        draft.definition = Definition::Included;
        draft.file.get_or_insert_with(|| file.to_owned());
    }
    inner
}

/// A task is a map, a list of commands, or one command.
fn draft(name: &str, line: usize, task: &Node) -> Draft {
    let commands = if task.is_map() { task.get("cmds").or_else(|| task.get("cmd")) } else { Some(task) };
    let commands =
        commands.map_or(Vec::new(), |it| if it.items().is_empty() { vec![it] } else { it.items().iter().collect() });
    let lines: Vec<&str> = commands.iter().filter_map(|it| it.scalar().or_else(|| it.text_of("cmd"))).collect();
    let called = commands.iter().filter_map(|it| it.text_of("task"));
    let needs =
        task.get("deps").map_or(&[][..], Node::items).iter().filter_map(|it| it.text().or_else(|| it.text_of("task")));
    let depends_on: Vec<String> = needs.chain(called).map(str::to_owned).collect();
    let required = task.path(&["requires", "vars"]).map_or(&[][..], Node::items);
    let arguments = required.iter().filter_map(|it| it.text().or_else(|| it.text_of("name"))).map(Argument::required);
    let mut draft = Draft::new(name, line)
        .describe(task.text_of("desc"), Origin::Field)
        .describe(task.text_of("summary"), Origin::Field)
        .private(task.flag("internal"))
        .arguments(arguments.collect())
        .after(depends_on)
        .runs(lines.join("\n"));
    draft.aliases = task.texts_of("aliases");
    draft.platforms = task.texts_of("platforms");
    draft
}
