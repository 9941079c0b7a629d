//! One project for each runner, with the traps of its format; what is found in it is written down in `expected`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use nagaya::effects::tree;
use nagaya::tasks::{Argument, Definition, Invoke, Kind, Listing, Task, discover, runner_ids};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tasks/fixtures")
}

/// Lists a folder as the command does.
pub fn list(root: &Path) -> Listing {
    let mut walked = tree::walk(root, None);
    assert_eq!(walked.problems, []);
    discover(root, std::mem::take(&mut walked.files), &walked.disk(), None)
}

/// All that is known, as text that is good to read in a diff.
fn render(root: &Path, listing: &Listing) -> String {
    let mut out = String::new();
    let shown = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    for source in &listing.sources {
        let known = source.completeness.word();
        let reason = source.completeness.reason().map(|it| format!(": {it}")).unwrap_or_default();
        let place = match &source.completeness {
            nagaya::tasks::Completeness::Unreadable(it) => it.at.map(|at| format!(":{}:{}", at.line, at.column)),
            _ => None,
        };
        let place = place.unwrap_or_default();
        writeln!(out, "source {} {}{place} {known}{reason}", source.runner, shown(&source.file)).unwrap();
    }
    for (project, conflict) in &listing.conflicts {
        writeln!(out, "conflict {}: {conflict}", project.display()).unwrap();
    }
    for task in &listing.tasks {
        writeln!(out, "\n{}", one(root, task)).unwrap();
    }
    out
}

fn one(root: &Path, task: &Task) -> String {
    let shown = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let draft = &task.draft;
    let mut out = format!("{}  {}:{}", task.id, shown(&task.file), draft.line);
    let flags = [
        draft.private.then(|| "private".to_owned()),
        (draft.kind != Kind::Task).then(|| draft.kind.word().to_owned()),
        (draft.definition != Definition::Literal).then(|| draft.definition.word().to_owned()),
    ];
    for flag in flags.into_iter().flatten() {
        write!(out, " [{flag}]").unwrap();
    }
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            write!(out, "\n  {name}: {value}").unwrap();
        }
    };
    let description = draft.description.as_ref().map(|it| format!("{} ({})", it.text, it.origin.word()));
    line("says", description.unwrap_or_default());
    line("group", draft.group.clone().unwrap_or_default());
    line("takes", draft.arguments.iter().map(argument).collect::<Vec<_>>().join(", "));
    line("after", draft.depends_on.join(", "));
    line("also", draft.aliases.join(", "));
    line("on", draft.platforms.join(", "));
    line("does", draft.command.replace('\n', " ⏎ "));
    let invoke = match &task.invoke {
        Invoke::Elsewhere => "only elsewhere".to_owned(),
        Invoke::Argv { words, folder, dashes } => {
            let words: Vec<String> =
                words.iter().map(|it| if it.contains(' ') { format!("'{it}'") } else { it.clone() }).collect();
            let place = if shown(folder) == task.project.display().to_string() {
                String::new()
            } else {
                format!(" in {}/", shown(folder))
            };
            format!("{}{}{place}", words.join(" "), if *dashes { " --" } else { "" })
        }
    };
    line("run", invoke);
    out
}

fn argument(it: &Argument) -> String {
    let required = if it.required { "!" } else { "" };
    let dots = if it.variadic { "…" } else { "" };
    let default = it.default.as_ref().map(|it| format!("={it}")).unwrap_or_default();
    let about = it.description.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
    format!("{}{required}{dots}{default}{about}", it.name)
}

#[test]
fn every_runner_is_read() {
    let mut covered: BTreeSet<&str> = BTreeSet::new();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("expected");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut names: Vec<String> =
        fs::read_dir(folder()).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in names {
        let root = folder().join(&name);
        let listing = list(&root);
        assert!(listing.sources.iter().any(|it| it.runner == name), "{name} is not read in its own project");
        covered.extend(listing.sources.iter().filter(|it| it.tasks > 0 || name == "dagger").map(|it| it.runner));
        settings.bind(|| insta::assert_snapshot!(name.clone(), render(&root, &listing)));
        let ids: BTreeSet<&str> = listing.tasks.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids.len(), listing.tasks.len(), "ids are unique in {name}");
        for task in &listing.tasks {
            assert!(task.draft.line > 0 && !task.draft.name.is_empty(), "{task:?}");
        }
    }
    let missing: Vec<&str> = runner_ids().filter(|id| !covered.contains(id)).collect();
    assert_eq!(missing, [""; 0], "runners without a project here");
}
