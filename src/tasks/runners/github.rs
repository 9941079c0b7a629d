//! GitHub Actions: jobs of workflows, <https://docs.github.com/actions/reference/workflow-syntax-for-github-actions>.

use crate::tasks::formats::Node;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner};
use crate::tasks::{Argument, Draft, Kind, Origin};

pub const RUNNER: Runner = Runner::new("github", read).every(&[".github/workflows/*.yml", ".github/workflows/*.yaml"]);

fn read(look: &Look<'_>) -> Read {
    let workflow = look.yaml()?;
    let Some(jobs) = workflow.get("jobs") else { return Ok(None) };
    let inputs = workflow.below(&["on", "workflow_dispatch", "inputs"]);
    let arguments: Vec<Argument> = inputs.iter().map(|(key, input)| argument(&key.text, input)).collect();
    let title = workflow.text_of("name").unwrap_or(look.stem());
    let file = look.path.strip_prefix(look.folder).unwrap_or(look.path).display().to_string();
    let has_act = look.has(".actrc");
    let tasks = jobs.entries().iter().map(|(key, job)| {
        // Jobs of one name are common among workflows, so the workflow's file is part of the name.
        let mut draft = Draft::new(format!("{}/{}", look.stem(), key.text), key.at.line)
            .describe(job.text_of("name"), Origin::Field)
            .kind(Kind::Job)
            .group(Some(title))
            .arguments(arguments.clone())
            .after(job.texts_of("needs").iter().map(|it| format!("{}/{it}", look.stem())).collect())
            .runs(commands(job));
        // act runs jobs here; a project that uses it says so.
        if has_act {
            draft = draft.words(["act", "-j", &key.text, "-W", &file]);
        }
        draft
    });
    let mut reading = Reading::of(tasks.collect());
    for (_, job) in jobs.entries().iter().filter(|(_, job)| job.get("strategy").is_some()) {
        // One job is many by its matrix; all have its name.
        if job.path(&["strategy", "matrix"]).is_some_and(|matrix| matrix.text().is_some()) {
            reading.gap("jobs whose matrix is computed");
        }
    }
    Ok(Some(reading))
}

fn argument(name: &str, input: &Node) -> Argument {
    let argument = Argument::optional(name).or(input.text_of("default")).about(input.text_of("description"));
    Argument { required: input.flag("required"), ..argument }
}

/// What a job's steps run, one after the other; or the workflow that it stands for.
fn commands(job: &Node) -> String {
    let steps = job.get("steps").map_or(&[][..], Node::items);
    let lines = steps.iter().filter_map(|step| step.text_of("run")).map(str::trim);
    let own = lines.collect::<Vec<_>>().join("\n");
    if own.is_empty() { job.text_of("uses").unwrap_or("").to_owned() } else { own }
}
