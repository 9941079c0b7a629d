//! CI servers other than GitHub's: their jobs are shown, and run only there.

use crate::tasks::formats::Node;
use crate::tasks::look::Look;
use crate::tasks::runner::{Read, Reading, Runner};
use crate::tasks::{Draft, Kind, Origin};

/// <https://docs.gitlab.com/ci/yaml/>
pub const GITLAB: Runner = Runner::new("gitlab", gitlab).first(&[".gitlab-ci.yml", ".gitlab-ci.yaml"]);
/// <https://circleci.com/docs/configuration-reference/>
pub const CIRCLE: Runner = Runner::new("circleci", circle).first(&[".circleci/config.yml", ".circleci/config.yaml"]);
/// <https://docs.travis-ci.com/user/build-stages/>
pub const TRAVIS: Runner = Runner::new("travis", travis).first(&[".travis.yml"]);
/// <https://learn.microsoft.com/azure/devops/pipelines/yaml-schema/>
pub const AZURE: Runner = Runner::new("azure", azure).first(&["azure-pipelines.yml", "azure-pipelines.yaml"]);
/// <https://support.atlassian.com/bitbucket-cloud/docs/bitbucket-pipelines-configuration-reference/>
pub const BITBUCKET: Runner = Runner::new("bitbucket", bitbucket).first(&["bitbucket-pipelines.yml"]);

/// Keys of GitLab that are no jobs.
const GITLAB_KEYS: [&str; 13] = [
    "after_script",
    "before_script",
    "cache",
    "default",
    "image",
    "include",
    "pages",
    "services",
    "spec",
    "stages",
    "types",
    "variables",
    "workflow",
];

fn job(name: &str, line: usize) -> Draft {
    Draft::new(name, line).kind(Kind::Job)
}

fn gitlab(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let is_job = |name: &str, it: &Node| it.is_map() && (name == "pages" || !GITLAB_KEYS.contains(&name));
    let jobs = root.entries().iter().filter(|(key, it)| is_job(&key.text, it));
    let tasks = jobs.map(|(key, it)| {
        job(&key.text, key.at.line)
            .private(key.text.starts_with('.'))
            .group(it.text_of("stage"))
            .after(needs(it))
            .runs(it.texts_of("script").join("\n"))
    });
    let mut reading = Reading::of(tasks.collect());
    if root.get("include").is_some() {
        reading.uncounted("jobs of included files (`include`)");
    }
    Ok(Some(reading))
}

/// `needs: [a, {job: b}]`.
fn needs(job: &Node) -> Vec<String> {
    let needs = job.get("needs").map_or(&[][..], Node::items);
    needs.iter().filter_map(|it| it.text().or_else(|| it.text_of("job"))).map(str::to_owned).collect()
}

fn circle(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let tasks = root.below(&["jobs"]).iter().map(|(key, it)| {
        let steps = it.get("steps").map_or(&[][..], Node::items);
        let run = |step: &Node| {
            let run = step.get("run")?;
            run.text().or_else(|| run.text_of("command")).map(str::to_owned)
        };
        let commands: Vec<String> = steps.iter().filter_map(run).collect();
        let draft =
            job(&key.text, key.at.line).describe(it.text_of("description"), Origin::Field).runs(commands.join("\n"));
        draft.words(["circleci", "local", "execute", &key.text])
    });
    let mut reading = Reading::of(tasks.collect());
    if root.get("orbs").is_some() {
        reading.uncounted("jobs of orbs");
    }
    Ok(reading.unless_empty())
}

fn travis(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let jobs = root.get("jobs").or_else(|| root.get("matrix"));
    let included = jobs.and_then(|jobs| jobs.get("include")).map_or(&[][..], Node::items);
    let mut tasks: Vec<Draft> = included
        .iter()
        .enumerate()
        .map(|(at, it)| {
            let stage = it.text_of("stage");
            let name = it.text_of("name").or(stage).map_or_else(|| format!("job-{}", at + 1), str::to_owned);
            job(&name, it.at.line).group(stage).runs(it.texts_of("script").join("\n"))
        })
        .collect();
    if let Some((key, script)) = root.entries().iter().find(|(key, _)| &*key.text == "script") {
        tasks.insert(0, job("test", key.at.line).runs(script.texts().join("\n")));
    }
    Ok(Reading::of(tasks).unless_empty())
}

fn azure(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let mut reading = Reading::default();
    azure_jobs(&root, None, &mut reading);
    for stage in root.get("stages").map_or(&[][..], Node::items) {
        azure_jobs(stage, stage.text_of("stage"), &mut reading);
        if stage.get("template").is_some() {
            reading.gap("stages of templates");
        }
    }
    Ok(reading.unless_empty())
}

fn azure_jobs(node: &Node, stage: Option<&str>, reading: &mut Reading) {
    for it in node.get("jobs").map_or(&[][..], Node::items) {
        let Some(name) = it.text_of("job").or_else(|| it.text_of("deployment")) else {
            reading.gap("jobs of templates");
            continue;
        };
        let draft = job(name, it.at.line).describe(it.text_of("displayName"), Origin::Field);
        reading.tasks.push(draft.group(stage).after(it.texts_of("dependsOn")));
    }
}

fn bitbucket(look: &Look<'_>) -> Read {
    let root = look.yaml()?;
    let mut tasks = Vec::new();
    for (kind, pipelines) in root.below(&["pipelines"]) {
        if !pipelines.is_map() {
            tasks.push(job(&kind.text, kind.at.line));
            continue;
        }
        for (key, _) in pipelines.entries() {
            tasks.push(job(&format!("{}/{}", kind.text, key.text), key.at.line).group(Some(&*kind.text)));
        }
    }
    Ok(Reading::of(tasks).unless_empty())
}
