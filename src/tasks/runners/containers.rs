//! Builds in containers and what brings them to a cluster: docker bake, Earthly, Dagger, Tilt, Skaffold and others.

use crate::tasks::formats::Node;
use crate::tasks::formats::code::{Code, Kind as Token};
use crate::tasks::formats::language::{HCL, PYTHON};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Argument, Definition, Draft, Kind, Origin};

/// <https://docs.docker.com/build/bake/reference/>
pub const BAKE: Runner = Runner::new("bake", bake)
    .every(&["docker-bake.json", "docker-bake.hcl", "docker-bake.override.json", "docker-bake.override.hcl"])
    .runs(Via::Path, &["docker", "buildx", "bake", "{}"]);
/// <https://docs.earthly.dev/docs/earthfile>
pub const EARTHLY: Runner = Runner::new("earthly", earthly).first(&["Earthfile"]).runs(Via::Path, &["earthly", "+{}"]);
/// <https://docs.dagger.io/>
pub const DAGGER: Runner =
    Runner::new("dagger", dagger).first(&["dagger.json"]).runs(Via::Path, &["dagger", "call", "{}"]);
/// <https://docs.tilt.dev/api.html>
pub const TILT: Runner = Runner::new("tilt", tilt).first(&["Tiltfile"]).runs(Via::Path, &["tilt", "up", "{}"]);
/// <https://skaffold.dev/docs/references/yaml/>
pub const SKAFFOLD: Runner =
    Runner::new("skaffold", skaffold).first(&["skaffold.yaml", "skaffold.yml"]).runs(Via::Path, &["skaffold", "{}"]);
/// <https://docs.garden.io/>
pub const GARDEN: Runner = Runner::new("garden", garden)
    .every(&["garden.yml", "garden.yaml", "*.garden.yml"])
    .runs(Via::Path, &["garden", "run", "{}"]);
/// <https://helmfile.readthedocs.io/>
pub const HELMFILE: Runner = Runner::new("helmfile", helmfile)
    .first(&["helmfile.yaml", "helmfile.yml"])
    .runs(Via::Path, &["helmfile", "-l", "name={}", "sync"]);
/// <https://terragrunt.gruntwork.io/>
pub const TERRAGRUNT: Runner =
    Runner::new("terragrunt", terragrunt).first(&["terragrunt.hcl"]).runs(Via::Path, &["terragrunt", "{}"]);

fn bake(look: &Look<'_>) -> Read {
    if look.name().ends_with(".json") {
        let root = look.json()?;
        let mut drafts = Vec::new();
        for kind in ["group", "target"] {
            for (key, it) in root.below(&[kind]) {
                let needs = it.texts_of(if kind == "group" { "targets" } else { "inherits" });
                drafts.push(bake_draft(&key.text, key.at.line, kind, it.text_of("description"), needs));
            }
        }
        return Ok(Reading::of(drafts).unless_empty());
    }
    let code = Code::of(look.text, &HCL);
    let mut reading = Reading::default();
    for kind in ["group", "target"] {
        for (name, at, open) in blocks(&code, kind) {
            let given = |key: &str| {
                (open..code.closing(open))
                    .find(|it| code.word(*it) == Some(key) && code.is_mark(it + 1, '='))
                    .map(|it| it + 2)
            };
            let list = given(if kind == "group" { "targets" } else { "inherits" });
            let needs = list.map(|it| code.texts(it, code.closing(it) + 1)).unwrap_or_default();
            if given("matrix").is_some() {
                reading.gap("targets that a matrix multiplies");
            }
            let text = given("description").and_then(|it| code.text(it)).map(str::to_owned);
            reading.tasks.push(bake_draft(&name, code.line(at), kind, text.as_deref(), needs));
        }
    }
    Ok(reading.unless_empty())
}

fn bake_draft(name: &str, line: usize, kind: &str, text: Option<&str>, needs: Vec<String>) -> Draft {
    Draft::new(name, line).describe(text, Origin::Field).private(name.starts_with('_')).group(Some(kind)).after(needs)
}

/// `KIND "name" {`: the name, the place of the kind, and of the bracket.
fn blocks(code: &Code<'_>, kind: &str) -> Vec<(String, usize, usize)> {
    let all = (0..code.tokens.len())
        .filter(|at| code.word(*at) == Some(kind) && code.is_first(*at) && code.is_mark(at + 2, '{'));
    all.filter_map(|at| Some((code.text(at + 1)?.to_owned(), at, at + 2))).collect()
}

fn earthly(look: &Look<'_>) -> Read {
    let mut reading = Reading::default();
    let mut comment: Vec<&str> = Vec::new();
    for (at, line) in look.text.lines().enumerate() {
        let name = line.strip_suffix(':').or_else(|| line.split_once(": #").map(|(name, _)| name)).map(str::trim_end);
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        if let Some(name) = name.filter(|name| is_name(name)) {
            let text = comment.join(" ");
            let about = text.strip_prefix(name).map(str::trim_start).unwrap_or(&text);
            reading.tasks.push(Draft::new(name, at + 1).describe(Some(about), Origin::Comment));
        }
        match (line.strip_prefix('#'), reading.tasks.last_mut()) {
            (Some(text), _) => comment.push(text.trim()),
            (None, draft) => {
                comment.clear();
                if let Some(draft) = draft {
                    earthly_line(line.trim(), draft);
                }
            }
        }
    }
    Ok(Some(reading))
}

/// `BUILD +x`, `FROM +x`, `COPY +x/file .` are dependencies; `ARG x=1` is an argument.
fn earthly_line(line: &str, draft: &mut Draft) {
    let mut words = line.split_whitespace();
    match words.next() {
        Some("BUILD" | "FROM" | "COPY" | "DO") => {
            let targets = words
                .filter_map(|word| word.trim_start_matches('(').strip_prefix('+'))
                .filter_map(|it| it.split('/').next());
            for target in targets.map(str::to_owned) {
                if !draft.depends_on.contains(&target) {
                    draft.depends_on.push(target);
                }
            }
        }
        Some("ARG") => {
            let flags: Vec<&str> = words.by_ref().collect();
            let required = flags.contains(&"--required");
            if let Some(own) = flags.iter().find(|it| !it.starts_with("--")) {
                let (name, default) = own.split_once('=').map_or((*own, None), |(name, value)| (name, Some(value)));
                draft.arguments.push(Argument { required, ..Argument::optional(name).or(default) });
            }
        }
        _ => {}
    }
}

/// Dagger's functions are a program's; that there are some is all that is known.
fn dagger(look: &Look<'_>) -> Read {
    look.json()?;
    let mut reading = Reading::default();
    reading.uncounted("functions of the module, which Dagger has to build");
    Ok(Some(reading))
}

/// `local_resource('x', …)`, `k8s_resource('x', …)`.
fn tilt(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &PYTHON);
    let mut reading = Reading::default();
    let kinds = ["local_resource", "k8s_resource", "dc_resource", "docker_build", "custom_build"];
    for at in (0..code.tokens.len()).filter(|at| code.is_mark(*at + 1, '(')) {
        let Some(kind) = code.word(at).filter(|it| kinds.contains(it)) else {
            if matches!(code.word(at), Some("load" | "include" | "docker_compose" | "k8s_yaml")) {
                reading.uncounted("resources of other files");
            }
            continue;
        };
        if kind.ends_with("_build") {
            continue;
        }
        let given = code.arguments(at + 1);
        let first = given
            .first()
            .filter(|it| it.name.is_none())
            .or_else(|| Code::named(&given, "name"))
            .or_else(|| Code::named(&given, "workload"));
        match first.and_then(|it| code.literal(*it)) {
            Some(name) => {
                let command = Code::named(&given, "cmd")
                    .or_else(|| Code::named(&given, "serve_cmd"))
                    .or_else(|| given.get(1).filter(|it| it.name.is_none()));
                let command = command.and_then(|it| code.literal(*it)).unwrap_or("");
                let needs =
                    Code::named(&given, "resource_deps").map(|it| code.texts(it.start, it.end)).unwrap_or_default();
                let serves = kind != "local_resource" || Code::named(&given, "serve_cmd").is_some();
                let draft = Draft::new(name, code.line(at)).group(Some(kind)).after(needs).runs(command);
                reading.tasks.push(draft.kind(if serves { Kind::Service } else { Kind::Task }));
            }
            None => reading.gap("resources whose names are computed"),
        }
    }
    Ok(Some(reading))
}

fn skaffold(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let verbs = [
        ("dev", "Build, deploy and follow changes"),
        ("run", "Build and deploy"),
        ("build", "Build the images"),
        ("delete", "Take what was deployed away"),
    ];
    let verb = |(name, text)| Draft::new(name, 1).describe(Some(text), Origin::Known).definition(Definition::Builtin);
    let mut drafts: Vec<Draft> = verbs.map(verb).into();
    for profile in root.get("profiles").map_or(&[][..], Node::items) {
        let Some(name) = profile.text_of("name") else { continue };
        drafts.push(
            Draft::new(format!("run:{name}"), profile.at.line)
                .group(Some("profiles"))
                .words(["skaffold", "run", "-p", name]),
        );
    }
    Ok(Some(Reading::of(drafts)))
}

/// Actions by their kind; old modules have tasks and tests.
fn garden(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let Some(kind) = root.text_of("kind") else { return Ok(None) };
    let Some(name) = root.text_of("name") else { return Ok(None) };
    let verb = match kind {
        "Build" => "build",
        "Deploy" => "deploy",
        "Test" => "test",
        "Run" => "run",
        _ => return Ok(None),
    };
    let line = root.get("name").map_or(1, |it| it.at.line);
    let needs = root.texts_of("dependencies");
    let draft = Draft::new(format!("{verb}.{name}"), line)
        .describe(root.text_of("description"), Origin::Field)
        .group(Some(kind));
    let mut reading = Reading::of(vec![draft.after(needs).words(["garden", verb, name])]);
    if look.text.contains("\n---") {
        reading.uncounted("actions of further documents of the file");
    }
    Ok(Some(reading))
}

fn helmfile(look: &Look<'_>) -> Read {
    if look.text.contains("{{") && look.yaml().is_err() {
        let mut reading = Reading::default();
        reading.uncounted("releases of a file that is a template");
        return Ok(Some(reading));
    }
    let root = look.yaml()?;
    let releases = root.get("releases").map_or(&[][..], Node::items).iter().filter_map(|it| {
        let draft = Draft::new(it.text_of("name")?, it.at.line).after(it.texts_of("needs"));
        Some(draft.runs(it.text_of("chart").unwrap_or("")))
    });
    let mut reading = Reading::of(releases.collect());
    if root.get("helmfiles").is_some() || root.get("bases").is_some() {
        reading.uncounted("releases of other files");
    }
    Ok(reading.unless_empty())
}

fn terragrunt(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &HCL);
    let is_unit = code.tokens.iter().any(|it| matches!(it.kind, Token::Word("terraform")));
    let verbs = [("plan", "Show what would change"), ("apply", "Change it"), ("destroy", "Take everything away")];
    let verb = |(name, text)| Draft::new(name, 1).describe(Some(text), Origin::Known).definition(Definition::Builtin);
    Ok(is_unit.then(|| Reading::of(verbs.map(verb).into())))
}
