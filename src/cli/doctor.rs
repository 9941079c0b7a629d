//! `nagaya doctor`: what stands between this machine and all that nagaya can do, and in the way of builds.

use std::process::ExitCode;

use anstyle::AnsiColor;
use serde::Serialize;

use super::args::Global;
use super::error::Code;
use super::locate;
use super::output::{Output, dim, tint};
use crate::effects::doctor::dockerfile::advise;
use crate::effects::doctor::{self, Finding, Status};
use crate::effects::environment;
use crate::effects::fs::{self, Disk};
use crate::engine;
use crate::manifest;
use crate::model::Build;

#[derive(Serialize)]
struct Answer {
    findings: Vec<Finding>,
}

/// Prints all findings. Called while there is one thread; changes nothing.
pub fn run(global: &Global, output: &Output) -> ExitCode {
    let (possible, datagrams) = engine::all_possible();
    let mut findings = doctor::findings(&doctor::gather(possible, datagrams));
    findings.extend(of_builds(global));
    let is_sound = findings.iter().all(|finding| finding.status != Status::Problem);
    match output.json {
        true => output.json(&Answer { findings }),
        false => findings.iter().for_each(|finding| show(finding, output)),
    }
    if is_sound { ExitCode::SUCCESS } else { ExitCode::from(Code::Failed as u8) }
}

/// Advice on the Dockerfiles of the manifest, where there is one that can be read.
fn of_builds(global: &Global) -> Vec<Finding> {
    let Ok(request) = locate::manifest(global) else { return Vec::new() };
    let (workspace, _) = manifest::load(&request, &environment::shell(), &Disk);
    let services = workspace.iter().flat_map(|workspace| workspace.services.values());
    let mut builds: Vec<&Build> = Vec::new();
    for build in services.filter_map(|service| service.container()?.image.build.as_ref()) {
        // Several services may be built from one.
        if !builds.iter().any(|known| (&known.context, &known.dockerfile) == (&build.context, &build.dockerfile)) {
            builds.push(build);
        }
    }
    builds.into_iter().filter(|build| build.inline.is_none()).flat_map(advice).collect()
}

fn advice(build: &Build) -> Vec<Finding> {
    let file = build.context.join(build.dockerfile.as_deref().unwrap_or("Dockerfile".as_ref()));
    let mut beside = file.as_os_str().to_owned();
    beside.push(".dockerignore");
    let is_filtered = fs::exists(&build.context.join(".dockerignore")) || fs::exists(beside.as_ref());
    // One that is not there is told by whoever builds.
    let Ok(text) = fs::read_text(&file) else { return Vec::new() };
    advise(&text, is_filtered).iter().map(|advice| advice.finding(&file)).collect()
}

fn show(finding: &Finding, output: &Output) {
    let mark = match finding.status {
        Status::Ok => tint("✓", AnsiColor::Green),
        Status::Warning => tint("!", AnsiColor::Yellow),
        Status::Problem => tint("✗", AnsiColor::Red),
    };
    if output.quiet && finding.status == Status::Ok {
        return;
    }
    output.line(&format!("{mark} {:<11}  {}", finding.check, finding.message));
    let lines = finding.fix.as_deref().unwrap_or_default().lines();
    lines.for_each(|line| output.line(&dim(&format!("{:15}{line}", ""))));
}
