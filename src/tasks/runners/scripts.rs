//! Scripts that lie where people look for them, and runners whose file is a script: argc, `task.sh`.

use crate::tasks::formats::shell;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Argument, Draft, Origin};

/// Files with an executable bit or a `#!` line, <https://github.com/github/scripts-to-rule-them-all>.
pub const RUNNER: Runner = Runner::new("script", read).every(&[
    "script/*",
    "scripts/*",
    "bin/*",
    "tools/*",
    "hack/*",
    "ci/*",
    "dev",
    "run",
    "do",
    "go",
    "x.py",
    "configure",
]);
/// <https://github.com/sigoden/argc>
pub const ARGC: Runner =
    Runner::new("argc", argc).first(&["Argcfile.sh", "argcfile.sh", "Argcfile"]).runs(Via::Path, &["argc", "{}"]);
/// Functions of a script that calls the one that is named, as <https://github.com/adriancooney/Taskfile> does.
pub const TASK_SH: Runner = Runner::new("task.sh", task_sh)
    .first(&["task.sh", "Taskfile", "tasks.sh"])
    .runs(Via::Path, &["bash", "task.sh", "{}"]);

/// What scripts of these names do everywhere.
const KNOWN: [(&str, &str); 8] = [
    ("bootstrap", "Install what the project depends on"),
    ("setup", "Set the project up for the first time"),
    ("update", "Bring the project up to date after a pull"),
    ("server", "Start the application"),
    ("test", "Run the tests"),
    ("cibuild", "Run what the CI server runs"),
    ("console", "Open a console of the application"),
    ("lint", "Check the style"),
];

fn read(look: &Look<'_>) -> Read {
    let in_folder = look.path.parent() != Some(look.folder);
    // A shared library or a note beside scripts is no task.
    let is_script = shell::has_shebang(look.text);
    let executable = look.around.is_executable(look.path);
    let is_meant = is_script || executable && in_folder;
    if !is_meant || look.text.is_empty() {
        return Ok(None);
    }
    let name = look.path.strip_prefix(look.folder).unwrap_or(look.path).display().to_string();
    let known = KNOWN.iter().find(|(known, _)| *known == look.stem()).map(|(_, text)| *text);
    let draft = Draft::new(&name, 1)
        .describe(shell::first_comment(look.text), Origin::Comment)
        .describe(known, Origin::Known)
        .private(look.name().starts_with(['_', '.']));
    let program = format!("./{name}");
    // Without the bit, it runs by what its first line says.
    let draft = match (executable, interpreter(look.text)) {
        (true, _) => draft.words([program]),
        (false, Some(words)) => draft.words(words.into_iter().chain([program])),
        (false, None) => draft.words([program]),
    };
    Ok(Some(Reading::of(vec![draft])))
}

/// `#!/usr/bin/env -S python3 -u` is `python3 -u`.
fn interpreter(text: &str) -> Option<Vec<String>> {
    let words: Vec<&str> = text.lines().next()?.strip_prefix("#!")?.split_whitespace().collect();
    let own = match words[..] {
        [env, "-S", ref rest @ ..] if env.ends_with("/env") => rest,
        [env, ref rest @ ..] if env.ends_with("/env") => rest,
        ref all => all,
    };
    (!own.is_empty()).then(|| own.iter().map(|it| (*it).to_owned()).collect())
}

/// `# @cmd text`, `# @alias a,b`, `# @arg name! text`, then the function.
fn argc(look: &Look<'_>) -> Read {
    let mut reading = Reading::default();
    let mut next: Option<Draft> = None;
    for (at, line) in look.text.lines().enumerate() {
        if let Some(tag) = line.trim().strip_prefix("# @") {
            let (word, rest) = tag.split_once(' ').unwrap_or((tag, ""));
            match (word, &mut next) {
                ("cmd", next) => *next = Some(Draft::new("", 0).describe(Some(rest), Origin::Comment)),
                ("alias", Some(draft)) => draft.aliases.extend(rest.split(',').map(|it| it.trim().to_owned())),
                ("arg" | "option" | "flag", Some(draft)) => draft.arguments.extend(argc_argument(word, rest)),
                _ => {}
            }
        } else if let Some(name) = function(line)
            && let Some(mut draft) = next.take()
        {
            // `a::b` is the command b of a.
            draft.name = name.replace("::", " ");
            draft.line = at + 1;
            draft.words = Some(std::iter::once("argc").chain(draft.name.split(' ')).map(str::to_owned).collect());
            reading.tasks.push(draft);
        }
    }
    Ok(Some(reading))
}

/// `name!`, `name*`, `name+`, `name=default`, `-f --force`.
fn argc_argument(kind: &str, text: &str) -> Option<Argument> {
    let word = text
        .split_whitespace()
        .find(|it| kind == "arg" || it.starts_with("--"))
        .or_else(|| text.split_whitespace().next())?;
    let about = text.split_once(word).map(|(_, rest)| rest.trim()).filter(|it| !it.is_empty());
    let (word, default) = word.split_once('=').map_or((word, None), |(word, value)| (word, Some(value)));
    let required = word.ends_with(['!', '+']);
    let variadic = word.ends_with(['*', '+']);
    let name = word.trim_end_matches(['!', '*', '+']).split('[').next()?;
    Some(Argument { required, variadic, ..Argument::optional(name).or(default).about(about) })
}

/// `name() {` and `function name {`.
fn function(line: &str) -> Option<&str> {
    let line = line.trim_end().trim_end_matches('{').trim_end();
    let name = match line.strip_prefix("function ") {
        Some(rest) => rest.trim().trim_end_matches("()"),
        None => line.strip_suffix("()")?,
    };
    let name = name.trim_end();
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
    (!name.is_empty() && name.chars().all(fits)).then_some(name)
}

fn task_sh(look: &Look<'_>) -> Read {
    // Only where the script calls what it is given.
    let calls = ["\"$@\"", "\"${@", "$@", "\"$1\"", "$1"];
    let is_runner = look.text.lines().rev().take(12).any(|line| calls.iter().any(|it| line.contains(it)));
    if !shell::has_shebang(look.text) || !is_runner {
        return Ok(None);
    }
    let mut reading = Reading::default();
    let mut comment: Vec<&str> = Vec::new();
    for (at, line) in look.text.lines().enumerate() {
        if let Some(text) = line.strip_prefix('#').filter(|_| at > 0) {
            comment.push(text.trim_start_matches('#').trim());
            continue;
        }
        if let Some(name) = function(line).filter(|_| !line.starts_with([' ', '\t'])) {
            let draft = Draft::new(name, at + 1)
                .describe(Some(comment.join(" ")), Origin::Comment)
                .private(name.starts_with('_'));
            reading.tasks.push(draft.words(["bash", look.name(), name]));
        }
        comment.clear();
    }
    Ok(reading.unless_empty())
}
