//! Maven, Ant, sbt and Mill.

use crate::tasks::formats::code::Code;
use crate::tasks::formats::language::SCALA;
use crate::tasks::formats::xml::{self, Node, child, children, text_of};
use crate::tasks::look::{Look, tidy};
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Definition, Draft, Kind, Origin};

/// <https://maven.apache.org/guides/introduction/introduction-to-the-lifecycle.html>
pub const MAVEN: Runner = Runner::new("maven", maven).first(&["pom.xml"]).runs(Via::Wrapper(&["mvnw"]), &["mvn", "{}"]);
/// <https://ant.apache.org/manual/>
pub const ANT: Runner = Runner::new("ant", ant).first(&["build.xml"]).runs(Via::Path, &["ant", "{}"]);
/// <https://www.scala-sbt.org/1.x/docs/Tasks.html>
pub const SBT: Runner = Runner::new("sbt", sbt).every(&["build.sbt"]).runs(Via::Wrapper(&["sbtx"]), &["sbt", "{}"]);
/// <https://mill-build.org/>
pub const MILL: Runner = Runner::new("mill", mill)
    .first(&["build.mill", "build.sc"])
    .runs(Via::Wrapper(&["mill", "millw"]), &["mill", "{}"]);

const PHASES: [(&str, &str); 10] = [
    ("clean", "Remove what was built"),
    ("validate", "Check that the project is complete"),
    ("compile", "Compile the source"),
    ("test", "Run unit tests"),
    ("package", "Build the package, as a JAR"),
    ("integration-test", "Run what has the package deployed"),
    ("verify", "Check the results of integration tests"),
    ("install", "Put the package into the local repository"),
    ("deploy", "Publish the package"),
    ("site", "Build the documentation"),
];

fn maven(look: &Look<'_>) -> Read {
    xml::parse(look.text, |document| {
        let root = document.root_element();
        let mut reading = Reading::default();
        let line = xml::line(root);
        // Modules have the phases of the whole.
        let is_module = child(root, "parent").is_some()
            && look.folder.parent().is_some_and(|above| look.around.is_file(&above.join("pom.xml")));
        if !is_module {
            let phase = |(name, text)| {
                Draft::new(name, line).describe(Some(text), Origin::Known).definition(Definition::Builtin)
            };
            reading.tasks.extend(PHASES.map(phase));
        }
        executions(root, None, &mut reading);
        for profile in child(root, "profiles").into_iter().flat_map(|it| children(it, "profile").collect::<Vec<_>>()) {
            let Some(id) = text_of(profile, "id") else { continue };
            let about = format!("Verify with the profile {id}");
            let draft = Draft::new(format!("profile:{id}"), xml::line(profile))
                .describe(Some(about), Origin::Known)
                .group(Some("profiles"));
            reading.tasks.push(draft.definition(Definition::Inferred).words(["mvn", "-P", id, "verify"]));
            executions(profile, Some(id), &mut reading);
        }
        Some(reading)
    })
}

/// Goals of plugins that have an id of their own: `mvn exec:java@run-it`.
fn executions(root: Node<'_, '_>, profile: Option<&str>, reading: &mut Reading) {
    let Some(plugins) = child(root, "build").and_then(|it| child(it, "plugins")) else { return };
    for plugin in children(plugins, "plugin") {
        let artifact = text_of(plugin, "artifactId").unwrap_or("");
        let prefix = artifact
            .strip_prefix("maven-")
            .and_then(|it| it.strip_suffix("-plugin"))
            .or_else(|| artifact.strip_suffix("-maven-plugin"))
            .unwrap_or(artifact);
        for execution in
            child(plugin, "executions").into_iter().flat_map(|it| children(it, "execution").collect::<Vec<_>>())
        {
            let Some(id) = text_of(execution, "id").filter(|id| !id.starts_with("default-")) else { continue };
            let goals = child(execution, "goals").into_iter().flat_map(|it| children(it, "goal").collect::<Vec<_>>());
            for goal in goals.filter_map(|it| it.text()) {
                let name = format!("{prefix}:{}@{id}", goal.trim());
                let draft = Draft::new(&name, xml::line(execution)).group(Some(prefix)).after(Vec::new());
                let words = std::iter::once("mvn").chain(profile.into_iter().flat_map(|it| ["-P", it])).chain([&*name]);
                reading.tasks.push(draft.words(words));
            }
        }
    }
}

fn ant(look: &Look<'_>) -> Read {
    ant_file(look, 0)
}

fn ant_file(look: &Look<'_>, depth: usize) -> Read {
    let mut imports = Vec::new();
    let reading = xml::parse(look.text, |document| {
        let root = document.root_element();
        if root.tag_name().name() != "project"
            || child(root, "target").is_none()
                && child(root, "import").is_none()
                && child(root, "extension-point").is_none()
        {
            return None;
        }
        let mut reading = Reading::default();
        for target in root.children().filter(|it| matches!(it.tag_name().name(), "target" | "extension-point")) {
            let Some(name) = target.attribute("name") else { continue };
            let needs = target.attribute("depends").unwrap_or("").split(',').map(|it| it.trim().to_owned());
            let description = target.attribute("description");
            reading.tasks.push(
                Draft::new(name, xml::line(target))
                    .describe(description, Origin::Field)
                    // Ant lists what is described, and `-x` cannot be called from the command line.
                    .private(
                        name.starts_with('-')
                            || description.is_none() && root.children().any(|it| it.attribute("description").is_some()),
                    )
                    .after(needs.filter(|it| !it.is_empty()).collect()),
            );
        }
        for import in root.children().filter(|it| matches!(it.tag_name().name(), "import" | "include")) {
            match import.attribute("file").filter(|it| !it.contains("${")) {
                Some(file) => imports.push((file.to_owned(), import.attribute("optional") == Some("true"))),
                None => reading.gap("imported files that are computed"),
            }
        }
        Some(reading)
    })?;
    let Some(mut reading) = reading else { return Ok(None) };
    for (file, optional) in imports {
        let path = tidy(&look.beside(&file));
        match look.around.text_if_any(&path) {
            Some(Ok(text)) if depth < 10 => match ant_file(&look.at(&path, &text), depth + 1) {
                Ok(inner) => absorb(&mut reading, inner.unwrap_or_default(), &path),
                Err(error) => reading.uncounted(format!("`{file}` cannot be read: {}", error.reason)),
            },
            Some(Err(error)) => reading.uncounted(format!("`{file}` cannot be read: {}", error.reason)),
            Some(Ok(_)) => {}
            None if optional => {}
            None => reading.uncounted(format!("`{file}` is imported and is not there")),
        }
    }
    Ok(Some(reading))
}

/// Imported targets give way to those of the same name.
fn absorb(reading: &mut Reading, mut inner: Reading, path: &std::path::Path) {
    inner.tasks.retain(|draft| !reading.tasks.iter().any(|known| known.name == draft.name));
    for draft in &mut inner.tasks {
        draft.definition = Definition::Included;
        draft.file.get_or_insert_with(|| path.to_owned());
    }
    reading.absorb(inner);
}

const SBT_TASKS: [(&str, &str); 5] = [
    ("compile", "Compile the source"),
    ("test", "Run all tests"),
    ("run", "Run the main class"),
    ("package", "Build a JAR"),
    ("clean", "Remove what was built"),
];

fn sbt(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &SCALA);
    let builtin =
        |(name, text)| Draft::new(name, 1).describe(Some(text), Origin::Known).definition(Definition::Builtin);
    let mut reading = Reading::of(SBT_TASKS.map(builtin).into());
    for at in 0..code.tokens.len() {
        if code.matches(at, "addCommandAlias (") {
            let given = code.arguments(at + 1);
            match given.first().and_then(|it| code.literal(*it)) {
                Some(name) => {
                    let command = given.get(1).map(|it| code.texts(it.start, it.end).concat()).unwrap_or_default();
                    reading.tasks.push(Draft::new(name, code.line(at)).group(Some("alias")).runs(command));
                }
                None => reading.gap("aliases whose names are computed"),
            }
        }
        // `lazy val x = taskKey[Unit]("text")`
        if matches!(code.word(at), Some("taskKey" | "inputKey")) && code.is_mark(at + 1, '[') {
            let call = code.closing(at + 1) + 1;
            let name = (0..at).rev().take(4).find(|it| code.is_mark(*it, '=')).and_then(|it| code.word(it - 1));
            if let Some(name) = name {
                let draft = Draft::new(name, code.line(at)).describe(code.text(call + 1), Origin::Field);
                reading.tasks.push(draft);
            }
        }
    }
    Ok(Some(reading))
}

fn mill(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &SCALA);
    let mut reading = Reading::default();
    let mut modules: Vec<(&str, usize)> = Vec::new();
    for at in 0..code.tokens.len() {
        modules.retain(|(_, end)| at < *end);
        if code.word(at) == Some("object") && code.word(at + 1).is_some() {
            let open = (at..code.tokens.len()).find(|it| code.is_mark(*it, '{') || *it > at + 2 && code.is_first(*it));
            if let Some(open) = open.filter(|open| code.is_mark(*open, '{')) {
                modules.push((code.word(at + 1).unwrap_or(""), code.closing(open)));
            }
            reading.uncounted("tasks that modules inherit");
        }
        // `def x = Task { … }`, `def x() = Task.Command { … }`
        if code.word(at) == Some("def")
            && let Some(name) = code.word(at + 1)
        {
            let line = code.line(at);
            let head = (at + 2..code.tokens.len()).take_while(|it| code.line(*it) == line);
            if head.clone().any(|it| code.is_mark(it, '=') && matches!(code.word(it + 1), Some("Task" | "T"))) {
                let space: String = modules.iter().map(|(name, _)| format!("{name}.")).collect();
                let draft =
                    Draft::new(format!("{space}{name}"), line).describe(code.comment_above(line), Origin::Comment);
                reading.tasks.push(draft.kind(Kind::Task));
            }
        }
    }
    Ok(Some(reading))
}
