//! Gradle, <https://docs.gradle.org/current/userguide/more_about_tasks.html>. A build file is a program; tasks that are
//! registered by literal names are found, and the tasks of the usual plugins are known.

use std::path::Path;

use crate::tasks::formats::code::Code;
use crate::tasks::formats::language::{GROOVY, KOTLIN};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Definition, Draft, Origin};

pub const RUNNER: Runner = Runner::new("gradle", read)
    .first(&["build.gradle.kts", "build.gradle"])
    .runs(Via::Wrapper(&["gradlew"]), &["gradle", "{}"]);

const SETTINGS: [&str; 2] = ["settings.gradle.kts", "settings.gradle"];

type Known = (&'static str, &'static str);
const BASE: [Known; 4] = [
    ("assemble", "Build all outputs"),
    ("build", "Build and test"),
    ("check", "Run all checks"),
    ("clean", "Remove what was built"),
];
const JAVA: [Known; 5] = [
    ("classes", "Compile the main classes"),
    ("jar", "Build a JAR of the main classes"),
    ("javadoc", "Build the documentation"),
    ("test", "Run the tests"),
    ("testClasses", "Compile the tests"),
];
const RUN: [Known; 4] = [
    ("run", "Run the application"),
    ("installDist", "Install the application into a folder"),
    ("distZip", "Pack the application as ZIP"),
    ("distTar", "Pack the application as TAR"),
];
const BOOT: [Known; 3] = [
    ("bootRun", "Run the application"),
    ("bootJar", "Build an executable JAR"),
    ("bootBuildImage", "Build a container image"),
];
const PUBLISH: [Known; 2] =
    [("publish", "Publish everything"), ("publishToMavenLocal", "Publish into the local repository")];

/// Plugins, as they are written, with what they add.
const PLUGINS: [(&str, &[&[Known]]); 14] = [
    ("base", &[&BASE]),
    ("java", &[&BASE, &JAVA]),
    ("java-library", &[&BASE, &JAVA]),
    ("application", &[&BASE, &JAVA, &RUN]),
    ("groovy", &[&BASE, &JAVA]),
    ("scala", &[&BASE, &JAVA]),
    ("org.jetbrains.kotlin.jvm", &[&BASE, &JAVA]),
    ("jvm", &[&BASE, &JAVA]),
    ("org.springframework.boot", &[&BOOT]),
    ("maven-publish", &[&PUBLISH]),
    (
        "com.android.application",
        &[
            &BASE,
            &[
                ("installDebug", "Install the debug build"),
                ("assembleDebug", "Build for debugging"),
                ("assembleRelease", "Build for release"),
                ("lint", "Run lint"),
            ],
        ],
    ),
    (
        "com.android.library",
        &[
            &BASE,
            &[("assembleDebug", "Build for debugging"), ("assembleRelease", "Build for release"), ("lint", "Run lint")],
        ],
    ),
    ("jacoco", &[&[("jacocoTestReport", "Report coverage")]]),
    (
        "checkstyle",
        &[&[
            ("checkstyleMain", "Check the style of the main source"),
            ("checkstyleTest", "Check the style of the tests"),
        ]],
    ),
];

fn read(look: &Look<'_>) -> Read {
    let language = if look.name().ends_with(".kts") { &KOTLIN } else { &GROOVY };
    let code = Code::of(look.text, language);
    let (top, path) = place(look);
    let mut build = Build { code: &code, reading: Reading::default() };
    for at in 0..code.tokens.len() {
        build.token(at);
    }
    build.plugins();
    let mut reading = build.reading;
    if look.has("buildSrc/build.gradle") || look.has("buildSrc/build.gradle.kts") {
        reading.uncounted("tasks of buildSrc's own plugins");
    }
    for draft in &mut reading.tasks {
        if !path.is_empty() {
            draft.name = format!("{path}:{}", draft.name);
        }
        draft.folder = Some(top.to_owned());
    }
    Ok(Some(reading))
}

/// The build's top folder, and the path of this project in it: `:services:users`, empty for the top.
fn place<'a>(look: &Look<'a>) -> (&'a Path, String) {
    let Some((top, _)) = look.around.nearest(look.folder, &SETTINGS) else { return (look.folder, String::new()) };
    let inner = look.folder.strip_prefix(top).unwrap_or(Path::new(""));
    (top, inner.iter().map(|part| format!(":{}", part.to_string_lossy())).collect())
}

struct Build<'a> {
    code: &'a Code<'a>,
    reading: Reading,
}

impl Build<'_> {
    fn token(&mut self, at: usize) {
        let code = self.code;
        match code.word(at) {
            // `tasks.register("x", Type) { … }`, `register<Type>("x")`, `create("x")`
            Some("register" | "create") if self.is_of_tasks(at) => self.registered(at),
            // `task x(type: T) { … }`, `task("x")`, `task "x"`
            Some("task") if code.is_first(at) && !code.is_mark(at + 1, '.') && !code.is_mark(at + 1, '=') => {
                self.old_style(at)
            }
            // `val x by tasks.registering(T::class) { … }`
            Some("registering" | "creating") if code.word(at - at.min(2)) == Some("tasks") => {
                if let Some(name) =
                    (0..at).rev().take(6).find(|it| code.word(*it) == Some("by")).and_then(|it| code.word(it - 1))
                {
                    self.push(name, at, self.block_after(at + 1));
                }
            }
            _ => {}
        }
    }

    /// Within `tasks { … }` or behind `tasks.`.
    fn is_of_tasks(&self, at: usize) -> bool {
        let code = self.code;
        if code.is_mark(at.wrapping_sub(1), '.') {
            return code.word(at.wrapping_sub(2)) == Some("tasks");
        }
        (0..at).any(|it| code.matches(it, "tasks {") && code.closing(it + 1) > at)
    }

    fn registered(&mut self, at: usize) {
        let code = self.code;
        // `<Type>` may stand before the bracket.
        let open = (at + 1..at + 12).find(|it| code.is_mark(*it, '('));
        let Some(open) = open else { return };
        let given = code.arguments(open);
        match given.first().and_then(|it| code.literal(*it)) {
            Some(name) => self.push(name, at, self.block_after(code.closing(open) + 1)),
            None => self.reading.gap("tasks whose names are computed"),
        }
    }

    fn old_style(&mut self, at: usize) {
        let code = self.code;
        let name = if code.is_mark(at + 1, '(') { at + 2 } else { at + 1 };
        match code.text(name).or_else(|| code.word(name)) {
            Some(text) => {
                let open =
                    (name + 1..code.tokens.len()).take(40).find(|it| code.is_mark(*it, '{') || code.is_mark(*it, '('));
                let block = open.and_then(|open| {
                    if code.is_mark(open, '{') { Some(open) } else { self.block_after(code.closing(open) + 1) }
                });
                self.push(text, at, block.filter(|it| code.line(*it) <= code.line(at) + 2));
            }
            None => self.reading.gap("tasks whose names are computed"),
        }
    }

    /// The `{` that comes next, if it does.
    fn block_after(&self, at: usize) -> Option<usize> {
        (at..at + 6)
            .find(|it| self.code.is_mark(*it, '{'))
            .filter(|it| (at..*it).all(|it| !self.code.is_first(it) || it == at))
    }

    fn push(&mut self, name: &str, at: usize, block: Option<usize>) {
        let code = self.code;
        let line = code.line(at);
        // With its brackets, which may name dependencies too.
        let inner = at + 1..block.map_or(at + 1, |open| code.closing(open));
        let text = |key: &str| {
            let place = inner.clone().find(|it| {
                code.word(*it) == Some(key)
                    && (code.is_first(*it)
                        || code.is_mark(it.wrapping_sub(1), '{')
                        || code.is_mark(it.wrapping_sub(1), ';'))
            })?;
            (place + 1..place + 4).find_map(|it| code.text(it)).map(str::to_owned)
        };
        let mut needs = Vec::new();
        for place in inner.clone().filter(|it| matches!(code.word(*it), Some("dependsOn" | "finalizedBy"))) {
            let line = code.line(place);
            let next = if code.is_mark(place + 1, ':') || code.is_mark(place + 1, '=') { place + 2 } else { place + 1 };
            let end = if code.is_mark(next, '(') || code.is_mark(next, '[') {
                code.closing(next)
            } else if next > place + 1 {
                next + 1
            } else if code.is_mark(place + 1, '(') {
                code.closing(place + 1)
            } else {
                (place..inner.end).find(|it| code.line(*it) != line).unwrap_or(inner.end)
            };
            needs.extend(code.texts(place + 1, end));
            needs.extend(
                (place + 1..end)
                    .filter_map(|it| code.word(it))
                    .filter(|it| !["tasks", "named", "project"].contains(it))
                    .map(str::to_owned),
            );
        }
        let group = text("group");
        let draft = Draft::new(name, line)
            .describe(text("description"), Origin::Field)
            .describe(code.comment_above(line), Origin::Comment);
        // Without a group it is listed by `tasks --all` alone.
        self.reading.tasks.push(draft.private(name.starts_with('_')).group(group).after(needs));
    }

    /// What `plugins { … }` and `apply plugin:` bring.
    fn plugins(&mut self) {
        let code = self.code;
        let mut named: Vec<(String, usize)> = Vec::new();
        for at in 0..code.tokens.len() {
            if code.matches(at, "plugins {") {
                let end = code.closing(at + 1);
                for place in at + 2..end {
                    let id = match code.word(place) {
                        Some("id" | "kotlin") => (place + 1..place + 3).find_map(|it| code.text(it)).map(str::to_owned),
                        Some("alias") => Some("alias".to_owned()),
                        Some(word) if code.is_first(place) || code.line(place) == code.line(at) => {
                            Some(word.to_owned())
                        }
                        // `java-library` in backquotes.
                        None if code.is_mark(place, '`') && code.is_first(place) => {
                            let parts: Vec<&str> = (place + 1..end)
                                .take_while(|it| !code.is_mark(*it, '`'))
                                .filter_map(|it| code.word(it))
                                .collect();
                            Some(parts.join("-"))
                        }
                        _ => None,
                    };
                    named.extend(id.map(|id| (id, code.line(place))));
                }
            }
            if code.matches(at, "apply plugin :") || code.matches(at, "apply ( plugin =") {
                named.extend((at + 3..at + 6).find_map(|it| code.text(it)).map(|id| (id.to_owned(), code.line(at))));
            }
        }
        let quiet = ["version", "apply", "false"];
        for (id, line) in named.into_iter().filter(|(id, _)| !quiet.contains(&&**id)) {
            match PLUGINS.iter().find(|(known, _)| *known == id) {
                Some((_, groups)) => {
                    for (name, text) in groups.iter().flat_map(|it| it.iter()) {
                        if !self.reading.tasks.iter().any(|known| known.name == *name) {
                            let draft = Draft::new(*name, line).describe(Some(text), Origin::Known).group(Some(&*id));
                            self.reading.tasks.push(draft.definition(Definition::Builtin));
                        }
                    }
                }
                None if id == "alias" => self.reading.uncounted("tasks of plugins of the version catalog"),
                None => self.reading.uncounted(format!("tasks of the plugin {id}")),
            }
        }
    }
}
