//! Runners that run the scripts of many packages: turbo, lerna, lage, Rush.

use super::packages::{Package, members, top};
use crate::tasks::formats::code::Code;
use crate::tasks::formats::language::JAVASCRIPT;
use crate::tasks::formats::{Key, Node};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Argument, Definition, Draft, Origin};

/// <https://turborepo.com/docs/reference/configuration>
pub const TURBO: Runner =
    Runner::new("turbo", turbo).first(&["turbo.json", "turbo.jsonc"]).runs(Via::NodeProgram, &["turbo", "run", "{}"]);
/// <https://lerna.js.org/docs/api-reference/commands>
pub const LERNA: Runner =
    Runner::new("lerna", lerna).first(&["lerna.json"]).runs(Via::NodeProgram, &["lerna", "run", "{}"]);
/// <https://microsoft.github.io/lage/>
pub const LAGE: Runner =
    Runner::new("lage", lage).first(&["lage.config.js", "lage.config.cjs"]).runs(Via::NodeProgram, &["lage", "{}"]);
/// <https://rushjs.io/pages/maintainer/custom_commands/>
pub const RUSH: Runner = Runner::new("rush", rush)
    .every(&["rush.json", "common/config/rush/command-line.json"])
    .runs(Via::Path, &["rush", "{}"]);

fn turbo(look: &Look<'_>) -> Read {
    let root = look.jsonc()?;
    // A package's own file adds to that of the top, which reads it.
    if root.texts_of("extends").iter().any(|it| it == "//") {
        return Ok(None);
    }
    let Some(tasks) = root.get("tasks").or_else(|| root.get("pipeline")) else { return Ok(None) };
    let packages = members(look.around, look.folder);
    let top = top(look.around, look.folder);
    let mut reading = Reading::default();
    for (key, task) in tasks.entries() {
        match key.text.split_once('#') {
            Some(("//", script)) => reading.tasks.extend(top.iter().map(|it| turbo_task(it, "//", script, key, task))),
            Some((name, script)) => {
                let own = packages.iter().filter(|it| it.name == name);
                reading.tasks.extend(own.map(|it| turbo_task(it, name, script, key, task)));
            }
            None => {
                let having = packages.iter().filter(|it| it.script(&key.text).is_some());
                let plain = |it: &&Package| tasks.get(&format!("{}#{}", it.name, key.text)).is_none();
                reading.tasks.extend(having.filter(plain).map(|it| turbo_task(it, &it.name, &key.text, key, task)));
            }
        }
    }
    for package in &packages {
        package_turbo(look, package, tasks, &mut reading);
    }
    Ok(Some(reading))
}

fn turbo_task(package: &Package, name: &str, script: &str, key: &Key, task: &Node) -> Draft {
    let needs = task.texts_of("dependsOn").into_iter().filter(|need| !need.starts_with('$')).map(|need| {
        match need.strip_prefix('^') {
            Some(_) => need,
            None if need.contains('#') => need,
            None => format!("{name}#{need}"),
        }
    });
    let mut draft = Draft::new(format!("{name}#{script}"), key.at.line)
        .describe(task.text_of("description"), Origin::Field)
        .group(Some(script))
        .after(needs.collect())
        .runs(package.script(script).map_or("", |(_, command)| command));
    draft = if name == "//" {
        draft.words(["turbo", "run", &format!("//#{script}")])
    } else {
        draft.words(["turbo", "run", script, "-F", name])
    };
    if task.flag("persistent") {
        draft.kind = crate::tasks::Kind::Service;
    }
    draft
}

/// Tasks that a package's own turbo.json adds.
fn package_turbo(look: &Look<'_>, package: &Package, known: &Node, reading: &mut Reading) {
    for name in ["turbo.json", "turbo.jsonc"] {
        let path = package.folder.join(name);
        if !look.around.is_file(&path) {
            continue;
        }
        let root = match look.around.json(&path, crate::tasks::formats::json::Dialect::Comments) {
            Ok(root) => root,
            Err(error) => {
                reading.uncounted(format!("{} cannot be read: {}", look.around.shown(&path), error.reason));
                continue;
            }
        };
        let Some(tasks) = root.get("tasks").or_else(|| root.get("pipeline")) else { continue };
        for (key, task) in tasks.entries().iter().filter(|(key, _)| known.get(&key.text).is_none()) {
            if package.script(&key.text).is_some() {
                let mut draft =
                    turbo_task(package, &package.name, &key.text, key, task).definition(Definition::Included);
                draft.file = Some(path.clone());
                reading.tasks.push(draft);
            }
        }
    }
}

fn lerna(look: &Look<'_>) -> Read {
    look.jsonc()?;
    Ok(shared_scripts(look, |name| vec!["lerna".to_owned(), "run".to_owned(), name.to_owned()]).unless_empty())
}

/// The scripts that the members of a workspace have, each once.
fn shared_scripts(look: &Look<'_>, words: impl Fn(&str) -> Vec<String>) -> Reading {
    let packages = members(look.around, look.folder);
    let mut reading = Reading::default();
    for package in &packages {
        for (key, _) in package.json.below(&["scripts"]) {
            if key.text.starts_with("//") || reading.tasks.iter().any(|known| known.name == *key.text) {
                continue;
            }
            let count = packages.iter().filter(|it| it.script(&key.text).is_some()).count();
            let text = format!("in {count} package{}", if count == 1 { "" } else { "s" });
            let mut draft = Draft::new(&*key.text, key.at.line)
                .describe(Some(text), Origin::Known)
                .definition(Definition::Inferred)
                .words(words(&key.text));
            draft.file = Some(package.folder.join("package.json"));
            reading.tasks.push(draft);
        }
    }
    reading
}

fn lage(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &JAVASCRIPT);
    let mut reading = Reading::default();
    let pipeline = (0..code.tokens.len()).find(|at| code.matches(*at, "pipeline : {"));
    let Some(open) = pipeline.map(|at| at + 2) else {
        reading.uncounted("a pipeline that is computed");
        return Ok(Some(reading));
    };
    for it in code.arguments(open) {
        let quoted = code.text(it.start).filter(|_| code.is_mark(it.start + 1, ':'));
        let Some(name) = it.name.or(quoted) else {
            reading.gap("entries of the pipeline that are computed");
            continue;
        };
        let value = if it.name.is_some() { it.start } else { it.start + 2 };
        let list = match code.is_mark(value, '[') {
            true => Some((value, it.end)),
            false => Code::named(&code.arguments(value), "dependsOn").map(|it| (it.start, it.end)),
        };
        let line = code.line(value);
        let needs = list.map(|(start, end)| code.texts(start, end)).unwrap_or_default();
        reading.tasks.push(Draft::new(name, line).describe(code.comment_above(line), Origin::Comment).after(needs));
    }
    Ok(Some(reading))
}

const RUSH_VERBS: [(&str, &str); 4] = [
    ("install", "Install what the lock file says"),
    ("update", "Install, and bring the lock file up to date"),
    ("build", "Build all projects that have changed"),
    ("rebuild", "Build all projects"),
];

fn rush(look: &Look<'_>) -> Read {
    let root = look.jsonc()?;
    if look.name() == "rush.json" {
        let verb =
            |(name, text)| Draft::new(name, 1).describe(Some(text), Origin::Known).definition(Definition::Builtin);
        return Ok(Some(Reading::of(RUSH_VERBS.map(verb).into())));
    }
    let parameters = root.get("parameters").map_or(&[][..], Node::items);
    let commands = root.get("commands").map_or(&[][..], Node::items);
    let tasks = commands.iter().filter_map(|command| {
        let name = command.text_of("name")?;
        let of = |it: &&Node| it.texts_of("associatedCommands").iter().any(|it| it == name);
        let arguments = parameters.iter().filter(of).filter_map(|it| {
            let argument = Argument::optional(it.text_of("longName")?).about(it.text_of("description"));
            Some(Argument { required: it.flag("required"), ..argument })
        });
        let draft = Draft::new(name, command.at.line)
            .describe(command.text_of("summary"), Origin::Field)
            .describe(command.text_of("description"), Origin::Field)
            .group(command.text_of("commandKind"))
            .arguments(arguments.collect())
            .after(command.texts_of("phases"));
        Some(draft.runs(command.text_of("shellCommand").unwrap_or("")))
    });
    Ok(Reading::of(tasks.collect()).unless_empty())
}
