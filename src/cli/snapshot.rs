//! `nagaya snapshot`: the data of stateful services, kept by a name or by the branch of git, and put back.

mod list;
mod lives;
mod quiet;
mod words;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, Subcommand};

use super::args::Global;
use super::error::Error;
use super::locate;
use super::output::Output;
use super::up::Stop;
use crate::effects::clock;
use crate::effects::places::Home;
use crate::effects::registry::{self, Lock};
use crate::effects::snapshots::{self, Copied, Live, Snapshot as Saved, Store};
use crate::manifest::{Request, did_you_mean};
use crate::model::Workspace;
use quiet::{Ended, Running, off_the_loop};
use words::{and_not_started, half_made, left_out, nothing_to_save, still_had, stuck, told, trouble};

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
    /// After a restore that was ended before its services were ready: remove what was there before
    Keep,
    /// After a restore that was ended before its services were ready: bring back what was there before
    TakeBack,
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
        What::Keep => site.keep(output).await,
        What::TakeBack => site.take_back(output).await,
        What::List => Ok(list::run(&site.home, output)),
        What::Rm { names } => site.remove(&names, output),
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

    fn lives(&self) -> Vec<Live> {
        lives::of(&self.workspace, &self.home.data_dirs())
    }

    fn store(&self, output: &Output) -> Result<Store, Error> {
        let store = Store::open(&self.home).map_err(trouble)?;
        for left in &store.unswept {
            output.say(&format!("what an earlier call left could not be removed: {left}"));
        }
        Ok(store)
    }

    /// Its snapshots, where no restore waits for an answer. Where no engine runs, none begins to until the lock is
    /// dropped.
    fn open(&self, output: &Output) -> Result<(Store, Option<Lock>), Error> {
        let store = self.store(output)?;
        let lock = match self.running {
            Some(_) => None,
            None => {
                let lock = self.lock()?;
                snapshots::settle(&self.home).map_err(trouble)?;
                Some(lock)
            }
        };
        store.check_settled().map_err(trouble)?;
        Ok((store, lock))
    }

    fn lock(&self) -> Result<Lock, Error> {
        let locked = registry::lock(&self.home.lock());
        let lock = locked.map_err(|error| Error::failed(format!("{}: {error}", self.home.lock().display())))?;
        lock.ok_or_else(|| {
            Error::failed("an engine of this workspace is about to begin or to end").hint("call it again")
        })
    }

    async fn keep(&self, output: &Output) -> Result<ExitCode, Error> {
        let store = self.store(output)?;
        store.keep_restored().map_err(trouble)?;
        self.sweep(store, output).await?;
        output.say("what was restored stays");
        Ok(ExitCode::SUCCESS)
    }

    async fn take_back(&self, output: &Output) -> Result<ExitCode, Error> {
        if self.running.is_some() {
            return Err(Error::failed("the services run with the restored data").hint("`nagaya down` first"));
        }
        let _lock = self.lock()?;
        let store = self.store(output)?;
        store.take_back().map_err(trouble)?;
        self.sweep(store, output).await?;
        output.say("the data is as it was before");
        Ok(ExitCode::SUCCESS)
    }

    async fn sweep(&self, store: Store, output: &Output) -> Result<(), Error> {
        let lives = self.lives();
        let swept = move |_: &AtomicBool| {
            store.empty_trash();
            store.sweep_volumes(&lives)
        };
        let left = off_the_loop(&mut Stop::new()?, swept).await?;
        left.iter().for_each(|volume| output.say(&still_had(volume)));
        Ok(())
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
        let mut stop = Stop::new()?;
        let (home, all) = (self.home.clone(), self.lives());
        let (lives, without) = off_the_loop(&mut stop, move |_| snapshots::with_data(&home, all)).await?;
        without.iter().for_each(|live| output.say(&left_out(live, &self.workspace)));
        if lives.is_empty() {
            return Err(nothing_to_save(&without));
        }
        let (store, _lock) = self.open(output)?;
        if store.find(&name).is_some() && !global.yes {
            let error = Error::usage(format!("there is a snapshot `{name}` already"));
            return Err(error.hint("`--yes` puts the new one in its place"));
        }
        let begun = clock::instant();
        let names = names_of(&lives);
        let stopped = match &self.running {
            Some(running) => {
                running.check_whole(&names).await?;
                running.stop(&names, &mut stop, output).await?
            }
            None => Vec::new(),
        };
        let store = Arc::new(store);
        let saved = match lives.iter().find(|live| snapshots::is_half_made(live)) {
            Some(half) => Err(half_made(half)),
            None => {
                let (store, lives, name) = (store.clone(), lives.clone(), name.clone());
                off_the_loop(&mut stop, move |call_off| store.save(&name, branch, &lives, call_off)).await
            }
        };
        let started = match &self.running {
            Some(running) => running.start(&stopped, &mut stop, output).await,
            None => Ok(()),
        };
        let Copied { snapshot: saved, outside } = match saved {
            Ok(saved) => saved,
            Err(error) => return Err(and_not_started(error, started)),
        };
        let placed = saved.clone();
        // It is written to the disk while everything runs again.
        if let Err(error) = off_the_loop(&mut stop, move |_| store.place(&placed)).await {
            return Err(and_not_started(error, started));
        }
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
        let mut stop = Stop::new()?;
        let begun = clock::instant();
        let (home, of) = (self.home.clone(), saved.clone());
        off_the_loop(&mut stop, move |call_off| snapshots::wait_for_ready(&home, &of, call_off)).await?;
        let (store, _lock) = self.open(output)?;
        let (wanted, from) = (lives.clone(), saved.clone());
        let swept = lives.clone();
        let store = Arc::new(store);
        let staging = store.clone();
        let staged = off_the_loop(&mut stop, move |call_off| {
            let staged = staging.stage(&from, &wanted, call_off);
            if staged.is_err() {
                let _ = staging.sweep_volumes(&wanted);
            }
            staged
        });
        let staged = staged.await?;
        let ended = match &self.running {
            Some(running) => running.exchange(&names_of(&lives), &staged, &mut stop, output).await,
            None => Ok(match staged.swap().map_err(trouble) {
                Ok(()) => Ended::Kept(None),
                Err(error) if staged.is_as_before() => Ended::TakenBack(error),
                Err(error) => Ended::Stuck(error),
            }),
        };
        match ended {
            Ok(Ended::Kept(late)) => {
                let took = begun.elapsed();
                staged.keep().map_err(trouble)?;
                told("restored", &saved, took, output);
                self.clear_up((store, swept), &saved, &mut stop, output).await?;
                late.map_or(Ok(ExitCode::SUCCESS), Err)
            }
            Ok(Ended::Stuck(error)) => Err(stuck(error, &staged.aside())),
            Ok(Ended::TakenBack(error)) | Err(error) => {
                if let Err(other) = staged.drop_rest() {
                    return Err(error.hint(other.to_string()));
                }
                self.clear_up((store, swept), &saved, &mut stop, output).await?;
                Err(error)
            }
        }
    }

    /// What takes its time and nobody waits for is the engine's, where one runs: removing what a restore replaced, and the
    /// second copy for the next one.
    async fn clear_up(
        &self,
        (store, lives): (Arc<Store>, Vec<Live>),
        saved: &Saved,
        stop: &mut Stop,
        output: &Output,
    ) -> Result<(), Error> {
        let sweeping = store.clone();
        let left = off_the_loop(stop, move |_| sweeping.sweep_volumes(&lives)).await?;
        left.iter().for_each(|volume| output.say(&still_had(volume)));
        match &self.running {
            Some(running) => {
                running.make_ready(&saved.name).await;
                Ok(())
            }
            None => {
                let emptied = move |_: &AtomicBool| {
                    store.empty_trash();
                    Ok(())
                };
                off_the_loop(stop, emptied).await
            }
        }
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

    fn remove(&self, names: &[String], output: &Output) -> Result<ExitCode, Error> {
        let store = self.store(output)?;
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
