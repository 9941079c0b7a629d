//! `nagaya run --watch`: the same run again whenever files have changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::on_a_runtime;
use crate::cli::args::Global;
use crate::cli::error::{Code, Error};
use crate::cli::output::{Output, dim};
use crate::effects::changes::Look;
use crate::effects::environment;
use crate::launcher::Process;
use crate::model::Signal;
use crate::run::{Channels, Job, Processes};

/// Runs and waits, until somebody has had enough. Each run is a process of its own, with all that belongs to it.
pub fn run(global: &Global, output: &Output) -> Result<ExitCode, Error> {
    let failed = |error: std::io::Error| Error::failed(format!("the run cannot be watched: {error}"));
    let (_, root) = super::workspace(global, &[], &output.silent())?;
    let job = job(global, &root, output).map_err(failed)?;
    let launcher = Process::fork().map_err(failed)?;
    on_a_runtime(async {
        let processes = Processes::new(launcher).map_err(failed)?;
        let again = rounds(&processes, &job, &root, output).await.map_err(failed);
        processes.end();
        again.map(|()| ExitCode::from(Code::Interrupted as u8))
    })?
}

/// This very command without `--watch`.
fn job(global: &Global, root: &Path, output: &Output) -> std::io::Result<Job> {
    let program = environment::program()?.to_string_lossy().into_owned();
    let words: Vec<String> =
        environment::arguments().iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let own = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let kept = words.iter().enumerate().filter(|(at, word)| *at >= own || *word != "--watch");
    // `-C` is among the words, and is meant from where this process began.
    let began = environment::variable("PWD").map(PathBuf::from).filter(|_| global.directory.is_some());
    let folder = began.or_else(|| environment::folder().ok()).unwrap_or_else(|| root.to_owned());
    Ok(Job {
        name: "run".to_owned(),
        argv: std::iter::once(program).chain(kept.map(|(_, word)| word.clone())).collect(),
        folder,
        variables: environment::everything(),
        channels: Channels::Ours { terminal: output.is_interactive() },
        pod: None,
        among: false,
        lock: None,
        needs: Vec::new(),
        keep: None,
    })
}

async fn rounds(processes: &Processes, job: &Job, root: &Path, output: &Output) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // What runs change themselves is no reason for another.
    let mut made: Option<BTreeSet<PathBuf>> = None;
    loop {
        let before = Look::at(root);
        let mut running = processes.start_ours(job)?;
        let mut exit = None;
        let asked = tokio::select! {
            ended = &mut running.end => {
                exit = ended.ok().and_then(Result::ok).map(|ended| ended.exit);
                false
            }
            _ = interrupt.recv() => {
                if job.channels == (Channels::Ours { terminal: false }) {
                    running.signal(Signal::INT);
                }
                let _ = (&mut running.end).await;
                true
            }
            _ = terminate.recv() => {
                running.signal(Signal::TERM);
                let _ = (&mut running.end).await;
                true
            }
        };
        if asked {
            return Ok(());
        }
        let after = Look::at(root);
        let changed: BTreeSet<PathBuf> = after.changes(&before).map(Path::to_owned).collect();
        let news = made.as_ref().is_some_and(|made| !changed.is_subset(made));
        made.get_or_insert_default().extend(changed);
        if news {
            continue;
        }
        // A task that is run alone has its own output and nothing of ours beside it, and its code goes to nobody here.
        let failed = exit.filter(|exit| !exit.success()).map(|exit| format!("the run {exit}; "));
        output.say(&dim(&format!("{}waiting for changes; Ctrl-C ends it", failed.unwrap_or_default())));
        tokio::select! {
            changed = after.until_changed(root) => drop(changed?),
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
        }
    }
}
