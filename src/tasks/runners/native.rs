//! Builds of C and its kin: CMake, Meson, Ninja, SCons, xmake, Bazel.

use crate::tasks::formats::Node;
use crate::tasks::formats::code::Code;
use crate::tasks::formats::language::{CMAKE, LUA, MESON, PYTHON};
use crate::tasks::look::{Look, tidy};
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Definition, Draft, Kind, Origin};

/// <https://cmake.org/cmake/help/latest/manual/cmake-presets.7.html>
pub const CMAKE_RUNNER: Runner = Runner::new("cmake", cmake)
    .every(&["CMakePresets.json", "CMakeUserPresets.json", "CMakeLists.txt"])
    .runs(Via::Path, &["cmake", "--build", "build", "--target", "{}"]);
/// <https://mesonbuild.com/Reference-manual.html>
pub const MESON_RUNNER: Runner =
    Runner::new("meson", meson).first(&["meson.build"]).runs(Via::Path, &["meson", "compile", "-C", "build", "{}"]);
/// <https://ninja-build.org/manual.html>
pub const NINJA: Runner = Runner::new("ninja", ninja).first(&["build.ninja"]).runs(Via::Path, &["ninja", "{}"]);
/// <https://scons.org/doc/production/HTML/scons-user.html>
pub const SCONS: Runner = Runner::new("scons", scons)
    .first(&["SConstruct", "Sconstruct", "sconstruct", "SConstruct.py"])
    .runs(Via::Python, &["scons", "{}"]);
/// <https://xmake.io/>
pub const XMAKE: Runner = Runner::new("xmake", xmake).first(&["xmake.lua"]).runs(Via::Path, &["xmake", "build", "{}"]);
/// <https://bazel.build/concepts/build-files>
pub const BAZEL: Runner = Runner::new("bazel", bazel)
    .first(&["BUILD.bazel", "BUILD"])
    .runs(Via::Wrapper(&["bazelw"]), &["bazel", "build", "{}"]);

fn cmake(look: &Look<'_>) -> Read {
    if look.name() == "CMakeLists.txt" {
        return Ok(custom_targets(look).unless_empty());
    }
    let root = look.json()?;
    let mut reading = Reading::default();
    presets(&root, None, &mut reading);
    let mut open: Vec<String> = root.texts_of("include");
    let mut seen = vec![look.path.to_owned()];
    while let Some(name) = open.pop() {
        let path = tidy(&look.beside(&name));
        if name.contains('$') || seen.contains(&path) {
            if name.contains('$') {
                reading.gap("included files that are computed");
            }
            continue;
        }
        seen.push(path.clone());
        match look.around.json(&path, crate::tasks::formats::json::Dialect::Strict) {
            Ok(root) => {
                presets(&root, Some(&path), &mut reading);
                open.extend(root.texts_of("include"));
            }
            Err(error) => reading.uncounted(format!("`{name}` cannot be read: {}", error.reason)),
        }
    }
    Ok(Some(reading))
}

/// Kinds of presets, and the words that run one.
const PRESETS: [(&str, &str, &[&str]); 5] = [
    ("configurePresets", "configure", &["cmake", "--preset"]),
    ("buildPresets", "build", &["cmake", "--build", "--preset"]),
    ("testPresets", "test", &["ctest", "--preset"]),
    ("packagePresets", "package", &["cpack", "--preset"]),
    ("workflowPresets", "workflow", &["cmake", "--workflow", "--preset"]),
];

fn presets(root: &Node, file: Option<&std::path::Path>, reading: &mut Reading) {
    for (key, kind, words) in PRESETS {
        for preset in root.get(key).map_or(&[][..], Node::items) {
            let Some(name) = preset.text_of("name") else { continue };
            let steps = preset.get("steps").map_or(&[][..], Node::items);
            let needs = preset.text_of("configurePreset").map(|it| format!("configure:{it}")).into_iter();
            let steps = steps.iter().filter_map(|it| Some(format!("{}:{}", it.text_of("type")?, it.text_of("name")?)));
            let mut draft =
                Draft::new(format!("{kind}:{name}"), preset.get("name").map_or(preset.at.line, |it| it.at.line))
                    .describe(preset.text_of("description").or_else(|| preset.text_of("displayName")), Origin::Field)
                    .private(preset.flag("hidden"))
                    .group(Some(kind))
                    .after(needs.chain(steps).collect())
                    .words(words.iter().copied().chain([name]));
            if let Some(file) = file {
                draft = draft.definition(Definition::Included);
                draft.file = Some(file.to_owned());
            }
            reading.tasks.push(draft);
        }
    }
}

/// `add_custom_target(x … COMMENT "text")`.
fn custom_targets(look: &Look<'_>) -> Reading {
    let code = Code::of(look.text, &CMAKE);
    let mut reading = Reading::default();
    for at in 0..code.tokens.len() {
        if !code.word(at).is_some_and(|it| it.eq_ignore_ascii_case("add_custom_target")) || !code.is_mark(at + 1, '(') {
            continue;
        }
        let end = code.closing(at + 1);
        let computed = code.is_mark(at + 2, '$') || code.is_computed(at + 2) || code.is_mark(at + 3, '$');
        let Some(name) = code.word(at + 2).or_else(|| code.text(at + 2)).filter(|_| !computed) else {
            reading.gap("targets whose names are computed");
            continue;
        };
        let comment = (at..end).find(|it| code.word(*it) == Some("COMMENT")).and_then(|it| code.text(it + 1));
        let needs = (at..end).find(|it| code.word(*it) == Some("DEPENDS")).map(|it| {
            let words = (it + 1..end).map_while(|it| code.word(it));
            words.take_while(|it| !it.chars().all(|c| c.is_ascii_uppercase() || c == '_')).map(str::to_owned).collect()
        });
        let line = code.line(at);
        let draft =
            Draft::new(name, line).describe(comment, Origin::Field).describe(code.comment_above(line), Origin::Comment);
        reading.tasks.push(draft.after(needs.unwrap_or_default()));
    }
    reading
}

fn meson(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &MESON);
    let mut reading = Reading::default();
    for at in (0..code.tokens.len()).filter(|at| code.is_mark(*at + 1, '(') && !code.is_mark(at.wrapping_sub(1), '.')) {
        let (kind, words): (&str, &[&str]) = match code.word(at) {
            Some("run_target") => ("run_target", &["meson", "compile", "-C", "build"]),
            Some("alias_target") => ("alias_target", &["meson", "compile", "-C", "build"]),
            Some("test") => ("test", &["meson", "test", "-C", "build"]),
            Some("benchmark") => ("benchmark", &["meson", "test", "-C", "build", "--benchmark"]),
            Some("subdir") => {
                reading.uncounted("targets of sub-folders (`subdir`)");
                continue;
            }
            _ => continue,
        };
        match code.arguments(at + 1).first().and_then(|it| code.literal(*it)) {
            Some(name) => {
                let line = code.line(at);
                let draft =
                    Draft::new(name, line).describe(code.comment_above(line), Origin::Comment).group(Some(kind));
                reading.tasks.push(draft.words(words.iter().copied().chain([name])));
            }
            None => reading.gap("targets whose names are computed"),
        }
    }
    Ok(reading.unless_empty())
}

/// `build NAME: phony …` are targets; the rest are files. CMake writes thousands of both, so one that it wrote is left.
fn ninja(look: &Look<'_>) -> Read {
    if look.text.starts_with("# CMAKE generated file")
        || look.text.contains("# This is the build file for project")
        || look.text.contains("generated by")
    {
        return Ok(None);
    }
    let mut reading = Reading::default();
    let joined = look.text.replace("$\n", "");
    for (at, line) in joined.lines().enumerate() {
        let Some((targets, rest)) = line.strip_prefix("build ").and_then(|it| it.split_once(':')) else {
            if line.starts_with("include ") || line.starts_with("subninja ") {
                reading.uncounted("targets of included files");
            }
            continue;
        };
        let mut words = rest.split_whitespace();
        let phony = words.next() == Some("phony");
        let needs: Vec<String> = words.filter(|it| !it.starts_with('|')).map(str::to_owned).collect();
        for name in targets.split_whitespace().filter(|it| *it != "|") {
            if name.contains('$') {
                reading.gap("targets named by variables");
                continue;
            }
            let kind = if phony { Kind::Task } else { Kind::File };
            reading.tasks.push(Draft::new(name, at + 1).kind(kind).after(needs.clone()));
        }
    }
    Ok(reading.unless_empty())
}

fn scons(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &PYTHON);
    let mut reading = Reading::default();
    for at in (0..code.tokens.len()).filter(|at| code.is_mark(*at + 1, '(')) {
        match code.word(at) {
            Some("Alias" | "AddPostAction" | "PhonyTarget") => match code.arguments(at + 1).first() {
                Some(first) if !code.texts(first.start, first.end).is_empty() => {
                    for name in code.texts(first.start, first.end) {
                        reading.tasks.push(
                            Draft::new(name, code.line(at))
                                .describe(code.comment_above(code.line(at)), Origin::Comment),
                        );
                    }
                }
                _ => reading.gap("aliases whose names are computed"),
            },
            Some("SConscript") => reading.uncounted("targets of other files (`SConscript`)"),
            _ => {}
        }
    }
    Ok(Some(reading))
}

fn xmake(look: &Look<'_>) -> Read {
    let code = Code::of(look.text, &LUA);
    let mut reading = Reading::default();
    for at in (0..code.tokens.len()).filter(|at| code.is_mark(*at + 1, '(')) {
        let kind = match code.word(at) {
            Some(kind @ ("target" | "task")) => kind,
            Some("includes") => {
                reading.uncounted("targets of other files (`includes`)");
                continue;
            }
            Some("set_description") => {
                if let (Some(draft), Some(text)) = (reading.tasks.last_mut(), code.text(at + 2)) {
                    *draft = draft.clone().describe(Some(text), Origin::Field);
                }
                continue;
            }
            _ => continue,
        };
        match code.text(at + 2) {
            Some(name) => {
                let draft = Draft::new(name, code.line(at)).group(Some(kind));
                reading.tasks.push(if kind == "task" { draft.words(["xmake", name]) } else { draft });
            }
            None => reading.gap("targets whose names are computed"),
        }
    }
    Ok(reading.unless_empty())
}

/// Rules make targets by macros as well, so what is here is only a part: those with a name.
fn bazel(look: &Look<'_>) -> Read {
    let Some((top, _)) = look.around.nearest(look.folder, &["MODULE.bazel", "WORKSPACE.bazel", "WORKSPACE"]) else {
        return Ok(None);
    };
    let code = Code::of(look.text, &PYTHON);
    let package = look.folder.strip_prefix(top).unwrap_or(look.folder).display().to_string();
    let mut reading = Reading::default();
    for at in (0..code.tokens.len())
        .filter(|at| code.is_first(*at) && code.tokens[*at].column == 0 && code.is_mark(*at + 1, '('))
    {
        let rule = code.word(at).unwrap_or("");
        if ["load", "package", "licenses", "exports_files", "workspace"].contains(&rule) {
            continue;
        }
        let given = code.arguments(at + 1);
        match Code::named(&given, "name").and_then(|it| code.literal(*it)) {
            Some(name) => {
                let verb = if rule.ends_with("_test") || rule == "test_suite" {
                    "test"
                } else if rule.ends_with("_binary") {
                    "run"
                } else {
                    "build"
                };
                let label = format!("//{package}:{name}");
                let draft = Draft::new(&label, code.line(at))
                    .group(Some(rule))
                    .describe(code.comment_above(code.line(at)), Origin::Comment);
                let is_library = verb == "build";
                reading
                    .tasks
                    .push(draft.kind(if is_library { Kind::File } else { Kind::Task }).words(["bazel", verb, &label]));
            }
            None => reading.gap("rules whose names are computed"),
        }
    }
    reading.uncounted("targets that macros make");
    Ok(Some(reading))
}
