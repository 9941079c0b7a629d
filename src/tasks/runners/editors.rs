//! Tasks of editors: what a project's authors run from VS Code, Zed, Fleet and JetBrains.

use crate::tasks::formats::{Node, xml};
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner};
use crate::tasks::{Argument, Draft, Kind, Origin};

/// <https://code.visualstudio.com/docs/debugtest/tasks>
pub const VSCODE: Runner = Runner::new("vscode", vscode).every(&[".vscode/tasks.json", ".vscode/launch.json"]);
/// <https://zed.dev/docs/tasks>
pub const ZED: Runner = Runner::new("zed", zed).first(&[".zed/tasks.json"]);
/// JetBrains Fleet's run configurations.
pub const FLEET: Runner = Runner::new("fleet", fleet).first(&[".fleet/run.json"]);
/// <https://www.jetbrains.com/help/idea/run-debug-configuration.html>
pub const JETBRAINS: Runner =
    Runner::new("jetbrains", jetbrains).every(&[".run/*.run.xml", ".idea/runConfigurations/*.xml"]);

fn vscode(look: &Look<'_>) -> Read {
    let root = look.jsonc()?;
    if look.stem() == "launch" {
        return Ok(launch(&root));
    }
    let inputs: Vec<Argument> = root.get("inputs").map_or(&[][..], Node::items).iter().filter_map(input).collect();
    let mut reading = Reading::default();
    for task in root.get("tasks").map_or(&[][..], Node::items) {
        match vscode_task(task, &inputs) {
            Some(draft) => reading.tasks.push(draft),
            None => reading.gap("tasks without a label"),
        }
    }
    Ok(reading.unless_empty())
}

fn vscode_task(task: &Node, inputs: &[Argument]) -> Option<Draft> {
    let script = || Some(format!("{}: {}", task.text_of("type")?, task.text_of("script").or(task.text_of("task"))?));
    let label = task.text_of("label").or_else(|| task.text_of("taskName")).map(str::to_owned).or_else(script)?;
    let command = task.get("command").and_then(|it| it.text().or_else(|| it.text_of("value"))).unwrap_or("");
    let given = task.get("args").map_or(&[][..], Node::items);
    let words: Vec<&str> = std::iter::once(command)
        .chain(given.iter().filter_map(|it| it.scalar().or_else(|| it.text_of("value"))))
        .collect();
    let line = words.join(" ");
    let group = task.get("group").and_then(|it| it.text().or_else(|| it.text_of("kind")));
    let used = inputs.iter().filter(|input| line.contains(&format!("${{input:{}}}", input.name))).cloned();
    let mut draft = Draft::new(label, task.at.line)
        .describe(task.text_of("detail"), Origin::Field)
        .private(task.flag("hide"))
        .group(group)
        .kind(if task.flag("isBackground") { Kind::Service } else { Kind::Task })
        .arguments(used.collect())
        .after(needs(task))
        .runs(line.trim());
    draft.words = match task.text_of("type") {
        // It stands for a task of another runner, or for what an extension does.
        Some("npm") => task.text_of("script").map(|it| ["npm", "run", it].map(str::to_owned).to_vec()),
        Some("process") if !line.contains("${") => Some(words.iter().map(|it| (*it).to_owned()).collect()),
        Some("shell") | None if !command.is_empty() && !line.contains("${") => {
            Some(["sh", "-c", &line].map(str::to_owned).to_vec())
        }
        _ => None,
    };
    Some(draft)
}

/// `dependsOn: "a"`, `["a", {"type": "npm", "script": "b"}]`.
fn needs(task: &Node) -> Vec<String> {
    let Some(needs) = task.get("dependsOn") else { return Vec::new() };
    let all = if needs.items().is_empty() { std::slice::from_ref(needs) } else { needs.items() };
    all.iter()
        .filter_map(|it| it.text().or_else(|| it.text_of("label")).or_else(|| it.text_of("script")))
        .map(str::to_owned)
        .collect()
}

fn input(input: &Node) -> Option<Argument> {
    let argument = Argument::required(input.text_of("id")?).or(input.text_of("default"));
    Some(argument.about(input.text_of("description")))
}

/// Debugging is the editor's; the configurations are shown.
fn launch(root: &Node) -> Option<Reading> {
    let all = root.get("configurations").map_or(&[][..], Node::items);
    let compounds = root.get("compounds").map_or(&[][..], Node::items);
    let tasks = all.iter().chain(compounds).filter_map(|it| {
        let needs = it.texts_of("configurations").into_iter().chain(it.text_of("preLaunchTask").map(str::to_owned));
        let draft = Draft::new(it.text_of("name")?, it.at.line).kind(Kind::Job).group(Some("launch"));
        let program = it.text_of("program").or_else(|| it.text_of("module")).or_else(|| it.text_of("command"));
        Some(draft.after(needs.collect()).runs(program.unwrap_or("")))
    });
    Reading::of(tasks.collect()).unless_empty()
}

fn zed(look: &Look<'_>) -> Read {
    let root = look.jsonc()?;
    let tasks = root.items().iter().filter_map(|task| Some(shown(task, task.text_of("label")?)));
    Ok(Reading::of(tasks.collect()).unless_empty())
}

fn fleet(look: &Look<'_>) -> Read {
    let root = look.jsonc()?;
    let all = root.get("configurations").map_or(&[][..], Node::items);
    let tasks = all.iter().filter_map(|task| {
        let mut draft = shown(task, task.text_of("name")?);
        if draft.command.is_empty() {
            draft.command = format!("{} {}", task.text_of("type").unwrap_or(""), task.texts_of("tasks").join(" "))
                .trim()
                .to_owned();
        }
        draft.depends_on = task.texts_of("dependsOn");
        Some(draft)
    });
    Ok(Reading::of(tasks.collect()).unless_empty())
}

/// A command with its words, which run as they stand where the editor fills nothing in.
fn shown(task: &Node, label: &str) -> Draft {
    let program = task.text_of("command").or_else(|| task.text_of("program")).unwrap_or("");
    let line = std::iter::once(program.to_owned()).chain(task.texts_of("args")).collect::<Vec<_>>().join(" ");
    let draft = Draft::new(label, task.at.line).runs(line.trim());
    match line.trim().is_empty() || line.contains('$') {
        true => draft,
        false => draft.words(["sh", "-c", line.trim()]),
    }
}

fn jetbrains(look: &Look<'_>) -> Read {
    let tasks = xml::parse(look.text, |document| {
        let all = document.descendants().filter(|node| node.has_tag_name("configuration"));
        let named = all.filter_map(|node| {
            let kind = node.attribute("factoryName").or(node.attribute("type")).unwrap_or("");
            let options = node.descendants().filter(|it| it.has_tag_name("option"));
            let script = options
                .filter(|it| matches!(it.attribute("name"), Some("SCRIPT_TEXT" | "SCRIPT_NAME" | "MAIN_CLASS_NAME")));
            let command = script.filter_map(|it| it.attribute("value")).find(|it| !it.is_empty()).unwrap_or(kind);
            let draft = Draft::new(node.attribute("name")?, xml::line(node)).group(Some(kind)).kind(Kind::Job);
            Some(draft.private(node.attribute("default") == Some("true")).runs(command))
        });
        named.collect::<Vec<_>>()
    })?;
    Ok(Reading::of(tasks).unless_empty())
}
