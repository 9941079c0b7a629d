//! `nagaya run --watch`: the same run again whenever files have changed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::task::spawn_blocking;

use super::on_a_runtime;
use super::whose::{Change, Declared, Judged, MOST, Whose};
use crate::cli::args::Global;
use crate::cli::error::{Code, Error};
use crate::cli::output::{Output, dim};
use crate::effects::changes::Look;
use crate::effects::globs::Globs;
use crate::effects::{environment, fs, inputs};
use crate::launcher::Process;
use crate::model::{Signal, Task};
use crate::run::{Channels, Job, Processes};
use crate::supervise::Exit;
use crate::tasks::relative;
use crate::view::{elapsed, listed};

/// Runs and waits, until somebody has had enough. Each run is a process of its own, with all that belongs to it.
pub fn run(global: &Global, tasks: &[String], output: &Output) -> Result<ExitCode, Error> {
    let failed = |error: std::io::Error| Error::failed(format!("the run cannot be watched: {error}"));
    let (_, root) = super::workspace(global, &[], &output.silent())?;
    let job = job(global, &root, output).map_err(failed)?;
    let launcher = Process::fork().map_err(failed)?;
    let at = Watched { root: &root, global, named: tasks, output: output.silent() };
    on_a_runtime(async {
        let processes = Processes::new(launcher).map_err(failed)?;
        let again = rounds(&processes, &job, &at, output).await.map_err(failed);
        processes.end().await;
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

/// A task that writes other files in every run is not to run without a break, and no save is to wait for ever. Each such
/// break is twice as long as the one before.
const PAUSE: Duration = Duration::from_secs(60);

async fn rounds(processes: &Processes, job: &Job, at: &Watched<'_>, output: &Output) -> std::io::Result<()> {
    let mut interrupts = Interrupts::new()?;
    let mut whose = Whose::default();
    let mut before = Look::at(at.root);
    let mut pause = PAUSE;
    loop {
        let Some(exit) = once(processes, job, &mut interrupts).await? else { return Ok(()) };
        let root = at.root.to_owned();
        let after = tokio::select! {
            after = spawn_blocking(move || Look::at(&root)) => after.map_err(std::io::Error::other)?,
            () = interrupts.next() => return Ok(()),
        };
        let shown = |paths: &[PathBuf]| {
            listed(paths.iter().map(|path| path.strip_prefix(at.root).unwrap_or(path).display().to_string()))
        };
        let tasks = at.tasks();
        let changes = after.changes(&before).map(|path| Change {
            path: path.to_owned(),
            is_new: !before.has(path),
            declared: tasks.iter().find_map(|task| task.declares(path)),
        });
        let judged = whose.during(changes, |path| inputs::hash_file(path).ok());
        let taken = whose.taken();
        if !taken.is_empty() {
            let text = "is taken for what the runs write, until it is saved while none is under way";
            output.say(&dim(&format!("{} {text}; `outputs` says so from the first", shown(&taken))));
        }
        let mut rest = None;
        match judged {
            Judged::Own => {}
            Judged::Saved(saved) => {
                output.say(&dim(&format!("{} changed meanwhile: once more", shown(&saved))));
                before = after;
                continue;
            }
            Judged::Endless(others) if others.is_empty() => {}
            Judged::Endless(others) => {
                let text = format!(
                    "changed in the last of {MOST} runs on end; the next begins in {}, or with a save",
                    elapsed(pause)
                );
                output.say(&dim(&format!("{} {text}", shown(&others))));
                rest = Some(pause);
            }
        }
        pause = rest.map_or(PAUSE, |rest| rest * 2);
        // A task that is run alone has its own output and nothing of ours beside it, and its code goes to nobody here.
        let failed = exit.filter(|exit| !exit.success()).map(|exit| format!("the run {exit}; "));
        output.say(&dim(&format!("{}waiting for changes; Ctrl-C ends it", failed.unwrap_or_default())));
        before = tokio::select! {
            saved = until_saved(after.clone(), &mut whose, at) => saved?,
            () = tokio::time::sleep(rest.unwrap_or_default()), if rest.is_some() => after,
            () = interrupts.next() => return Ok(()),
        };
    }
}

/// Waits until something is saved that no task makes, and returns the tree as it is then.
async fn until_saved(mut last: Look, whose: &mut Whose, at: &Watched<'_>) -> std::io::Result<Look> {
    loop {
        let now = last.clone().until_changed(at.root).await?;
        let tasks = at.tasks();
        let made = |path: &&Path| tasks.iter().any(|task| task.declares(path) == Some(Declared::Output));
        let saved: Vec<&Path> = now.changes(&last).filter(|path| !made(path)).collect();
        if !saved.is_empty() {
            whose.between(saved);
            return Ok(now);
        }
        last = now;
    }
}

/// One run, to its end; nothing where somebody has had enough.
async fn once(processes: &Processes, job: &Job, interrupts: &mut Interrupts) -> std::io::Result<Option<Option<Exit>>> {
    // On a terminal nobody else would tell a run that is only begun now.
    if interrupts.next().now_or_never().is_some() {
        return Ok(None);
    }
    let mut running = processes.start_ours(job)?;
    let mut had_enough = false;
    loop {
        let (signal, is_told) = tokio::select! {
            ended = &mut running.end => {
                let ended = ended.ok().and_then(Result::ok).map(|ended| ended.exit);
                return Ok((!had_enough).then_some(ended));
            }
            // On a terminal it has had its own.
            _ = interrupts.interrupt.recv() => (Signal::INT, job.channels == (Channels::Ours { terminal: false })),
            _ = interrupts.terminate.recv() => (Signal::TERM, true),
        };
        had_enough = true;
        if is_told {
            running.signal(signal);
        }
    }
}

/// Ways to say that it is enough.
struct Interrupts {
    interrupt: SignalStream,
    terminate: SignalStream,
}

impl Interrupts {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What is watched, and for which tasks.
struct Watched<'a> {
    root: &'a Path,
    global: &'a Global,
    named: &'a [String],
    output: Output,
}

impl Watched<'_> {
    /// The files of all tasks that run, as the manifest has them by now. What is wrong with it the run itself tells.
    fn tasks(&self) -> Vec<Files> {
        let Ok((Some(workspace), _)) = super::workspace(self.global, self.named, &self.output) else {
            return Vec::new();
        };
        let named = self.named.iter().filter_map(|name| workspace.tasks.get_index_of(name.as_str()));
        let within = workspace.task_graph.closure(named);
        let tasks = workspace.tasks.values().zip(within).filter(|(_, within)| *within);
        tasks.filter_map(|(task, _)| Files::of(task)).collect()
    }
}

/// The files of a task whose result is kept.
struct Files {
    folder: PathBuf,
    inputs: Globs,
    outputs: Globs,
}

impl Files {
    fn of(task: &Task) -> Option<Self> {
        let caching = task.caching.as_ref()?;
        Some(Self {
            folder: fs::real(&task.working_dir).ok()?,
            inputs: Globs::new(&caching.inputs).ok()?,
            outputs: Globs::new(&caching.outputs).ok()?,
        })
    }

    fn declares(&self, path: &Path) -> Option<Declared> {
        let below = path.strip_prefix(&self.folder).map(Path::to_owned);
        let path = below.unwrap_or_else(|_| relative(path, &self.folder).into());
        match (self.outputs.matches(&path), self.inputs.matches(&path)) {
            (true, _) => Some(Declared::Output),
            (false, true) => Some(Declared::Input),
            (false, false) => None,
        }
    }
}
