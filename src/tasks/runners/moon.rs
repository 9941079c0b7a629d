//! moon, <https://moonrepo.dev/docs/config/project>: projects' own tasks, and those that they inherit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::tasks::formats::Node;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Definition, Draft, Kind, Origin};

pub const RUNNER: Runner = Runner::new("moon", read)
    .first(&["moon.yml", "moon.toml", "moon.json"])
    .runs(Via::NodeProgram, &["moon", "run", "{}"]);

const WORKSPACE: [&str; 3] = [".moon/workspace.yml", ".moon/workspace.toml", ".moon/workspace.json"];

fn read(look: &Look<'_>) -> Read {
    let root = look.document()?;
    let top = look.around.nearest(look.folder, &WORKSPACE);
    let name = project_name(look, &root, top.as_ref());
    let mut reading = Reading::default();
    for (key, task) in root.below(&["tasks"]) {
        reading.tasks.push(draft(&name, &key.text, key.at.line, task));
    }
    if let Some((top, _)) = &top {
        inherit(look, top, &root, &name, &mut reading);
    }
    for draft in &mut reading.tasks {
        draft.folder = top.as_ref().map(|(top, _)| (*top).to_path_buf());
    }
    // `project.inheritedTasks.rename` and the like are applied above; templates are not.
    Ok(reading.unless_empty())
}

/// The id that the workspace gives it, or its folder's name.
fn project_name(look: &Look<'_>, root: &Node, top: Option<&(&Path, PathBuf)>) -> String {
    let folder = look.folder.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(id) = root.text_of("id") {
        return id.to_owned();
    }
    let Some((top, workspace)) = top else { return folder };
    let Ok(config) = look.around.document(workspace) else { return folder };
    let sources =
        config.path(&["projects", "sources"]).or_else(|| config.get("projects")).map_or(&[][..], Node::entries);
    let own = look.folder.strip_prefix(top).unwrap_or(look.folder);
    let named =
        sources.iter().find(|(_, path)| path.text().is_some_and(|it| Path::new(it.trim_start_matches("./")) == own));
    named.map_or(folder, |(key, _)| key.text.to_string())
}

fn draft(project: &str, name: &str, line: usize, task: &Node) -> Draft {
    let words = task.get("command").map(Node::texts).unwrap_or_default();
    let command = words.into_iter().chain(task.texts_of("args")).collect::<Vec<_>>().join(" ");
    let script = task.text_of("script").map(str::to_owned);
    let needs = task.get("deps").map_or(&[][..], Node::items);
    let needs = needs.iter().filter_map(|it| it.text().or_else(|| it.text_of("target")));
    let needs = needs.map(|it| match it.strip_prefix("~:") {
        Some(own) => format!("{project}:{own}"),
        None if it.contains(':') => it.to_owned(),
        None => format!("{project}:{it}"),
    });
    let is_server = task.flag("local") || task.text_of("preset").is_some_and(|it| it == "server" || it == "watcher");
    let internal = task.path(&["options", "internal"]).is_some_and(Node::is_true);
    Draft::new(format!("{project}:{name}"), line)
        .describe(task.text_of("description"), Origin::Field)
        .kind(if is_server { Kind::Service } else { Kind::Task })
        .private(internal)
        .after(needs.collect())
        .runs(script.unwrap_or(command))
}

/// Files of `.moon/tasks` and `.moon/tasks.yml`, by what they say they are for.
fn inherit(look: &Look<'_>, top: &Path, project: &Node, name: &str, reading: &mut Reading) {
    let config = project.path(&["workspace", "inheritedTasks"]);
    let (include, exclude) =
        (config.and_then(|it| it.get("include")), config.map(|it| it.texts_of("exclude")).unwrap_or_default());
    let renames = config.map_or(&[][..], |it| it.below(&["rename"]));
    for (file, root) in inherited_files(look, top) {
        let stem = file.file_stem().and_then(|it| it.to_str()).unwrap_or("");
        if !is_for(stem, &root, project) {
            continue;
        }
        for (key, task) in root.below(&["tasks"]) {
            let wanted = include.is_none_or(|it| it.texts().iter().any(|it| *it == *key.text));
            if !wanted || exclude.iter().any(|it| **it == *key.text) {
                continue;
            }
            let renamed = renames.iter().find(|(old, _)| old.text == key.text).and_then(|(_, new)| new.text());
            let mut it = draft(name, renamed.unwrap_or(&key.text), key.at.line, task).definition(Definition::Included);
            it.file = Some(file.clone());
            if !reading.tasks.iter().any(|known| known.name == it.name) {
                reading.tasks.push(it);
            }
        }
    }
}

fn inherited_files(look: &Look<'_>, top: &Path) -> Vec<(PathBuf, Arc<Node>)> {
    let mut out = Vec::new();
    let mut folders = vec![top.join(".moon/tasks")];
    let mut paths: Vec<PathBuf> = ["yml", "toml", "json"]
        .iter()
        .map(|it| top.join(".moon/tasks").with_extension(it))
        .filter(|it| look.around.is_file(it))
        .collect();
    while let Some(folder) = folders.pop() {
        for name in look.around.names(&folder).iter() {
            let path = folder.join(name);
            match path.extension().and_then(|it| it.to_str()) {
                Some("yml" | "toml" | "json") => paths.push(path),
                None if folders.len() < 100 => folders.push(path),
                _ => {}
            }
        }
    }
    for path in paths {
        if let Ok(root) = look.around.document(&path) {
            out.push((path, root));
        }
    }
    out
}

/// `all`, a language, a layer or both: `typescript`, `frontend-library`, `tag-x`; or the file says so itself.
fn is_for(stem: &str, file: &Node, project: &Node) -> bool {
    let layer = project.text_of("layer").or_else(|| project.text_of("type")).unwrap_or("unknown");
    let language = project.text_of("language").unwrap_or("unknown");
    let stack = project.text_of("stack").unwrap_or("unknown");
    let tags = project.texts_of("tags");
    if let Some(wanted) = file.get("inheritedBy") {
        let fits = |key: &str, own: &str| wanted.get(key).is_none_or(|it| it.texts().iter().any(|it| it == own));
        let has_tag = wanted.get("tags").is_none_or(|it| it.texts().iter().any(|it| tags.contains(it)));
        return fits("languages", language) && fits("layers", layer) && fits("stacks", stack) && has_tag;
    }
    match stem {
        "all" | "tasks" => true,
        _ => match stem.strip_prefix("tag-") {
            Some(tag) => tags.iter().any(|it| it == tag),
            None => {
                let own = [language, stack, layer, "node", "bun", "deno"];
                let is_script = ["javascript", "typescript"].contains(&language);
                stem.split('-').all(|part| own[..3].contains(&part) || is_script && own[3..].contains(&part))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Node {
        crate::tasks::formats::yaml::parse(text).unwrap()
    }

    #[test]
    fn whom_inherited_tasks_are_for() {
        let project = document("language: typescript\nlayer: library\ntags: [web]\n");
        let none = document("{}");
        for (stem, wanted) in [
            ("all", true),
            ("typescript-library", true),
            ("rust", false),
            ("tag-web", true),
            ("tag-x", false),
            ("node", true),
        ] {
            assert_eq!(is_for(stem, &none, &project), wanted, "{stem}");
        }
        let file = document("inheritedBy: {languages: [rust, typescript], layers: application}\n");
        assert!(!is_for("x", &file, &project));
    }
}
