//! `nagaya why`: the chain of blockers, the last probe, the last lines, what comes next.

use std::process::ExitCode;

use super::args::{Either, Global};
use super::error::{Code, Error};
use super::locate::connect;
use super::output::{Output, dim, said};
use super::wait::{shared_port, tail_of};
use crate::manifest::did_you_mean;
use crate::model::Workspace;
use crate::view::{label, lost_lines};

/// Lines of the log that are shown.
const LINES: usize = 10;

/// Explains one service or task.
pub fn run(global: &Global, args: &Either, output: &Output) -> Result<ExitCode, Error> {
    // A task is known without an engine.
    let silent = output.silent();
    let workspace = super::run::workspace(global, &[], &silent).ok().and_then(|(workspace, _)| workspace);
    let name = args.name.as_str();
    if let Some(workspace) = &workspace
        && let Some(task) = workspace.tasks.get_index_of(name)
    {
        return super::run::why(workspace, task, output);
    }
    // What only an engine knows has a name of its own kind, as `users#2`.
    let is_service = match &workspace {
        Some(workspace) => workspace.services.contains_key(name),
        // No manifest is here: the workspace that was named is its engine's.
        None => super::block(runs(global, name, &silent)).unwrap_or(false),
    };
    if is_service || name.contains('#') {
        return super::block(service(global, args, output));
    }
    match super::run::find_task(global, name, &silent) {
        Ok(task) => Ok(super::run::why_found(&task, output)),
        Err(no_task) => super::block(service(global, args, output))
            .map_err(|error| unknown(name, workspace.as_ref(), no_task, error)),
    }
}

/// What there is to say of a name that is neither a service nor a task: what may have been meant, where anything is near.
fn unknown(name: &str, workspace: Option<&Workspace>, no_task: Error, error: Error) -> Error {
    let services = workspace.into_iter().flat_map(|workspace| workspace.services.keys());
    let service = did_you_mean(name, services.map(|service| service.as_str()));
    let near = service.or_else(|| no_task.hints.into_iter().find(|hint| hint.starts_with("did you mean")));
    let is_unknown = matches!(error.code, Code::NoEngine | Code::Usage) && (near.is_some() || workspace.is_some());
    if !is_unknown {
        return error;
    }
    let hint = near.unwrap_or_else(|| "`nagaya ps` lists the services, and `nagaya tasks` the tasks".to_owned());
    Error::new(error.code, format!("there is no service or task `{name}`")).hint(hint)
}

/// Whether an engine has a service of this name.
async fn runs(global: &Global, name: &str, output: &Output) -> Result<bool, Error> {
    let (client, _) = connect(global, output)?;
    Ok(client.services().await?.iter().any(|row| row.name == name))
}

async fn service(global: &Global, args: &Either, output: &Output) -> Result<ExitCode, Error> {
    let (client, engine) = connect(global, output)?;
    let mut why = client.why(&args.name).await?;
    // The one that holds it up has the lines that matter.
    let culprit = why.culprit();
    why.last_lines = tail_of(&engine.state, &culprit, LINES);
    if output.json {
        output.json(&why);
        return Ok(ExitCode::SUCCESS);
    }
    output.line(&format!("{} {}", why.service, said(why.state)));
    let (reason, next) = why.sentences();
    if let Some(reason) = &reason {
        output.line(&format!("  {reason}"));
    }
    for unwell in &why.instances {
        let reason = unwell.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        output.line(&format!("  {} {}{reason}", label(&why.service, unwell.instance), said(unwell.state)));
    }
    for (depth, blocker) in why.blockers.iter().enumerate() {
        let reason = blocker.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let indent = "  ".repeat(depth.min(8) + 1);
        output.line(&format!(
            "{indent}↳ {} must be {}, {}{reason}",
            blocker.service,
            blocker.condition,
            said(blocker.state)
        ));
    }
    if let Some(probe) = why.last_probe.as_ref().filter(|probe| !why.ready && why.reason.as_ref() != Some(*probe)) {
        output.line(&format!("  last probe: {probe}"));
    }
    for refused in &why.refused {
        output.line(&format!("  its call to {} was refused: {}", refused.to, refused.hint));
    }
    for port in &why.silent_ports {
        output.line(&format!("  its port {}: {}", port.name, port.finding));
    }
    for missing in &why.unpublished {
        output.line(&format!("  it is not published on port {}: {}", missing.number, missing.because));
    }
    if let Some(lost) = lost_lines(why.lost_lines) {
        output.line(&format!("  {lost}"));
    }
    let rows = client.services().await?;
    let shared = rows.iter().find(|row| row.name == culprit.service).and_then(|row| shared_port(row, &why.last_lines));
    if let Some(shared) = shared.filter(|_| !why.ready) {
        output.line(&format!("  {shared}"));
    }
    if let Some(scaling) = &why.scaling {
        output.line(&format!("  {scaling}"));
    }
    if let Some(next) = &next {
        output.line(&format!("  {next}"));
    }
    if !why.last_lines.is_empty() && why.is_wanting() {
        output.line(&dim(&format!("  the last lines of {}:", culprit.label())));
        why.last_lines.iter().for_each(|line| output.line(&format!("    {line}")));
    }
    Ok(ExitCode::SUCCESS)
}
