//! Nx, <https://nx.dev/reference/project-configuration>. Targets are in project.json, in the `nx` part of package.json,
//! and, most of them, made by plugins from the configuration of other tools. The common plugins are imitated.

use std::path::Path;

use super::packages::{Package, members};
use crate::tasks::formats::{Key, Node};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Definition, Draft, Origin};

pub const RUNNER: Runner =
    Runner::new("nx", read).every(&["nx.json", "project.json"]).runs(Via::NodeProgram, &["nx", "run", "{}"]);

fn read(look: &Look<'_>) -> Read {
    match look.name() {
        "nx.json" => workspace(look),
        _ => project(look),
    }
}

/// project.json also means other things outside an Nx workspace.
fn project(look: &Look<'_>) -> Read {
    let Some((top, nx)) = look.around.nearest(look.folder, &["nx.json"]) else { return Ok(None) };
    let root = look.jsonc()?;
    let name = root.text_of("name").map_or_else(|| folder_name(look.folder), str::to_owned);
    let defaults = look.around.document(&nx).ok();
    let mut reading = Reading::default();
    for (key, target) in root.below(&["targets"]) {
        reading.tasks.push(draft(&name, key, target, defaults.as_deref(), top));
    }
    Ok(reading.unless_empty())
}

fn folder_name(folder: &Path) -> String {
    folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn draft(project: &str, key: &Key, target: &Node, nx: Option<&Node>, top: &Path) -> Draft {
    let default = nx.and_then(|nx| nx.path(&["targetDefaults", &key.text]));
    let needs = target.get("dependsOn").or_else(|| default?.get("dependsOn"));
    let needs = needs.map_or(&[][..], Node::items).iter().filter_map(|it| {
        let name = it.text().or_else(|| it.text_of("target"))?;
        let of_others = it.flag("dependencies") || name.starts_with('^');
        Some(if of_others { format!("^{}", name.trim_start_matches('^')) } else { format!("{project}:{name}") })
    });
    let command = target.text_of("command").or_else(|| target.path(&["options", "command"])?.text());
    let command = command.or_else(|| target.text_of("executor")).unwrap_or("");
    let mut draft = Draft::new(format!("{project}:{}", key.text), key.at.line)
        .describe(target.path(&["metadata", "description"]).and_then(Node::text), Origin::Field)
        .group(Some(&*key.text))
        .after(needs.collect())
        .runs(command);
    draft.folder = Some(top.to_owned());
    draft
}

/// Packages of the workspace: their `nx` targets and their scripts; then what plugins make of other tools' files.
fn workspace(look: &Look<'_>) -> Read {
    let nx = look.jsonc()?;
    let mut reading = Reading::default();
    let plugins: Vec<&str> = nx
        .get("plugins")
        .map_or(&[][..], Node::items)
        .iter()
        .filter_map(|it| it.text().or_else(|| it.text_of("plugin")))
        .collect();
    let packages = members(look.around, look.folder);
    for package in &packages {
        of_package(look, &nx, package, &mut reading);
    }
    let mut folders: Vec<(String, &Path)> = packages.iter().map(|it| (it.name.clone(), it.folder.as_path())).collect();
    for path in look.around.below(look.folder, "project.json") {
        let Some(folder) = path.parent() else { continue };
        let name = look.around.document(path).ok().and_then(|it| it.text_of("name").map(str::to_owned));
        if !folders.iter().any(|(_, known)| *known == folder) {
            folders.push((name.unwrap_or_else(|| folder_name(folder)), folder));
        }
    }
    for (name, folder) in &folders {
        inferred(look, &plugins, name, folder, &mut reading);
    }
    for plugin in plugins.iter().filter(|plugin| !KNOWN.iter().any(|(known, _)| known == *plugin)) {
        reading.uncounted(format!("targets that the plugin {plugin} makes"));
    }
    if plugins.is_empty() && nx.get("extends").is_some() {
        reading.uncounted("what `extends` adds");
    }
    Ok(Some(reading))
}

fn of_package(look: &Look<'_>, nx: &Node, package: &Package, reading: &mut Reading) {
    let file = package.folder.join("package.json");
    let config = package.json.get("nx");
    let name = config.and_then(|it| it.text_of("name")).unwrap_or(&package.name);
    let own = config.map_or(&[][..], |it| it.below(&["targets"]));
    for (key, target) in own {
        let mut it = draft(name, key, target, Some(nx), look.folder);
        it.file = Some(file.clone());
        reading.tasks.push(it);
    }
    let included = config.and_then(|it| it.get("includedScripts"));
    for (key, script) in package.json.below(&["scripts"]) {
        let wanted = included.is_none_or(|it| it.texts().iter().any(|it| *it == *key.text));
        if !wanted || own.iter().any(|(known, _)| known.text == key.text) {
            continue;
        }
        let mut it = draft(name, key, script, Some(nx), look.folder).definition(Definition::Inferred);
        it.command = script.text().unwrap_or("").to_owned();
        it.file = Some(file.clone());
        reading.tasks.push(it);
    }
}

/// A configuration file that a plugin looks for: its stem, and the targets that it makes of it.
type Rule = (&'static str, &'static [&'static str]);

/// The plugins that are imitated.
const KNOWN: [(&str, &[Rule]); 11] = [
    ("@nx/eslint/plugin", &[("eslint.config", &["lint"]), (".eslintrc", &["lint"])]),
    ("@nx/jest/plugin", &[("jest.config", &["test"])]),
    ("@nx/vitest", &[("vitest.config", &["test"])]),
    (
        "@nx/vite/plugin",
        &[
            ("vite.config", &["build", "serve", "dev", "preview", "serve-static", "typecheck"]),
            ("vitest.config", &["test"]),
        ],
    ),
    ("@nx/cypress/plugin", &[("cypress.config", &["e2e", "open-cypress", "e2e-ci"])]),
    ("@nx/playwright/plugin", &[("playwright.config", &["e2e", "e2e-ci"])]),
    ("@nx/webpack/plugin", &[("webpack.config", &["build", "serve", "preview", "serve-static"])]),
    ("@nx/rspack/plugin", &[("rspack.config", &["build", "serve", "preview", "serve-static"])]),
    ("@nx/next/plugin", &[("next.config", &["build", "dev", "start", "serve-static"])]),
    (
        "@nx/storybook/plugin",
        &[(".storybook/main", &["build-storybook", "storybook", "test-storybook", "static-storybook"])],
    ),
    ("@nx/js/typescript", &[("tsconfig", &["typecheck"])]),
];

fn inferred(look: &Look<'_>, plugins: &[&str], project: &str, folder: &Path, reading: &mut Reading) {
    // What project.json says itself is listed there.
    let explicit = look.around.document(&folder.join("project.json")).ok();
    for (plugin, rules) in KNOWN.iter().filter(|(name, _)| plugins.contains(name)) {
        for (stem, targets) in *rules {
            let Some(file) = config(look, folder, stem) else { continue };
            for target in *targets {
                let name = format!("{project}:{target}");
                let is_explicit = explicit.as_ref().is_some_and(|it| it.path(&["targets", target]).is_some());
                if is_explicit || reading.tasks.iter().any(|known| known.name == name) {
                    continue;
                }
                let mut draft = Draft::new(name, 1)
                    .describe(Some(format!("{plugin} makes it of {}", folder_name(&file))), Origin::Known)
                    .group(Some(*target))
                    .definition(Definition::Inferred);
                draft.file = Some(file.clone());
                draft.folder = Some(look.folder.to_owned());
                reading.tasks.push(draft);
            }
            // Options of a plugin rename its targets.
            reading.uncounted("inferred targets, which the plugins' options may rename");
        }
    }
}

/// `jest.config.ts` for `jest.config`.
fn config(look: &Look<'_>, folder: &Path, stem: &str) -> Option<std::path::PathBuf> {
    let (inner, last) = stem.rsplit_once('/').unwrap_or(("", stem));
    let folder = folder.join(inner);
    let names = look.around.names(&folder);
    let fits = |name: &&String| {
        name.strip_prefix(last)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') && rest.matches('.').count() == 1)
    };
    names.iter().find(fits).map(|name| folder.join(name))
}
