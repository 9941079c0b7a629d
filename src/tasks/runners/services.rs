//! Processes of a project, as process managers list them: Procfile, process-compose, mprocs.

use crate::tasks::formats::Node;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner, Via};
use crate::tasks::{Draft, Kind, Origin};

/// <https://devcenter.heroku.com/articles/procfile>
pub const PROCFILE: Runner = Runner::new("procfile", procfile).every(&["Procfile", "Procfile.*"]);
/// <https://f1bonacc1.github.io/process-compose/>
pub const PROCESS_COMPOSE: Runner = Runner::new("process-compose", process_compose)
    .first(&["process-compose.yaml", "process-compose.yml"])
    .runs(Via::Path, &["process-compose", "run", "{}"]);
/// <https://github.com/pvolok/mprocs>
pub const MPROCS: Runner = Runner::new("mprocs", mprocs).first(&["mprocs.yaml"]);

fn procfile(look: &Look<'_>) -> Read {
    let mut reading = Reading::default();
    let file = look.name();
    // Overmind and Foreman start one of them by its name.
    let program = if look.has(".overmind.env") { "overmind" } else { "foreman" };
    for (at, line) in look.text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        match line.split_once(':').filter(|(name, _)| is_name(name.trim())) {
            Some((name, command)) => {
                let name = name.trim();
                let draft = Draft::new(name, at + 1).kind(Kind::Service).runs(command.trim());
                reading.tasks.push(draft.words([program, "start", "-f", file, name]));
            }
            None => reading.uncounted(format!("line {} is no `name: command`", at + 1)),
        }
    }
    // Without a single process it is something else of that name.
    Ok(Some(reading).filter(|it| !it.tasks.is_empty()))
}

fn process_compose(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let tasks = root.below(&["processes"]).iter().map(|(key, process)| {
        Draft::new(&*key.text, key.at.line)
            .describe(process.text_of("description"), Origin::Field)
            .kind(Kind::Service)
            .group(process.text_of("namespace"))
            .after(process.names_of("depends_on"))
            .private(process.flag("disabled"))
            .runs(process.text_of("command").unwrap_or(""))
    });
    Ok(Reading::of(tasks.collect()).unless_empty())
}

fn mprocs(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let tasks = root.below(&["procs"]).iter().map(|(key, process)| {
        let words = process.get("cmd").map(Node::texts).unwrap_or_default();
        let shell = process.text().or_else(|| process.text_of("shell"));
        let draft = Draft::new(&*key.text, key.at.line).kind(Kind::Service);
        match shell {
            Some(line) => draft.runs(line).words(["sh", "-c", line]),
            None if words.is_empty() => draft,
            None => draft.runs(words.join(" ")).words(words),
        }
    });
    Ok(Reading::of(tasks.collect()).unless_empty())
}
