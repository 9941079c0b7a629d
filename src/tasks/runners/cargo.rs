//! Cargo: aliases, programs and examples, scripts of `[package.metadata]`, and its own verbs at a workspace's top.
//!
//! <https://doc.rust-lang.org/cargo/reference/config.html#alias>

use crate::tasks::formats::Node;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Definition, Draft, Origin};

pub const RUNNER: Runner = Runner::new("cargo", read)
    .every(&["Cargo.toml", ".cargo/config.toml", ".cargo/config"])
    .runs(Via::Path, &["cargo", "{}"]);

/// <https://sagiegurari.github.io/cargo-make/>
pub const MAKE: Runner =
    Runner::new("cargo-make", cargo_make).first(&["Makefile.toml"]).runs(Via::Path, &["cargo", "make", "{}"]);

const VERBS: [(&str, &str); 6] = [
    ("build", "Compile the package and all that it needs"),
    ("check", "Find errors without building"),
    ("clippy", "Find common mistakes"),
    ("doc", "Build the documentation"),
    ("fmt", "Format the source"),
    ("test", "Run the tests"),
];

fn read(look: &Look<'_>) -> Read {
    let root = look.toml()?;
    if look.name() != "Cargo.toml" {
        return Ok(Reading::of(
            root.below(&["alias"]).iter().map(|(key, it)| alias(&key.text, key.at.line, it)).collect(),
        )
        .unless_empty());
    }
    let package = root.path(&["package", "name"]).and_then(Node::text);
    let mut reading = Reading::default();
    programs(look, &root, package, &mut reading);
    for (key, script) in
        root.below(&["package", "metadata", "scripts"]).iter().chain(root.below(&["workspace", "metadata", "scripts"]))
    {
        let command = script.text().or_else(|| script.text_of("cmd")).unwrap_or("");
        let draft = Draft::new(&*key.text, key.at.line).runs(command).group(Some("scripts"));
        reading.tasks.push(draft.words(["cargo", "run-script", &key.text]));
    }
    // Members of a workspace have the same verbs as the whole.
    let is_member = look.folder.parent().is_some_and(|above| look.around.nearest(above, &["Cargo.toml"]).is_some());
    if !is_member || root.get("workspace").is_some() {
        let verb =
            |(name, text)| Draft::new(name, 1).describe(Some(text), Origin::Known).definition(Definition::Builtin);
        reading.tasks.extend(VERBS.map(verb));
    }
    if package == Some("xtask") {
        reading.uncounted("commands of xtask, which are its own program's");
    }
    Ok(Some(reading))
}

fn alias(name: &str, line: usize, it: &Node) -> Draft {
    let words: Vec<String> = match it.text() {
        Some(text) => text.split_whitespace().map(str::to_owned).collect(),
        None => it.texts(),
    };
    let first = words.first().cloned();
    Draft::new(name, line)
        .group(Some("alias"))
        .after(first.into_iter().collect())
        .runs(format!("cargo {}", words.join(" ")))
}

/// `[[bin]]`, `[[example]]`, and what lies where Cargo finds it.
fn programs(look: &Look<'_>, root: &Node, package: Option<&str>, reading: &mut Reading) {
    let kinds = [("bin", "--bin"), ("example", "--example"), ("bench", "--bench")];
    let Some(package) = package else { return };
    for (kind, flag) in kinds {
        for it in root.get(kind).map_or(&[][..], Node::items) {
            let Some(name) = it.text_of("name") else { continue };
            let line = it.get("name").map_or(it.at.line, |name| name.at.line);
            reading.tasks.push(program(package, kind, flag, name, line, Definition::Literal));
        }
    }
    let line = root.path(&["package", "name"]).map_or(1, |it| it.at.line);
    let is_auto = |key: &str| root.path(&["package", key]).is_none_or(|it| it.scalar() != Some("false"));
    let mut found = Vec::new();
    if is_auto("autobins") && look.has("src/main.rs") && root.get("bin").is_none() {
        found.push(("bin", "--bin", package.to_owned()));
    }
    for (auto, folder, kind, flag) in
        [("autobins", "src/bin", "bin", "--bin"), ("autoexamples", "examples", "example", "--example")]
    {
        if !is_auto(auto) {
            continue;
        }
        for name in look.around.names(&look.folder.join(folder)).iter() {
            let stem = name.strip_suffix(".rs");
            let is_folder = stem.is_none() && look.around.is_file(&look.folder.join(folder).join(name).join("main.rs"));
            if let Some(stem) = stem.or(is_folder.then_some(name)) {
                found.push((kind, flag, stem.to_owned()));
            }
        }
    }
    for (kind, flag, name) in found {
        let draft = program(package, kind, flag, &name, line, Definition::Inferred);
        if !reading.tasks.iter().any(|known| known.words == draft.words) {
            reading.tasks.push(draft);
        }
    }
}

fn program(package: &str, kind: &str, flag: &str, name: &str, line: usize, definition: Definition) -> Draft {
    let verb = if kind == "bench" { "bench" } else { "run" };
    let command = format!("cargo {verb} {flag} {name}");
    // Verbs and programs may have one name, so the name says what it is.
    Draft::new(format!("{verb}:{name}"), line)
        .group(Some(kind))
        .definition(definition)
        .runs(command)
        .words(["cargo", verb, "-p", package, flag, name])
}

fn cargo_make(look: &Look<'_>) -> Read {
    let root = look.toml()?;
    let mut reading = Reading::default();
    for (key, task) in root.below(&["tasks"]) {
        let alias = ["alias", "linux_alias", "mac_alias", "windows_alias"].iter().find_map(|it| task.text_of(it));
        let words = task.texts_of("command").into_iter().chain(task.texts_of("args"));
        let script = task.get("script").map(|it| it.texts().join("\n"));
        let command = script.unwrap_or_else(|| words.collect::<Vec<_>>().join(" "));
        let needs = task.get("dependencies").map_or(&[][..], Node::items);
        let needs = needs.iter().filter_map(|it| it.text().or_else(|| it.text_of("name")));
        let run = task.get("run_task").and_then(|it| it.text().or_else(|| it.text_of("name")));
        let names = needs.chain(alias).chain(run).map(str::to_owned);
        reading.tasks.push(
            Draft::new(&*key.text, key.at.line)
                .describe(task.text_of("description"), Origin::Field)
                .private(task.flag("private"))
                .group(task.text_of("category"))
                .after(names.collect())
                .runs(command),
        );
    }
    if root.get("extend").is_some() {
        reading.uncounted("tasks of extended files (`extend`)");
    }
    Ok(reading.unless_empty())
}
