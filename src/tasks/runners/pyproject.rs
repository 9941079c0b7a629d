//! Tasks in tables of pyproject.toml: Poe, PDM, taskipy, Rye, Pixi, Briefcase, and a package's own commands.

use std::sync::Arc;

use crate::tasks::formats::{Key, Node, shell};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Argument, Definition, Draft, Kind, Origin, Unreadable};

/// <https://poethepoet.natn.io/>
pub const POE: Runner = Runner::new("poe", poe)
    .every(&["pyproject.toml", "poe_tasks.toml", "poe_tasks.yaml", "poe_tasks.json"])
    .runs(Via::Python, &["poe", "{}"]);
/// <https://pdm-project.org/en/latest/usage/scripts/>
pub const PDM: Runner = Runner::new("pdm", pdm).first(&["pyproject.toml"]).runs(Via::Path, &["pdm", "run", "{}"]);
/// <https://github.com/taskipy/taskipy>
pub const TASKIPY: Runner =
    Runner::new("taskipy", taskipy).first(&["pyproject.toml"]).runs(Via::Python, &["task", "{}"]);
/// <https://rye.astral.sh/guide/pyproject/>
pub const RYE: Runner = Runner::new("rye", rye).first(&["pyproject.toml"]).runs(Via::Path, &["rye", "run", "{}"]);
/// <https://pixi.sh/latest/workspace/advanced_tasks/>
pub const PIXI: Runner =
    Runner::new("pixi", pixi).first(&["pixi.toml", "pyproject.toml"]).runs(Via::Path, &["pixi", "run", "{}"]);
/// <https://briefcase.readthedocs.io/>
pub const BRIEFCASE: Runner =
    Runner::new("briefcase", briefcase).first(&["pyproject.toml"]).runs(Via::Python, &["briefcase", "{}"]);
/// Commands that a package installs, <https://packaging.python.org/specifications/entry-points/>.
pub const ENTRY_POINTS: Runner =
    Runner::new("python", entry_points).first(&["pyproject.toml"]).runs(Via::Python, &["{}"]);

type Entry = (Key, Node);

fn table<'a>(root: &'a Node, path: &[&str]) -> &'a [Entry] {
    root.below(path)
}

fn poe(look: &Look<'_>) -> Read {
    let root = look.document()?;
    let own = look.stem() == "poe_tasks";
    let path: &[&str] = if own { &[] } else { &["tool", "poe"] };
    let Some(config) = root.path(path) else { return Ok(None) };
    let mut reading = Reading::of(
        table(config, &["tasks"]).iter().map(|(key, task)| poe_task(&key.text, key.at.line, task)).collect(),
    );
    if let Some(include) = config.get("include") {
        poe_includes(look, include, &mut reading);
    }
    if config.get("include_script").is_some() {
        reading.uncounted("tasks that a script makes (`include_script`)");
    }
    Ok(reading.unless_empty())
}

/// `include = "x.toml"`, `[{path = "x.toml"}]`; what an included file includes does not count.
fn poe_includes(look: &Look<'_>, include: &Node, reading: &mut Reading) {
    let all = if include.items().is_empty() { std::slice::from_ref(include) } else { include.items() };
    for it in all {
        let Some(path) = it.text().or_else(|| it.text_of("path")) else { continue };
        let file = look.beside(path);
        if path.contains('$') || !look.around.is_file(&file) {
            reading.gap("included files that are not there");
            continue;
        }
        let root = match look.around.document(&file) {
            Ok(root) => root,
            Err(error) => {
                reading.uncounted(format!("`{path}` cannot be read: {}", error.reason));
                continue;
            }
        };
        let inside = root.path(&["tool", "poe", "tasks"]).or_else(|| root.get("tasks"));
        for (key, task) in inside.map_or(&[][..], Node::entries) {
            if reading.tasks.iter().any(|known| known.name == *key.text) {
                continue;
            }
            let mut draft = poe_task(&key.text, key.at.line, task).definition(Definition::Included);
            draft.file = Some(file.clone());
            reading.tasks.push(draft);
        }
    }
}

fn poe_task(name: &str, line: usize, task: &Node) -> Draft {
    let parts = ["cmd", "shell", "script", "expr", "ref"].iter().find_map(|key| task.text_of(key));
    let steps = task.get("sequence").or_else(|| task.get("parallel")).unwrap_or(task).items();
    let names = steps.iter().filter_map(|step| step.text().or_else(|| step.text_of("ref")));
    let called: Vec<String> = names.map(str::to_owned).chain(task.text_of("ref").map(str::to_owned)).collect();
    let needs = task.texts_of("deps").into_iter().chain(
        task.get("uses").map_or(&[][..], Node::entries).iter().filter_map(|(_, it)| it.text().map(str::to_owned)),
    );
    let names = needs.chain(called).filter_map(|it| it.split_whitespace().next().map(str::to_owned));
    Draft::new(name, line)
        .describe(task.text_of("help"), Origin::Field)
        .private(name.starts_with('_'))
        .arguments(poe_arguments(task))
        .after(names.collect())
        .runs(task.text().or(parts).unwrap_or(""))
}

/// A list of names or tables, or a table by name.
fn poe_arguments(task: &Node) -> Vec<Argument> {
    let Some(arguments) = task.get("args") else { return Vec::new() };
    let argument = |name: &str, it: &Node| {
        let argument = Argument::optional(name).or(it.text_of("default")).about(it.text_of("help"));
        let positional = it.flag("positional");
        Argument {
            required: it.flag("required") || positional && it.get("default").is_none(),
            variadic: it.flag("multiple"),
            ..argument
        }
    };
    let listed =
        arguments.items().iter().filter_map(|it| Some(argument(it.text().or_else(|| it.text_of("name"))?, it)));
    listed.chain(arguments.entries().iter().map(|(key, it)| argument(&key.text, it))).collect()
}

fn pdm(look: &Look<'_>) -> Read {
    let root = look.toml()?;
    let scripts = table(&root, &["tool", "pdm", "scripts"]);
    let names: Vec<&str> = scripts.iter().map(|(key, _)| &*key.text).collect();
    let hook = |name: &str| {
        ["pre_", "post_"]
            .iter()
            .any(|it| name.strip_prefix(it).is_some_and(|of| names.contains(&of) || PDM_EVENTS.contains(&of)))
    };
    // `_` has what all others share.
    let tasks = scripts.iter().filter(|(key, _)| &*key.text != "_").map(|(key, task)| {
        let parts = ["cmd", "shell", "call"].iter().find_map(|key| task.get(key));
        let composite = task.texts_of("composite");
        let command = task
            .text()
            .map(str::to_owned)
            .or(parts.map(|it| it.texts().join(" ")))
            .unwrap_or_else(|| composite.join(" && "));
        let called = composite.iter().filter_map(|it| it.split_whitespace().next()).filter(|it| names.contains(it));
        Draft::new(&*key.text, key.at.line)
            .describe(task.text_of("help"), Origin::Field)
            .private(key.text.starts_with('_'))
            .kind(if hook(&key.text) { Kind::Hook } else { Kind::Task })
            .after(called.map(str::to_owned).collect())
            .runs(command)
    });
    Ok(Reading::of(tasks.collect()).unless_empty())
}

const PDM_EVENTS: [&str; 6] = ["init", "install", "lock", "build", "publish", "run"];

fn taskipy(look: &Look<'_>) -> Read {
    let root = look.toml()?;
    let tasks = table(&root, &["tool", "taskipy", "tasks"]);
    let names: Vec<&str> = tasks.iter().map(|(key, _)| &*key.text).collect();
    let hook =
        |name: &str| ["pre_", "post_"].iter().any(|it| name.strip_prefix(it).is_some_and(|of| names.contains(&of)));
    let drafts = tasks.iter().map(|(key, task)| {
        let command = task.text().or_else(|| task.text_of("cmd")).unwrap_or("");
        let calls = shell::commands(command).into_iter();
        let called = calls.filter(|words| words[0] == "task").filter_map(|words| words.into_iter().nth(1));
        Draft::new(&*key.text, key.at.line)
            .describe(task.text_of("help"), Origin::Field)
            .kind(if hook(&key.text) { Kind::Hook } else { Kind::Task })
            .after(called.collect())
            .runs(command)
    });
    Ok(Reading::of(drafts.collect()).unless_empty())
}

fn rye(look: &Look<'_>) -> Read {
    let root = look.toml()?;
    let tasks = table(&root, &["tool", "rye", "scripts"]).iter().map(|(key, task)| {
        let chain: Vec<String> =
            task.get("chain").map_or(&[][..], Node::items).iter().map(|it| it.texts().join(" ")).collect();
        let command = task.get("cmd").or_else(|| task.get("call")).unwrap_or(task).texts().join(" ");
        let command = if command.is_empty() { chain.join(" && ") } else { command };
        let called = chain.iter().filter_map(|it| it.split_whitespace().next().map(str::to_owned));
        Draft::new(&*key.text, key.at.line).after(called.collect()).runs(command)
    });
    Ok(Reading::of(tasks.collect()).unless_empty())
}

fn pixi(look: &Look<'_>) -> Read {
    let root = look.toml()?;
    let root = if look.stem() == "pixi" { Some(&*root) } else { root.path(&["tool", "pixi"]) };
    let Some(root) = root else { return Ok(None) };
    let mut drafts = pixi_tasks(root, None, None);
    for (feature, it) in table(root, &["feature"]) {
        drafts.extend(pixi_tasks(it, Some(&feature.text), None));
    }
    let platforms = |root: &Node, feature: Option<&str>, drafts: &mut Vec<Draft>| {
        for (platform, it) in table(root, &["target"]) {
            for draft in pixi_tasks(it, feature, Some(&platform.text)) {
                match drafts.iter_mut().find(|known| known.name == draft.name) {
                    Some(known) if !known.platforms.is_empty() => known.platforms.extend(draft.platforms),
                    Some(_) => {}
                    None => drafts.push(draft),
                }
            }
        }
    };
    platforms(root, None, &mut drafts);
    for (feature, it) in table(root, &["feature"]) {
        platforms(it, Some(&feature.text), &mut drafts);
    }
    Ok(Reading::of(drafts).unless_empty())
}

fn pixi_tasks(root: &Node, feature: Option<&str>, platform: Option<&str>) -> Vec<Draft> {
    let tasks = table(root, &["tasks"]).iter().map(|(key, task)| {
        let command = task.get("cmd").unwrap_or(task).texts().join(" ");
        let needs = task.get("depends-on").or_else(|| task.get("depends_on")).unwrap_or(task);
        let all = if needs.text().is_some() && !std::ptr::eq(needs, task) {
            std::slice::from_ref(needs)
        } else {
            needs.items()
        };
        let names = all.iter().filter_map(|it| it.text().or_else(|| it.text_of("task"))).map(str::to_owned);
        let arguments = task.get("args").map_or(&[][..], Node::items).iter().filter_map(|it| {
            let argument = Argument::optional(it.text().or_else(|| it.text_of("arg"))?).or(it.text_of("default"));
            Some(Argument { required: argument.default.is_none(), ..argument })
        });
        let mut draft = Draft::new(&*key.text, key.at.line)
            .describe(task.text_of("description"), Origin::Field)
            .private(key.text.starts_with('_'))
            .group(feature)
            .arguments(arguments.collect())
            .after(names.collect());
        if task.items().is_empty() {
            draft.command = command;
        }
        draft.platforms = platform.map(str::to_owned).into_iter().collect();
        draft
    });
    tasks.collect()
}

/// Briefcase has the same commands for every app.
fn briefcase(look: &Look<'_>) -> Read {
    let root = look.toml()?;
    let Some((key, _)) = table(&root, &["tool"]).iter().find(|(key, _)| &*key.text == "briefcase") else {
        return Ok(None);
    };
    let verbs = [
        ("dev", "Run the app in its own environment"),
        ("create", "Make the template of the app for a platform"),
        ("build", "Compile the app"),
        ("run", "Run the app that was built"),
        ("package", "Make an installer of the app"),
    ];
    let draft = |(name, text)| {
        Draft::new(name, key.at.line).describe(Some(text), Origin::Known).definition(Definition::Builtin)
    };
    Ok(Some(Reading::of(verbs.map(draft).into())))
}

fn entry_points(look: &Look<'_>) -> Read {
    let root: Arc<Node> = look.toml()?;
    let places: [&[&str]; 3] = [&["project", "scripts"], &["project", "gui-scripts"], &["tool", "poetry", "scripts"]];
    let entries = places.iter().flat_map(|path| table(&root, path));
    let tasks = entries.map(|(key, target)| {
        let target = target.text().or_else(|| target.text_of("callable")).or_else(|| target.text_of("reference"));
        Draft::new(&*key.text, key.at.line).runs(target.unwrap_or("")).group(Some("commands of the package"))
    });
    Ok(Reading::of(tasks.collect()).unless_empty())
}

/// `[envs.E.scripts]` of hatch, with what environments inherit.
pub mod hatch {
    use super::*;

    /// <https://hatch.pypa.io/latest/config/environment/overview/>
    pub const RUNNER: Runner =
        Runner::new("hatch", read).every(&["pyproject.toml", "hatch.toml"]).runs(Via::Path, &["hatch", "run", "{}"]);

    fn read(look: &Look<'_>) -> Read {
        let root = look.toml()?;
        let path: &[&str] = if look.stem() == "hatch" { &["envs"] } else { &["tool", "hatch", "envs"] };
        let Some(environments) = root.path(path) else { return Ok(None) };
        let mut reading = Reading::default();
        for (key, environment) in environments.entries() {
            let matrices = environment.get("matrix").map_or(&[][..], Node::items);
            let names = named(&key.text, matrices);
            if matrices.is_empty() || !names.is_empty() {
                let scripts = scripts(environments, &key.text, environment, 0)?;
                for name in &names {
                    reading.tasks.extend(
                        scripts.iter().map(|(script, line, command)| draft(name, script, *line, command, &scripts)),
                    );
                }
            }
            if environment.get("overrides").is_some_and(mentions_scripts) {
                reading.uncounted(format!("scripts that overrides of `{}` change", key.text));
            }
        }
        Ok(reading.unless_empty())
    }

    fn mentions_scripts(node: &Node) -> bool {
        node.entries().iter().any(|(key, it)| key.text.contains("scripts") || mentions_scripts(it))
    }

    /// An environment, or one for each combination of its matrices: `test.py3.12-9000`.
    fn named(name: &str, matrices: &[Node]) -> Vec<String> {
        if matrices.is_empty() {
            return vec![name.to_owned()];
        }
        let mut out = Vec::new();
        for matrix in matrices {
            let mut suffixes = vec![String::new()];
            for (variable, values) in matrix.entries() {
                let python = matches!(&*variable.text, "python" | "py");
                let values: Vec<String> = values
                    .texts()
                    .iter()
                    .map(|it| if python && !it.starts_with("py") { format!("py{it}") } else { it.clone() })
                    .collect();
                let joined = |suffix: &String, value: &String| {
                    if suffix.is_empty() { value.clone() } else { format!("{suffix}-{value}") }
                };
                suffixes =
                    suffixes.iter().flat_map(|suffix| values.iter().map(move |value| joined(suffix, value))).collect();
            }
            // The environment `default` gives its name away.
            let full = |suffix: &String| if name == "default" { suffix.clone() } else { format!("{name}.{suffix}") };
            out.extend(suffixes.iter().map(full));
        }
        out
    }

    type Script = (String, usize, String);

    /// An environment's own scripts, and those of its template: `default`, unless it is detached.
    fn scripts(all: &Node, name: &str, environment: &Node, depth: usize) -> Result<Vec<Script>, Unreadable> {
        if depth > 20 {
            return Err(Unreadable::at("environments are each other's templates", environment.at));
        }
        let own = table(environment, &["scripts"])
            .iter()
            .map(|(key, it)| (key.text.to_string(), key.at.line, it.texts().join("\n")));
        let mut out: Vec<Script> = own.collect();
        let detached = environment.flag("detached");
        let template = environment.text_of("template").unwrap_or(if detached { name } else { "default" });
        if let Some(parent) = all.get(template).filter(|_| template != name) {
            for script in scripts(all, template, parent, depth + 1)? {
                if !out.iter().any(|(known, ..)| *known == script.0) {
                    out.push(script);
                }
            }
        }
        Ok(out)
    }

    fn draft(environment: &str, script: &str, line: usize, command: &str, all: &[Script]) -> Draft {
        // hatch runs a script of `default` without the environment's name as well.
        let full = |script: &str| match environment {
            "default" => script.to_owned(),
            _ => format!("{environment}:{script}"),
        };
        let called = command.lines().filter_map(|line| line.trim_start_matches("- ").split_whitespace().next());
        let called = called.filter(|name| all.iter().any(|(known, ..)| known == name));
        Draft::new(full(script), line)
            .group(Some(environment))
            .private(script.starts_with('_'))
            .after(called.map(full).collect())
            .runs(command)
    }
}
