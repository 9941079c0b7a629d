//! Runners that are configured in JavaScript: gulp, grunt, Jake, Hereby, just-scripts, nps. Names that are literal are
//! found; what code computes is a gap.

use crate::tasks::formats::code::{Code, Kind as Token};
use crate::tasks::formats::language::JAVASCRIPT;
use crate::tasks::formats::{Key, Node, yaml};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Draft, Origin};

/// <https://gulpjs.com/docs/en/getting-started/creating-tasks/>
pub const GULP: Runner = Runner::new("gulp", gulp)
    .first(&[
        "gulpfile.js",
        "gulpfile.mjs",
        "gulpfile.cjs",
        "gulpfile.ts",
        "gulpfile.mts",
        "gulpfile.cts",
        "gulpfile.babel.js",
        "gulpfile.esm.js",
        "Gulpfile.js",
        "gulpfile.js/index.js",
        "gulpfile.ts/index.ts",
    ])
    .runs(Via::NodeProgram, &["gulp", "{}"]);
/// <https://gruntjs.com/creating-tasks>
pub const GRUNT: Runner = Runner::new("grunt", grunt)
    .first(&["Gruntfile.js", "gruntfile.js", "Gruntfile.cjs", "Gruntfile.ts"])
    .runs(Via::NodeProgram, &["grunt", "{}"]);
/// <https://jakejs.com/docs>
pub const JAKE: Runner = Runner::new("jake", jake)
    .first(&["Jakefile", "Jakefile.js", "jakefile", "jakefile.js", "Jakefile.cjs"])
    .runs(Via::NodeProgram, &["jake", "{}"]);
/// <https://github.com/jakebailey/hereby>
pub const HEREBY: Runner =
    Runner::new("hereby", hereby).first(&["Herebyfile.mjs", "Herebyfile.js"]).runs(Via::NodeProgram, &["hereby", "{}"]);
/// <https://microsoft.github.io/just/>
pub const JUST_SCRIPTS: Runner = Runner::new("just-scripts", just_scripts)
    .first(&["just.config.js", "just.config.ts", "just.config.cjs", "just-task.js"])
    .runs(Via::NodeProgram, &["just-scripts", "{}"]);
/// <https://github.com/sezna/nps>
pub const NPS: Runner = Runner::new("nps", nps)
    .first(&["package-scripts.yml", "package-scripts.yaml", "package-scripts.js", "package-scripts.cjs"])
    .runs(Via::NodeProgram, &["nps", "{}"]);

fn gulp(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &JAVASCRIPT);
    let mut reading = Reading::default();
    for at in 0..code.tokens.len() {
        // `gulp.task('x', …)`, and `task('x', …)` when it was imported by name.
        if code.word(at) == Some("task")
            && code.is_mark(at + 1, '(')
            && (code.matches(at.saturating_sub(2), "gulp . task") || !code.is_mark(at.wrapping_sub(1), '.'))
        {
            called(&code, at + 1, at, "gulp tasks", &mut reading);
        }
        gulp_export(&code, at, &mut reading);
    }
    if code.text(0).is_none() && look.text.contains("gulp-hub") {
        reading.uncounted("tasks of other files (gulp-hub)");
    }
    for word in ["require-dir", "requireDir", "forwardReference"] {
        if look.text.contains(word) {
            reading.uncounted("tasks of other files");
        }
    }
    Ok(Some(dedup(reading)))
}

fn gulp_export(code: &Code<'_>, at: usize, reading: &mut Reading) {
    let line = code.line(at);
    let push = |name: &str, line: usize, reading: &mut Reading| {
        reading.tasks.push(Draft::new(name, line).describe(code.comment_above(line), Origin::Comment));
    };
    // `exports.x = …`, `module.exports.x = …`, `exports['x'] = …`
    if code.word(at) == Some("exports")
        && code.is_mark(at + 1, '.')
        && code.is_mark(at + 3, '=')
        && !code.is_mark(at + 4, '=')
    {
        if let Some(name) = code.word(at + 2) {
            push(name, line, reading);
        }
    } else if code.word(at) == Some("exports") && code.is_mark(at + 1, '[') && code.is_mark(at + 3, ']') {
        match code.text(at + 2) {
            Some(name) => push(name, line, reading),
            None => reading.gap("exports whose names are computed"),
        }
    } else if code.matches(at, "module . exports = {") {
        let given = code.arguments(at + 4);
        for it in given {
            match code.word(it.start).filter(|_| it.name.is_none() && it.end == it.start + 1).or(it.name) {
                Some(name) => push(name, code.line(it.start), reading),
                None if code.is_mark(it.start, '.') => reading.gap("exports that are spread from elsewhere"),
                None => {
                    if let Some(name) = code.text(it.start).or_else(|| code.word(it.start)) {
                        push(name, code.line(it.start), reading);
                    }
                }
            }
        }
    } else if code.word(at) == Some("export") && code.is_first(at) {
        esm_export(code, at, reading);
    }
}

/// `export const x`, `export function x`, `export default`, `export { a, b as c }`.
fn esm_export(code: &Code<'_>, at: usize, reading: &mut Reading) {
    let line = code.line(at);
    let draft = |name: &str| Draft::new(name, line).describe(code.comment_above(line), Origin::Comment);
    let word = code.word(at + 1).unwrap_or("");
    if code.is_mark(at + 1, '{') {
        for it in code.arguments(at + 1) {
            reading.tasks.extend(code.word(it.end - 1).map(|name| Draft::new(name, code.line(it.start))));
        }
    } else if code.is_mark(at + 1, '*') {
        reading.uncounted("tasks of other files (`export *`)");
    } else if word == "default" {
        reading.tasks.push(draft("default"));
    } else if ["const", "let", "var", "function", "async"].contains(&word)
        && let Some(name) = (at + 2..at + 5).filter_map(|at| code.word(at)).find(|it| *it != "function")
    {
        reading.tasks.push(draft(name));
    }
}

/// A call with the name first, then perhaps a description, then perhaps a list of dependencies.
fn called(code: &Code<'_>, open: usize, at: usize, what: &str, reading: &mut Reading) {
    let given = code.arguments(open);
    let Some(first) = given.first() else { return };
    let Some(name) = code.literal(*first) else {
        // `task()` of something else has no name at all; a function that is named stands for itself.
        if code.is_computed(first.start) || given.len() > 1 {
            reading.gap(format!("{what} whose names are computed"));
        } else if let Some(function) = code.word(first.start).filter(|_| first.end == first.start + 1) {
            reading
                .tasks
                .push(Draft::new(function, code.line(at)).describe(code.comment_above(code.line(at)), Origin::Comment));
        }
        return;
    };
    let text = given.get(1).and_then(|it| code.literal(*it));
    let list = given.iter().skip(1).find(|it| code.is_mark(it.start, '['));
    let needs = list.map(|it| code.texts(it.start, it.end)).unwrap_or_default();
    let series = given.iter().skip(1).find(|it| matches!(code.word(it.start), Some("gulp" | "series" | "parallel")));
    let needs =
        if needs.is_empty() { series.map(|it| code.texts(it.start, it.end)).unwrap_or_default() } else { needs };
    let line = code.line(at);
    reading.tasks.push(
        Draft::new(name, line)
            .describe(text, Origin::Field)
            .describe(code.comment_above(line), Origin::Comment)
            .after(needs),
    );
}

/// The same name once.
fn dedup(mut reading: Reading) -> Reading {
    let mut seen = std::collections::HashSet::new();
    reading.tasks.retain(|draft| seen.insert(draft.name.clone()));
    reading
}

fn grunt(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &JAVASCRIPT);
    let mut reading = Reading::default();
    let mut plugins = 0;
    for at in 0..code.tokens.len() {
        if !code.is_mark(at + 1, '(') {
            continue;
        }
        match code.word(at) {
            Some("registerTask") => called(&code, at + 1, at, "tasks", &mut reading),
            Some("registerMultiTask") => called(&code, at + 1, at, "tasks", &mut reading),
            Some("initConfig") => grunt_config(&code, at + 1, &mut reading),
            Some("loadNpmTasks" | "loadTasks" | "loadGruntTasks") => plugins += 1,
            _ => {}
        }
    }
    if plugins > 0 || look.text.contains("load-grunt-tasks") || look.text.contains("jit-grunt") {
        reading.uncounted("tasks of plugins that have no configuration here");
    }
    // What a task runs is a list of names; registered ones come before configured ones of the same name.
    Ok(Some(dedup(reading)))
}

/// Plugins are configured under their tasks' names, each with its targets.
fn grunt_config(code: &Code<'_>, open: usize, reading: &mut Reading) {
    if !code.is_mark(open + 1, '{') {
        reading.uncounted("tasks of a configuration that is computed");
        return;
    }
    for it in code.arguments(open + 1) {
        let name = it.name.or_else(|| code.text(it.start).filter(|_| code.is_mark(it.start + 1, ':')));
        let value = if it.name.is_some() { it.start } else { it.start + 2 };
        let Some(name) =
            name.filter(|name| code.is_mark(value, '{') && !["pkg", "meta", "globalConfig", "config"].contains(name))
        else {
            continue;
        };
        reading.tasks.push(Draft::new(name, code.line(it.start)).group(Some("configured")));
        for target in code.arguments(value) {
            let key = target.name.or_else(|| code.text(target.start).filter(|_| code.is_mark(target.start + 1, ':')));
            if let Some(key) = key.filter(|key| !["options", "files", "src", "dest", "tasks"].contains(key)) {
                reading
                    .tasks
                    .push(Draft::new(format!("{name}:{key}"), code.line(target.start)).group(Some("configured")));
            }
        }
    }
}

fn jake(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &JAVASCRIPT);
    let mut reading = Reading::default();
    let mut spaces: Vec<(String, usize)> = Vec::new();
    let mut described: Option<String> = None;
    for at in 0..code.tokens.len() {
        spaces.retain(|(_, end)| at < *end);
        if !code.is_mark(at + 1, '(') || code.is_mark(at.wrapping_sub(1), '.') {
            continue;
        }
        let text = code.text(at + 2);
        match (code.word(at), text) {
            (Some("desc"), text) => described = text.map(str::to_owned),
            (Some("namespace"), Some(name)) => spaces.push((name.to_owned(), code.closing(at + 1))),
            (Some("task" | "file" | "directory"), Some(_)) => {
                let before = reading.tasks.len();
                called(&code, at + 1, at, "tasks", &mut reading);
                if let Some(draft) = reading.tasks.get_mut(before) {
                    let space: String = spaces.iter().map(|(name, _)| format!("{name}:")).collect();
                    draft.name = format!("{space}{}", draft.name);
                    draft.description = None;
                    *draft = draft.clone().describe(described.take(), Origin::Field);
                }
            }
            (Some("task" | "namespace"), None) => reading.gap("tasks whose names are computed"),
            _ => {}
        }
    }
    Ok(Some(reading))
}

fn hereby(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &JAVASCRIPT);
    let mut reading = Reading::default();
    for at in (0..code.tokens.len()).filter(|at| code.matches(*at, "task ( {")) {
        let given = code.arguments(at + 2);
        let field = |name: &str| Code::named(&given, name);
        let literal = |name: &str| field(name).and_then(|it| code.literal(*it));
        // Only what is exported can be run.
        let exported =
            (at.saturating_sub(4)..at).any(|it| code.word(it) == Some("export") && code.line(it) == code.line(at));
        match literal("name") {
            Some(name) => {
                let hidden = field("hiddenFromTaskList").is_some_and(|it| code.word(it.start) == Some("true"));
                let needs = field("dependencies")
                    .map(|it| (it.start..it.end).filter_map(|at| code.word(at)).map(str::to_owned).collect());
                let draft = Draft::new(name, code.line(at)).describe(literal("description"), Origin::Field);
                reading.tasks.push(draft.private(hidden || !exported).after(needs.unwrap_or_default()));
            }
            None => reading.gap("tasks whose names are computed"),
        }
    }
    Ok(Some(reading))
}

fn just_scripts(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &JAVASCRIPT);
    let mut reading = Reading::default();
    for at in 0..code.tokens.len() {
        let is_call = code.is_mark(at + 1, '(') && !code.is_mark(at.wrapping_sub(1), '.');
        if is_call && code.word(at) == Some("task") {
            called(&code, at + 1, at, "tasks", &mut reading);
        }
    }
    if look.text.contains("just-preset") || look.text.contains("preset(") {
        reading.uncounted("tasks of presets");
    }
    Ok(Some(reading))
}

fn nps(look: &Look<'_>) -> Read {
    if look.name().ends_with("ml") {
        let root = yaml::parse(look.text)?;
        let mut drafts = Vec::new();
        nps_document(root.below(&["scripts"]), "", &mut drafts);
        return Ok(Reading::of(drafts).unless_empty());
    }
    let code = Code::of(look.text, &JAVASCRIPT);
    let mut reading = Reading::default();
    match (0..code.tokens.len()).find(|at| code.matches(*at, "scripts : {")) {
        Some(at) => nps_code(&code, at + 2, "", &mut reading),
        None => reading.uncounted("scripts that are computed"),
    }
    Ok(Some(reading))
}

/// Scripts nest: `test: {default: …, unit: …}` is `test` and `test.unit`.
fn nps_document(entries: &[(Key, Node)], above: &str, out: &mut Vec<Draft>) {
    for (key, it) in entries {
        let name = join(above, &key.text);
        match it.text().or_else(|| it.text_of("script")) {
            Some(command) => {
                let draft = Draft::new(&name, key.at.line).describe(it.text_of("description"), Origin::Field);
                out.push(draft.private(it.flag("hiddenFromHelp")).runs(command));
            }
            None => nps_document(it.entries(), &name, out),
        }
    }
}

fn join(above: &str, name: &str) -> String {
    match (above, name) {
        ("", name) => name.to_owned(),
        (above, "default") => above.to_owned(),
        (above, name) => format!("{above}.{name}"),
    }
}

fn nps_code(code: &Code<'_>, open: usize, above: &str, reading: &mut Reading) {
    for it in code.arguments(open) {
        let quoted = code.text(it.start).filter(|_| code.is_mark(it.start + 1, ':'));
        let Some(key) = it.name.or(quoted) else {
            reading.gap("scripts that are computed");
            continue;
        };
        let value = if it.name.is_some() { it.start } else { it.start + 2 };
        let name = join(above, key);
        let line = code.line(it.start);
        if !code.is_mark(value, '{') {
            let command = match code.tokens.get(value).map(|it| &it.kind) {
                Some(Token::Text(text, _)) => text.clone(),
                _ => String::new(),
            };
            reading.tasks.push(Draft::new(&name, line).runs(command));
            continue;
        }
        let inner = code.arguments(value);
        if Code::named(&inner, "script").is_none() {
            nps_code(code, value, &name, reading);
            continue;
        }
        let literal = |key: &str| Code::named(&inner, key).and_then(|it| code.literal(*it));
        let draft = Draft::new(&name, line).describe(literal("description"), Origin::Field);
        reading.tasks.push(draft.runs(literal("script").unwrap_or("")));
    }
}
