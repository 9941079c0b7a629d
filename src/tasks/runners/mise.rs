//! mise, <https://mise.jdx.dev/tasks/>: tables of its configuration, and scripts with headers in task folders.

use std::path::Path;

use crate::tasks::formats::{Node, shell};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Argument, Definition, Draft, Origin};

pub const RUNNER: Runner = Runner::new("mise", read)
    .every(&[
        "mise.toml",
        ".mise.toml",
        "mise/config.toml",
        ".mise/config.toml",
        ".config/mise.toml",
        ".config/mise/config.toml",
        ".config/mise/conf.d/*.toml",
        "mise.local.toml",
        ".mise.local.toml",
        "mise.*.toml",
        ".mise.*.toml",
        "mise-tasks/**/*",
        ".mise-tasks/**/*",
        ".mise/tasks/**/*",
        ".config/mise/tasks/**/*",
        "mise/tasks/**/*",
    ])
    .runs(Via::Path, &["mise", "run", "{}"]);

const FOLDERS: [&str; 5] = ["mise-tasks", ".mise-tasks", ".mise/tasks", ".config/mise/tasks", "mise/tasks"];

fn read(look: &Look<'_>) -> Read {
    if let Some(folder) = FOLDERS.iter().map(|it| look.folder.join(it)).find(|it| look.path.starts_with(it)) {
        return Ok(script(look, &folder));
    }
    let root = look.toml()?;
    let mut reading = Reading::default();
    for (key, task) in root.below(&["tasks"]) {
        reading.tasks.push(draft(&key.text, key.at.line, task));
    }
    for path in root.path(&["task_config", "includes"]).map(Node::texts).unwrap_or_default() {
        include(look, &path, &mut reading);
    }
    Ok(reading.unless_empty())
}

fn draft(name: &str, line: usize, task: &Node) -> Draft {
    let run = task.get("run").or_else(|| task.get("file")).unwrap_or(task);
    let steps = if run.items().is_empty() { std::slice::from_ref(run) } else { run.items() };
    let lines: Vec<&str> = steps.iter().filter_map(Node::text).collect();
    let called = steps.iter().flat_map(|it| it.texts_of("task").into_iter().chain(it.texts_of("tasks")));
    let mut needs = Vec::new();
    for key in ["depends", "depends_post", "wait_for"] {
        let named = task.get(key);
        let all = named.map_or(&[][..], |it| if it.items().is_empty() { std::slice::from_ref(it) } else { it.items() });
        // `["build", "--release"]` and `build --release` are a task with arguments.
        let first = |it: &Node| it.texts().first().and_then(|text| text.split_whitespace().next().map(str::to_owned));
        needs.extend(all.iter().filter_map(first));
    }
    let mut draft = Draft::new(name, line)
        .describe(task.text_of("description"), Origin::Field)
        .private(task.flag("hide"))
        .arguments(task.text_of("usage").map(usage).unwrap_or_default())
        .after(needs.into_iter().chain(called).collect())
        .runs(lines.join("\n"));
    draft.aliases = task.get("alias").or_else(|| task.get("aliases")).map(Node::texts).unwrap_or_default();
    draft
}

/// `arg "<file>" help="…" default="x"`, `flag "-f --force"`.
fn usage(text: &str) -> Vec<Argument> {
    let lines = text.lines().filter_map(|line| {
        let words = shell::commands(line).into_iter().next()?;
        let (kind, name) = (words.first()?, words.get(1)?);
        let field =
            |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned);
        let required = kind == "arg" && name.starts_with('<') && field("default").is_none();
        let variadic = name.ends_with('…') || name.ends_with("...") || field("var").is_some();
        let own = name.trim_matches(['<', '>', '[', ']', '…', '.']);
        let argument = Argument { required, variadic, ..Argument::optional(own) };
        ["arg", "flag"].contains(&&**kind).then(|| argument.or(field("default")).about(field("help")))
    });
    lines.collect()
}

/// An included file has tasks at its top.
fn include(look: &Look<'_>, path: &str, reading: &mut Reading) {
    let file = look.folder.join(path);
    if !path.ends_with(".toml") {
        // A folder of scripts; the usual ones are read as files of their own.
        if !FOLDERS.contains(&path.trim_end_matches('/')) {
            folder(look, &file, reading);
        }
        return;
    }
    match look.around.toml(&file) {
        Ok(root) => {
            for (key, task) in root.entries() {
                let mut draft = draft(&key.text, key.at.line, task).definition(Definition::Included);
                draft.file = Some(file.clone());
                reading.tasks.push(draft);
            }
        }
        Err(error) => reading.uncounted(format!("`{path}` cannot be read: {}", error.reason)),
    }
}

fn folder(look: &Look<'_>, folder: &Path, reading: &mut Reading) {
    for name in look.around.names(folder).iter() {
        let path = folder.join(name);
        let Ok(text) = look.around.text(&path) else { continue };
        let Some(inner) = script(&look.at(&path, &text), folder) else { continue };
        reading.tasks.extend(inner.tasks.into_iter().map(|mut draft| {
            draft.file = Some(path.clone());
            draft.definition(Definition::Included)
        }));
    }
}

/// An executable file: its path is its name, and its head says more.
fn script(look: &Look<'_>, folder: &Path) -> Option<Reading> {
    if !look.around.is_executable(look.path) {
        return None;
    }
    let path = look.path.strip_prefix(folder).ok()?;
    let plain = path.with_extension("");
    let mut parts: Vec<String> = plain.iter().map(|it| it.to_string_lossy().into_owned()).collect();
    // `a/_default` is called `a`.
    if parts.len() > 1 && parts.last().is_some_and(|it| it == "_default") {
        parts.pop();
    }
    let fields = header(look.text, &["#MISE ", "# MISE ", "# [MISE] ", "//MISE ", "// MISE "]);
    let field = |wanted: &str| fields.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.clone());
    let list = |wanted: &str| field(wanted).map(|it| words(&it)).unwrap_or_default();
    let usage_lines: Vec<&str> = look.text.lines().filter_map(|line| line.strip_prefix("#USAGE ")).collect();
    let mut draft = Draft::new(parts.join(":"), 1)
        .describe(field("description").map(|it| it.trim_matches(['"', '\'']).to_owned()), Origin::Field)
        .private(field("hide").is_some_and(|it| it == "true"))
        .arguments(usage(&usage_lines.join("\n")))
        .after(list("depends"))
        .runs(look.around.shown(look.path));
    draft.aliases = list("alias");
    Some(Reading::of(vec![draft]))
}

/// `#MISE key=value` lines.
fn header(text: &str, marks: &[&str]) -> Vec<(String, String)> {
    let own = text.lines().filter_map(|line| marks.iter().find_map(|mark| line.strip_prefix(mark)));
    own.filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// `"a"`, `["a", "b"]`, `a b`.
fn words(text: &str) -> Vec<String> {
    let inner = text.trim_matches(['[', ']']);
    inner
        .split([',', ' '])
        .map(|it| it.trim().trim_matches(['"', '\'']))
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect()
}
