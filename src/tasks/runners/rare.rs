//! Runners that are rare and cheap to read: a map of names in YAML or JSON, or calls with literal names.

use crate::tasks::formats::Node;
use crate::tasks::formats::code::Code;
use crate::tasks::formats::language::{Language, NIM, PHP, ZIG};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Argument, Draft, Kind, Origin};

/// <https://ahoycli.com/>
pub const AHOY: Runner = Runner::new("ahoy", ahoy).first(&[".ahoy.yml", ".ahoy.yaml"]).runs(Via::Path, &["ahoy", "{}"]);
/// <https://docs.lando.dev/core/v3/tooling.html>
pub const LANDO: Runner = Runner::new("lando", lando).first(&[".lando.yml"]).runs(Via::Path, &["lando", "{}"]);
/// <https://ddev.readthedocs.io/en/stable/users/extend/custom-commands/>
pub const DDEV: Runner = Runner::new("ddev", ddev).every(&[".ddev/commands/**/*"]).runs(Via::Path, &["ddev", "{}"]);
/// <https://melos.invertase.dev/configuration/scripts>
pub const MELOS: Runner = Runner::new("melos", melos).first(&["melos.yaml"]).runs(Via::Path, &["melos", "run", "{}"]);
/// <https://www.jetify.com/docs/devbox/guides/scripts/>
pub const DEVBOX: Runner =
    Runner::new("devbox", devbox).first(&["devbox.json"]).runs(Via::Path, &["devbox", "run", "{}"]);
/// <https://containers.dev/implementors/json_reference/#lifecycle-scripts>
pub const DEVCONTAINER: Runner =
    Runner::new("devcontainer", devcontainer).every(&[".devcontainer/devcontainer.json", ".devcontainer.json"]);
/// <https://rliebz.github.io/tusk/>
pub const TUSK: Runner = Runner::new("tusk", tusk).first(&["tusk.yml", "tusk.yaml"]).runs(Via::Path, &["tusk", "{}"]);
/// <https://dvc.org/doc/user-guide/project-structure/dvcyaml-files>
pub const DVC: Runner = Runner::new("dvc", dvc).first(&["dvc.yaml"]).runs(Via::Python, &["dvc", "repro", "{}"]);
/// <https://snakemake.readthedocs.io/en/stable/snakefiles/rules.html>
pub const SNAKEMAKE: Runner = Runner::new("snakemake", snakemake)
    .first(&["Snakefile", "workflow/Snakefile"])
    .runs(Via::Python, &["snakemake", "{}"]);
/// <https://docs.djangoproject.com/en/stable/howto/custom-management-commands/>
pub const DJANGO: Runner = Runner::new("django", django).every(&["management/commands/*.py"]);
/// <https://ziglang.org/learn/build-system/>
pub const ZIG_BUILD: Runner = Runner::new("zig", zig).first(&["build.zig"]).runs(Via::Path, &["zig", "build", "{}"]);
/// <https://nim-lang.github.io/nimble/>
pub const NIMBLE: Runner = Runner::new("nimble", nimble).every(&["*.nimble"]).runs(Via::Path, &["nimble", "{}"]);
/// <https://robo.li/>
pub const ROBO: Runner = Runner::new("robo", robo).first(&["RoboFile.php"]).runs(Via::Path, &["robo", "{}"]);
/// <https://castor.jolicode.com/>
pub const CASTOR: Runner =
    Runner::new("castor", castor).first(&["castor.php", ".castor/castor.php"]).runs(Via::Path, &["castor", "{}"]);
/// <https://deployer.org/docs/7.x/tasks>
pub const DEPLOYER: Runner = Runner::new("deployer", deployer).first(&["deploy.php"]).runs(Via::Path, &["dep", "{}"]);

/// Tasks of a map: what each says of itself and runs.
fn mapped(entries: &[(crate::tasks::formats::Key, Node)], description: &str, command: &[&str]) -> Vec<Draft> {
    let drafts = entries.iter().map(|(key, it)| {
        let own = command.iter().find_map(|key| it.get(key)).unwrap_or(it);
        Draft::new(&*key.text, key.at.line)
            .describe(it.text_of(description), Origin::Field)
            .runs(own.texts().join("\n"))
    });
    drafts.collect()
}

fn ahoy(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let entries = root.below(&["commands"]);
    let mut reading = Reading::of(mapped(entries, "usage", &["cmd"]));
    for (draft, (_, it)) in reading.tasks.iter_mut().zip(entries) {
        draft.private = it.flag("hide");
        draft.aliases = it.texts_of("aliases");
        if it.get("imports").is_some() {
            reading
                .gaps
                .push(crate::tasks::Gap { reason: format!("commands of `{}` from other files", draft.name), count: 0 });
        }
    }
    Ok(reading.unless_empty())
}

fn lando(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let mut reading = Reading::of(mapped(root.below(&["tooling"]), "description", &["cmd"]));
    if root.get("recipe").is_some() {
        reading.uncounted("commands that the recipe brings");
    }
    Ok(reading.unless_empty())
}

/// `.ddev/commands/web/name`, with `## Description: text`.
fn ddev(look: &Look<'_>) -> Read {
    let field = |name: &str| {
        look.text
            .lines()
            .find_map(|line| line.strip_prefix("## ")?.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    if !crate::tasks::formats::shell::has_shebang(look.text) {
        return Ok(None);
    }
    let place = look.path.parent().and_then(|it| it.file_name()).map(|it| it.to_string_lossy().into_owned());
    let draft = Draft::new(look.stem(), 1).describe(field("Description"), Origin::Comment).group(place);
    Ok(Some(Reading::of(vec![draft])))
}

fn melos(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let entries = root.below(&["scripts"]);
    let mut drafts = mapped(entries, "description", &["run", "exec", "steps"]);
    for (draft, (_, it)) in drafts.iter_mut().zip(entries) {
        draft.private = it.flag("private");
        draft.group = Some(it.texts_of("groups").join(", ")).filter(|it| !it.is_empty());
        draft.depends_on = it
            .texts_of("steps")
            .into_iter()
            .filter(|step| entries.iter().any(|(key, _)| *key.text == **step))
            .collect();
    }
    Ok(Reading::of(drafts).unless_empty())
}

fn devbox(look: &Look<'_>) -> Read {
    let root = look.jsonc()?;
    Ok(Reading::of(mapped(root.below(&["shell", "scripts"]), "description", &["command"])).unless_empty())
}

const LIFECYCLE: [&str; 6] = [
    "initializeCommand",
    "onCreateCommand",
    "updateContentCommand",
    "postCreateCommand",
    "postStartCommand",
    "postAttachCommand",
];

fn devcontainer(look: &Look<'_>) -> Read {
    let root = look.jsonc()?;
    let drafts = root.entries().iter().filter(|(key, _)| LIFECYCLE.contains(&&*key.text)).map(|(key, it)| {
        let lines: Vec<String> = if it.is_map() {
            it.entries().iter().map(|(_, it)| it.texts().join(" ")).collect()
        } else {
            vec![it.texts().join(" ")]
        };
        Draft::new(&*key.text, key.at.line).kind(Kind::Hook).runs(lines.join("\n"))
    });
    Ok(Reading::of(drafts.collect()).unless_empty())
}

fn tusk(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let entries = root.below(&["tasks"]);
    let mut reading = Reading::of(mapped(entries, "usage", &["run"]));
    for (draft, (_, it)) in reading.tasks.iter_mut().zip(entries) {
        draft.private = it.flag("private");
        let given = it.get("args").or_else(|| it.get("options"));
        draft.arguments = given
            .map_or(&[][..], Node::entries)
            .iter()
            .map(|(key, it)| {
                let argument = Argument::optional(&*key.text).or(it.text_of("default")).about(it.text_of("usage"));
                Argument { required: it.flag("required"), ..argument }
            })
            .collect();
    }
    Ok(reading.unless_empty())
}

fn dvc(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let entries = root.below(&["stages"]);
    let mut reading = Reading::of(mapped(entries, "desc", &["cmd"]));
    for (_, it) in entries {
        if it.get("foreach").is_some() || it.get("matrix").is_some() {
            reading.gap("stages that a loop multiplies");
        }
    }
    Ok(reading.unless_empty())
}

/// `rule name:`, with its docstring.
fn snakemake(look: &Look<'_>) -> Read {
    let mut reading = Reading::default();
    let mut lines = look.text.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        let Some(rest) = line.strip_prefix("rule ").or_else(|| line.strip_prefix("checkpoint ")) else {
            if line.starts_with("include:") || line.starts_with("module ") {
                reading.uncounted("rules of other files");
            }
            continue;
        };
        let name = rest.split(':').next().unwrap_or(rest).trim();
        let text = lines.peek().map(|(_, next)| next.trim()).filter(|next| next.starts_with(['"', '\'']));
        let text = text.map(|it| it.trim_matches(['"', '\'']).to_owned());
        reading.tasks.push(Draft::new(name, at + 1).describe(text, Origin::Docstring));
    }
    Ok(Some(reading))
}

/// A module of commands that `manage.py` runs, wherever that is above.
fn django(look: &Look<'_>) -> Read {
    if look.name().starts_with('_') || !look.text.contains("BaseCommand") && !look.text.contains("Command(") {
        return Ok(None);
    }
    let code = Code::of(look.text, &crate::tasks::formats::language::PYTHON);
    let at = (0..code.tokens.len()).find(|at| code.word(*at) == Some("help") && code.is_mark(at + 1, '='));
    let text = at.and_then(|at| (at + 2..at + 5).find_map(|at| code.text(at))).map(str::to_owned);
    let class = (0..code.tokens.len()).find(|at| code.matches(*at, "class Command")).map_or(1, |at| code.line(at));
    let mut draft = Draft::new(look.stem(), class).describe(text, Origin::Field);
    if let Some((folder, _)) = look.around.nearest(look.folder, &["manage.py"]) {
        draft = draft.words(["python", "manage.py", look.stem()]);
        draft.folder = Some(folder.to_owned());
    }
    Ok(Some(Reading::of(vec![draft])))
}

/// Calls of a function whose first argument is the name and whose second may be the description.
fn calls(look: &Look<'_>, language: &'static Language, wanted: &[&str], usual: &[(&str, &str)]) -> Reading {
    let code = Code::of(look.text, language);
    let mut reading = Reading::default();
    for at in (0..code.tokens.len()).filter(|at| code.is_mark(*at + 1, '(')) {
        let line = code.line(at);
        if let Some((_, name)) = usual.iter().find(|(function, _)| code.word(at) == Some(function)) {
            reading.tasks.push(Draft::new(*name, line));
        }
        if !code.word(at).is_some_and(|it| wanted.contains(&it)) {
            continue;
        }
        let given = code.arguments(at + 1);
        match given.first().map(|it| (it, code.literal(*it))) {
            Some((_, Some(name))) => {
                let text = given.get(1).and_then(|it| code.literal(*it));
                let list = given.get(1).filter(|it| code.is_mark(it.start, '[')).map(|it| code.texts(it.start, it.end));
                let draft = Draft::new(name, line)
                    .describe(text, Origin::Field)
                    .describe(code.comment_above(line), Origin::Comment);
                reading.tasks.push(draft.after(list.unwrap_or_default()));
            }
            Some((_, None)) => reading.gap("names that are computed"),
            None => {}
        }
    }
    reading
}

fn zig(look: &Look<'_>) -> Read {
    let mut reading = calls(look, &ZIG, &["step"], &[]);
    // Every build has these two.
    for name in ["install", "uninstall"] {
        reading.tasks.push(Draft::new(name, 1).definition(crate::tasks::Definition::Builtin));
    }
    Ok(Some(reading))
}

/// `task name, "text":`.
fn nimble(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &NIM);
    let tasks = (0..code.tokens.len())
        .filter(|at| code.word(*at) == Some("task") && code.is_first(*at) && code.is_mark(at + 2, ','));
    let drafts = tasks.filter_map(|at| {
        Some(Draft::new(code.word(at + 1)?, code.line(at)).describe(code.text(at + 3), Origin::Field))
    });
    Ok(Reading::of(drafts.collect()).unless_empty())
}

/// Public methods: `buildAll` is `build:all`.
fn robo(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &PHP);
    let mut reading = Reading::default();
    for at in (0..code.tokens.len()).filter(|at| code.matches(*at, "public function")) {
        let Some(method) = code.word(at + 2).filter(|it| !it.starts_with('_')) else { continue };
        let mut name = String::new();
        for c in method.chars() {
            if c.is_uppercase() {
                // The first capital parts the namespace, others words.
                name.push(if name.contains(':') { '-' } else { ':' });
            }
            name.extend(c.to_lowercase());
        }
        let line = code.line(at);
        let arguments = code.arguments(at + 3).into_iter().filter_map(|it| {
            let name = (it.start..it.end).filter_map(|at| code.word(at)).find(|it| it.starts_with('$'))?;
            let required = !(it.start..it.end).any(|at| code.is_mark(at, '='));
            Some(Argument { required, ..Argument::optional(name.trim_start_matches('$')) })
        });
        let comment = code.comment_above(line).map(|it| it.split(" @").next().unwrap_or("").to_owned());
        reading.tasks.push(Draft::new(name, line).describe(comment, Origin::Comment).arguments(arguments.collect()));
    }
    Ok(Some(reading))
}

/// `#[AsTask(namespace: 'a', description: 'text')] function b()`.
fn castor(look: &Look<'_>) -> Read {
    // The attribute begins like a comment of PHP's.
    let text = look.text.replace("#[", " [");
    let code = Code::of(&text, &PHP);
    let mut reading = Reading::default();
    for at in (0..code.tokens.len()).filter(|at| code.word(*at) == Some("AsTask")) {
        let given = if code.is_mark(at + 1, '(') { code.arguments(at + 1) } else { Vec::new() };
        let named = |key: &str| Code::named(&given, key).and_then(|it| code.literal(*it));
        let function = (at..code.tokens.len()).find(|it| code.word(*it) == Some("function"));
        let Some((function, own)) = function.and_then(|it| Some((it, code.word(it + 1)?))) else { continue };
        let name = named("name").unwrap_or(own).replace('_', "-");
        let full =
            named("namespace").filter(|it| !it.is_empty()).map_or(name.clone(), |space| format!("{space}:{name}"));
        reading.tasks.push(Draft::new(full, code.line(function)).describe(named("description"), Origin::Field));
    }
    if look.text.contains("import(") {
        reading.uncounted("tasks of other files (`import`)");
    }
    Ok(Some(reading))
}

fn deployer(look: &Look<'_>) -> Read {
    let mut reading = calls(look, &PHP, &["task"], &[]);
    let code = Code::of(look.text, &PHP);
    let mut described = None;
    for at in (0..code.tokens.len()).filter(|at| code.is_mark(*at + 1, '(')) {
        match code.word(at) {
            Some("desc") => described = code.text(at + 2).map(str::to_owned),
            Some("task") => {
                let line = code.line(at);
                if let Some(draft) = reading.tasks.iter_mut().find(|draft| draft.line == line) {
                    *draft = draft.clone().describe(described.take(), Origin::Field);
                }
            }
            _ => {}
        }
    }
    if look.text.contains("require 'recipe/") || look.text.contains("require \"recipe/") {
        reading.uncounted("tasks of recipes");
    }
    Ok(Some(reading))
}
