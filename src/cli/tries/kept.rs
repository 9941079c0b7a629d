//! What is left of versions that were tried, where no engine runs.

use std::process::ExitCode;

use super::{NOTHING, Row, Try, chosen, show};
use crate::cli::args::Global;
use crate::cli::error::Error;
use crate::cli::locate;
use crate::cli::output::Output;
use crate::effects::places::Home;
use crate::effects::{registry, tries};
use crate::view::Steering;

/// Lists it, or removes what was chosen. `error` says that there is no engine.
pub async fn run(global: &Global, args: &Try, error: Error, output: &Output) -> Result<ExitCode, Error> {
    // A folder without a manifest has no workspace either.
    let Ok(request) = locate::manifest(global) else { return Err(error) };
    let workspace = locate::load(&request, output)?;
    let home = locate::places()?.home(&locate::id(&workspace, &request));
    let read = || tries::read(&home.tries());
    let rows = |known: &[tries::Try]| known.iter().map(row).collect::<Vec<Row>>();
    let Some(name) = &args.end else {
        show(&rows(&read()), "not running", output);
        return Ok(ExitCode::SUCCESS);
    };
    if chosen(&rows(&read()), name, args)?.is_empty() {
        output.say(NOTHING);
        return Ok(ExitCode::SUCCESS);
    }
    let _lock = lock(&home)?;
    // What another has ended until now is not to be ended again.
    let known = read();
    let names = chosen(&rows(&known), name, args)?;
    end(&home, known, &names, args.force, output).await?;
    Ok(ExitCode::SUCCESS)
}

/// No engine begins while this is held.
fn lock(home: &Home) -> Result<registry::Lock, Error> {
    match registry::lock(&home.lock()) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(Error::failed("an engine of this workspace is just starting or ending")
            .hint("wait a moment, then call again")),
        Err(error) => Err(Error::failed(format!("{} cannot be locked: {error}", home.lock().display()))),
    }
}

fn row(it: &tries::Try) -> Row {
    let left = "its engine was killed: the next `nagaya up` goes on with it";
    Row {
        name: it.name.clone(),
        service: it.service.clone(),
        version: it.version.clone(),
        state: None,
        folder: it.folder.display().to_string(),
        branch: it.worktree.as_ref().map(|worktree| worktree.branch.clone()),
        worktree: it.worktree.as_ref().map(|worktree| worktree.path.display().to_string()),
        reason: Some(it.kept.clone().unwrap_or_else(|| left.to_owned())),
        header: Steering::header(&it.service, &it.name),
    }
}

/// Removes the worktrees of these, unless something would be lost.
async fn end(home: &Home, known: Vec<tries::Try>, names: &[String], force: bool, output: &Output) -> Result<(), Error> {
    let (mut ended, mut rest, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for it in known {
        let removed = match &it.worktree {
            _ if !names.contains(&it.name) => {
                rest.push(it);
                continue;
            }
            Some(worktree) => worktree.remove(force).await,
            None => Ok(()),
        };
        match removed {
            Ok(()) => ended.push(it.name),
            Err(why) => {
                errors.push(format!("the worktree of {} is kept: {why}", it.name));
                // What is to go on with the next `up` still is.
                let kept = it.kept.as_ref().map(|_| why.to_string());
                rest.push(tries::Try { kept, ..it });
            }
        }
    }
    let written = tries::write(home, &rest.iter().collect::<Vec<_>>());
    written.map_err(|error| Error::failed(format!("{} cannot be written: {error}", home.tries().display())))?;
    ended.iter().for_each(|name| output.say(&format!("{name} has ended")));
    if !errors.is_empty() {
        let hint = "commit what matters to a branch; `--force` drops it all the same";
        return Err(Error::failed(errors.join("\n")).hint(hint));
    }
    if output.json {
        output.json(&serde_json::json!({ "ended": ended }));
    }
    Ok(())
}
