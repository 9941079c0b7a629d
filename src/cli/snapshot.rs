//! `nagaya snapshot`: the data of stateful services, kept by a name or by the branch of git, and put back.

mod quiet;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;

use super::args::Global;
use super::error::{Code, Error};
use super::locate;
use super::output::{Output, dim};
use crate::effects::clock;
use crate::effects::places::Home;
use crate::effects::registry::{self, Lock};
use crate::effects::snapshots::{self, Live, NotCopied, Snapshot as Saved, Store, Trouble};
use crate::manifest::{Request, did_you_mean};
use crate::model::{Size, Workspace};
use crate::view::{Align, Table, elapsed};
use quiet::Running;

#[derive(Debug, Args)]
pub struct Snapshot {
    #[command(subcommand)]
    pub what: What,
}

#[derive(Debug, Subcommand)]
pub enum What {
    /// Keep the data as it is now; services whose data it is are stopped meanwhile
    Save {
        /// What it is called [default: after the branch of git]
        name: Option<String>,
    },
    /// Put data back; who has it, and who depends on them, is stopped and started again
    Restore {
        /// Which one [default: the latest of the branch of git]
        name: Option<String>,
    },
    /// Those that there are
    List,
    /// Remove some
    Rm {
        /// Which ones
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// Does it.
pub async fn run(global: &Global, args: Snapshot, output: &Output) -> Result<ExitCode, Error> {
    let site = Site::find(global, output)?;
    match args.what {
        What::Save { name } => site.save(name, global, output).await,
        What::Restore { name } => site.restore(name, output).await,
        What::List => Ok(site.list(output)),
        What::Rm { names } => site.remove(&names, output),
    }
}

/// A row of `snapshot list`.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    time: &'a str,
    services: Vec<&'a str>,
    bytes: u64,
    branch: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn of(saved: &'a Saved) -> Self {
        let branch = saved.branch.as_deref();
        Self { name: &saved.name, time: &saved.time, services: saved.services(), bytes: saved.bytes(), branch }
    }
}

/// The workspace that a command is about, running or not.
struct Site {
    workspace: Workspace,
    home: Home,
    running: Option<Running>,
}

impl Site {
    fn find(global: &Global, output: &Output) -> Result<Self, Error> {
        let engine = locate::engine(global);
        let request = match (&engine, locate::manifest(global)) {
            (_, Ok(request)) => request,
            (Ok(engine), Err(_)) => Request { files: vec![engine.manifest.clone()], ..request(global) },
            (Err(_), Err(error)) => return Err(error),
        };
        let workspace = locate::load(&request, output)?;
        let places = locate::places()?;
        let id = engine.as_ref().map_or_else(|_| locate::id(&workspace, &request), |engine| engine.id.clone());
        let running = engine.ok().map(|engine| Running::new(&engine));
        Ok(Self { workspace, home: places.home(&id), running })
    }

    /// Where the services of snapshots have their data.
    fn lives(&self) -> Vec<Live> {
        let dirs = self.home.data_dirs();
        let services = self.workspace.services.values().filter(|service| service.snapshot);
        services.map(|it| Live { service: it.name.to_string(), folder: dirs.of(it) }).collect()
    }

    /// Its snapshots. Where no engine runs, none begins to until the lock is dropped.
    fn open(&self) -> Result<(Store, Option<Lock>), Error> {
        let store = Store::open(&self.home).map_err(trouble)?;
        if self.running.is_some() {
            return match store.is_torn() {
                true => Err(Error::failed("a restore was ended before it was done")
                    .hint("`nagaya down` and `nagaya up` complete it")),
                false => Ok((store, None)),
            };
        }
        let locked = registry::lock(&self.home.lock());
        let lock = locked.map_err(|error| Error::failed(format!("{}: {error}", self.home.lock().display())))?;
        let Some(lock) = lock else {
            return Err(Error::failed("an engine of this workspace is about to begin or to end").hint("call it again"));
        };
        snapshots::settle(&self.home).map_err(trouble)?;
        Ok((store, Some(lock)))
    }

    async fn branch(&self) -> Option<String> {
        snapshots::branch(&self.workspace.root).await
    }

    async fn save(&self, name: Option<String>, global: &Global, output: &Output) -> Result<ExitCode, Error> {
        let branch = self.branch().await;
        let name = match (name, &branch) {
            (Some(name), _) => checked(name)?,
            (None, Some(branch)) => plain(branch),
            (None, None) => {
                let error = Error::usage("there is no branch of git after which it could be called");
                return Err(error.hint("`nagaya snapshot save NAME`"));
            }
        };
        let lives: Vec<Live> = self.lives().into_iter().filter(snapshots::has_data).collect();
        if lives.is_empty() {
            return Err(nothing_to_save(&self.lives()));
        }
        let (store, _lock) = self.open()?;
        if store.find(&name).is_some() && !global.yes {
            let error = Error::usage(format!("there is a snapshot `{name}` already"));
            return Err(error.hint("`--yes` puts the new one in its place"));
        }
        let begun = clock::instant();
        let names = names_of(&lives);
        let stopped = match &self.running {
            Some(running) => {
                running.check_whole(&names).await?;
                running.stop(&names, output).await?
            }
            None => Vec::new(),
        };
        let store = Arc::new(store);
        let saved = match lives.iter().find(|live| snapshots::is_half_made(live)) {
            Some(half) => Err(half_made(half)),
            None => {
                off_the_loop({
                    let (store, lives, name) = (store.clone(), lives.clone(), name.clone());
                    move |call_off| store.save(&name, branch, &lives, call_off)
                })
                .await
            }
        };
        let started = match &self.running {
            Some(running) => running.start(&stopped, output).await,
            None => Ok(()),
        };
        let (saved, outside) = saved?;
        let placed = saved.clone();
        // It is written to the disk while everything runs again.
        off_the_loop(move |_| store.place(&placed)).await?;
        if let Some(running) = &self.running {
            running.make_ready(&saved.name).await;
        }
        for path in outside {
            output.say(&format!("{} leads out of the data: what is there is not in the snapshot", path.display()));
        }
        told("saved", &saved, begun.elapsed(), output);
        started.map(|()| ExitCode::SUCCESS)
    }

    async fn restore(&self, name: Option<String>, output: &Output) -> Result<ExitCode, Error> {
        let saved = self.chosen(name).await?;
        let lives = self.lives();
        let lives: Vec<Live> = lives.into_iter().filter(|live| saved.services().contains(&&*live.service)).collect();
        if lives.is_empty() {
            let services = saved.services().join(", ");
            return Err(Error::failed(format!("`{}` is of {services}, which the manifest does not have", saved.name)));
        }
        let (store, _lock) = self.open()?;
        let begun = clock::instant();
        let (wanted, from) = (lives.clone(), saved.clone());
        let store = Arc::new(store);
        let staging = store.clone();
        let staged = off_the_loop(move |call_off| staging.stage(&from, &wanted, call_off)).await?;
        let late = match &self.running {
            Some(running) => match running.exchange(&names_of(&lives), &staged, output).await {
                Ok(late) => late,
                Err(error) => {
                    staged.drop_rest();
                    return Err(error);
                }
            },
            None => {
                staged.swap().map_err(trouble)?;
                None
            }
        };
        let took = begun.elapsed();
        staged.keep();
        if let Some(running) = &self.running {
            running.make_ready(&saved.name).await;
        }
        told("restored", &saved, took, output);
        late.map_or(Ok(ExitCode::SUCCESS), Err)
    }

    /// The snapshot of a name, or the latest of the branch.
    async fn chosen(&self, name: Option<String>) -> Result<Saved, Error> {
        let all = snapshots::list(&self.home);
        if let Some(name) = name {
            let near = did_you_mean(&name, all.iter().map(|it| it.name.as_str()));
            let hint = near.unwrap_or_else(|| "`nagaya snapshot list` has them".to_owned());
            let unknown = || Error::usage(format!("there is no snapshot `{name}`")).hint(hint);
            return all.into_iter().find(|it| it.name == name).ok_or_else(unknown);
        }
        let Some(branch) = self.branch().await else {
            return Err(Error::usage("no branch of git is checked out here").hint("`nagaya snapshot restore NAME`"));
        };
        all.into_iter().find(|it| it.branch.as_ref() == Some(&branch)).ok_or_else(|| {
            Error::usage(format!("there is no snapshot of the branch `{branch}`"))
                .hint("`nagaya snapshot list` has those that there are")
        })
    }

    fn list(&self, output: &Output) -> ExitCode {
        let all = snapshots::list(&self.home);
        if output.json {
            output.json(&all.iter().map(Row::of).collect::<Vec<_>>());
            return ExitCode::SUCCESS;
        }
        if all.is_empty() {
            output.say("there is no snapshot yet; `nagaya snapshot save` makes one");
            return ExitCode::SUCCESS;
        }
        let left = |name| (name, Align::Left);
        let columns = [left("NAME"), ("AGE", Align::Right), ("SIZE", Align::Right), left("BRANCH"), left("SERVICES")];
        let mut table = Table::new(&columns);
        let now = clock::utc();
        for saved in &all {
            let age = saved.time.parse::<Timestamp>().ok().and_then(|at| now.duration_since(at).try_into().ok());
            table.row(vec![
                saved.name.clone(),
                age.map(elapsed).unwrap_or_default(),
                Size(saved.bytes()).to_string(),
                saved.branch.clone().unwrap_or_default(),
                saved.services().join(", "),
            ]);
        }
        for (at, line) in table.lines().into_iter().enumerate() {
            output.line(&if at == 0 { dim(&line) } else { line });
        }
        ExitCode::SUCCESS
    }

    fn remove(&self, names: &[String], output: &Output) -> Result<ExitCode, Error> {
        let store = Store::open(&self.home).map_err(trouble)?;
        for name in names {
            store.remove(name).map_err(trouble)?;
            if !output.json {
                output.say(&format!("removed {name}"));
            }
        }
        if output.json {
            output.json(&serde_json::json!({ "removed": names }));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The manifest as it is read for an engine that was found by its name alone.
fn request(global: &Global) -> Request {
    Request {
        files: Vec::new(),
        explicit: true,
        project: global.project_name.clone(),
        profiles: global.profile.clone(),
        no_env_file: global.no_env_file,
        guest: false,
    }
}

fn names_of(lives: &[Live]) -> Vec<String> {
    lives.iter().map(|live| live.service.clone()).collect()
}

/// A name that a folder can have.
fn checked(name: String) -> Result<String, Error> {
    let is_good = !name.is_empty() && name.len() <= LONGEST && plain(&name) == name && !name.starts_with('.');
    if is_good {
        return Ok(name);
    }
    let error = Error::usage(format!("`{name}` cannot be the name of a snapshot"));
    Err(error.hint("it has letters, digits, `_`, `-` and `.`, and does not begin with a dot"))
}

/// More than this some filesystem refuses.
const LONGEST: usize = 100;

/// `feature/x` as `feature-x`.
fn plain(branch: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    branch.trim_start_matches('.').chars().map(letter).take(LONGEST).collect()
}

fn nothing_to_save(all: &[Live]) -> Error {
    if all.is_empty() {
        return Error::failed("no service of this workspace owns data").hint("say `stateful: true` of those that do");
    }
    let error = Error::failed(format!("there is no data yet of {}", names_of(all).join(", ")));
    error.hint("`nagaya up` makes it")
}

fn half_made(live: &Live) -> Error {
    let error = Error::failed(format!("the data of {} is half made, so nothing was saved", live.service));
    error.hint("`nagaya up --wait` makes it anew")
}

/// Runs what reads and writes for long; Ctrl-C calls it off.
async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce(&AtomicBool) -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Error> {
    let call_off = Arc::new(AtomicBool::new(false));
    let flag = call_off.clone();
    let mut done = tokio::task::spawn_blocking(move || work(&flag));
    let ended = tokio::select! {
        ended = &mut done => ended,
        () = quiet::asked_to_end() => {
            call_off.store(true, Ordering::Relaxed);
            done.await
        }
    };
    ended.map_err(|error| Error::new(Code::Bug, error.to_string()))?.map_err(trouble)
}

/// What is said of it, with what helps.
fn trouble(trouble: Trouble) -> Error {
    let message = trouble.to_string();
    match trouble {
        Trouble::NotCopied(NotCopied::CalledOff) => {
            Error::new(Code::Interrupted, format!("{message}; all is as it was"))
        }
        Trouble::NotCopied(NotCopied::Full(..)) => {
            Error::failed(format!("{message}; all is as it was")).hint("`nagaya snapshot rm` removes snapshots")
        }
        Trouble::NotCopied(NotCopied::Changed(_)) => Error::failed(message)
            .hint("what writes there is no service of this workspace, or was just started: call it again"),
        Trouble::Unknown(_) => Error::usage(message).hint("`nagaya snapshot list` has them"),
        Trouble::Busy(_) => Error::failed(message).hint("call it again when that is done"),
        Trouble::Lacks(_) | Trouble::NotCopied(NotCopied::Failed(..)) | Trouble::Failed(..) => Error::failed(message),
    }
}

fn told(verb: &str, saved: &Saved, took: Duration, output: &Output) {
    if output.json {
        let mut row = serde_json::json!(Row::of(saved));
        row["duration_ms"] = serde_json::json!(took.as_millis());
        return output.json(&row);
    }
    let (size, services) = (Size(saved.bytes()), saved.services().join(", "));
    output.say(&format!("{verb} {}: {size} of {services}, in {}", saved.name, elapsed(took)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_folders() {
        assert_eq!((plain("feature/x y"), plain("..")), ("feature-x-y".to_owned(), String::new()));
        for (name, good) in [("a", true), ("v1.2_x-y", true), (".new", false), ("a/b", false), ("", false)] {
            assert_eq!(checked(name.to_owned()).is_ok(), good, "{name}");
        }
    }
}
