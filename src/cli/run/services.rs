//! Services that tasks need: found or started, and stopped again where nobody else wants them.

use std::io::Write;
use std::path::PathBuf;

use super::jobs::Needed;
use crate::api::{CallError, Client};
use crate::cli::args::Global;
use crate::cli::error::Error;
use crate::cli::locate;
use crate::cli::output::Output;
use crate::cli::wait::{Goal, settle};
use crate::effects::locks::{self, Shared};
use crate::effects::places::{LENT, RUNS};
use crate::effects::{environment, fs, signal};
use crate::engine::{Found, Order, Owned, find_or_start};
use crate::model::{Condition, Signal};
use crate::plan::Selection;
use crate::run::Job;
use crate::runtime::{Changes, InPod, UpRequest};
use crate::supervise::State;
use crate::view::Service;

/// A run's use of an engine.
#[derive(Debug)]
pub struct Stay {
    client: Client,
    /// The workspace's folder in the state.
    home: PathBuf,
    /// The engine was started for this run.
    owned: Option<Owned>,
    needed: Vec<Needed>,
    /// Names among the services of the tasks whose places are held.
    held: Vec<String>,
    share: Shared,
}

/// Stands for the engine itself among what was started.
const ALL: &str = "*";

/// Finds the engine or starts it with what is needed. It may fork, so there may be no thread yet.
pub fn come(global: &Global, needed: Vec<Needed>, output: &Output) -> Result<Stay, Error> {
    let load = locate::manifest(global)?;
    let selection = Selection {
        services: needed.iter().map(|it| it.name.clone()).collect(),
        profiles: global.profile.clone(),
        no_deps: false,
    };
    let color = output.error_colors() && !output.json;
    let up = UpRequest { load: Some(load.clone()), selection, color, ..UpRequest::default() };
    let order = Order { load, up, standard_ports: false, namerd: None, matrix: None };
    let found = find_or_start(&locate::places()?, &order, &|word| output.say(word))?;
    let (client, home, owned) = match found {
        Found::Running(engine) => (locate::client(&engine.socket, engine.pid, output), engine.state.clone(), None),
        Found::Started(running, owned) => (Client::new(&running.socket), running.identity.state(), Some(owned)),
    };
    let share =
        locks::share(&home.join(RUNS)).map_err(|error| Error::failed(format!("{}: {error}", home.display())))?;
    Ok(Stay { client, home, owned, needed, held: Vec::new(), share })
}

impl Stay {
    /// Waits until all that is needed is there, and makes the places of those tasks that run among the services.
    pub async fn settle_in(
        &mut self,
        jobs: &mut [Job],
        places: &[(usize, String)],
        output: &Output,
    ) -> Result<(), Error> {
        let before = self.client.services().await?;
        let is_there = |needed: &&Needed| {
            before.iter().any(|row| {
                row.name == needed.name
                    && row.settled
                    && (needed.condition != Condition::Completed || row.state == State::Completed)
            })
        };
        let missing: Vec<String> = self.needed.iter().filter(|it| !is_there(it)).map(|it| it.name.clone()).collect();
        if self.owned.is_some() {
            self.lend(&[ALL.to_owned()])?;
        } else if !missing.is_empty() {
            self.client.control("start", &missing).await?;
        }
        for (condition, goal) in [(false, Goal::Ready), (true, Goal::Completed)] {
            let wanted = self.needed.iter().filter(|it| (it.condition == Condition::Completed) == condition);
            let names: Vec<String> = wanted.map(|it| it.name.clone()).filter(|name| missing.contains(name)).collect();
            if !names.is_empty() {
                settle(&self.client, &self.home, &names, goal, None, output).await?;
            }
        }
        let was_wanted = |name: &str| before.iter().any(|row| row.name == name && row.wanted);
        let now = self.client.services().await?;
        let new: Vec<String> =
            now.into_iter().filter(|row| row.wanted && !was_wanted(&row.name)).map(|row| row.name).collect();
        if self.owned.is_none() && !new.is_empty() {
            self.lend(&new)?;
        }
        // In one order for all, so that no two runs wait for each other.
        let mut places: Vec<&(usize, String)> = places.iter().collect();
        places.sort_by(|(_, a), (_, b)| a.cmp(b));
        for (place, name) in places {
            self.hold(&mut jobs[*place], name, output).await?;
        }
        Ok(())
    }

    /// Notes what was started for runs alone.
    fn lend(&self, names: &[String]) -> Result<(), Error> {
        let path = self.home.join(LENT);
        let text: String = names.iter().map(|name| format!("{name}\n")).collect();
        let noted = fs::open_log(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        noted.map_err(|error| Error::failed(format!("{}: {error}", path.display())))
    }

    /// Has a job run in a place of its own, with the variables that it has there.
    async fn hold(&mut self, job: &mut Job, name: &str, output: &Output) -> Result<(), Error> {
        self.take_place(name, output).await?;
        self.held.push(name.to_owned());
        self.until_held(name).await?;
        let given = self.client.env(name).await?;
        job.pod = match given.pod {
            InPod::No => None,
            InPod::Container(_) => return Err(Error::failed(format!("{name} is a container"))),
            InPod::Pid(init) => Some(init),
            InPod::Absent => return Err(Error::failed(format!("the pod of {name} is gone"))),
        };
        // A result that is kept depends on nothing of the shell but what it names.
        let shell = environment::shell();
        let is_strict = job.keep.is_some();
        let own = given.variables.into_iter().filter(|(name, _)| !is_strict || !shell.contains_key(name));
        job.variables.extend(own);
        Ok(())
    }

    /// Has the place made, once nobody else runs this task.
    async fn take_place(&self, name: &str, output: &Output) -> Result<(), Error> {
        let mut is_told = false;
        loop {
            if !self.is_taken(name).await? {
                match self.client.hold(name).await {
                    Ok(()) => return Ok(()),
                    // Somebody was quicker.
                    Err(_) if self.is_taken(name).await? => {}
                    Err(refused) => return Err(refused.into()),
                }
            }
            if !std::mem::replace(&mut is_told, true) {
                output.say(&format!("{name} waits for another run of it"));
            }
            self.until(name, |row| !is_under_way(row)).await?;
        }
    }

    /// Whether anything runs in a task's place.
    async fn is_taken(&self, name: &str) -> Result<bool, Error> {
        Ok(self.client.services().await?.iter().any(|row| row.name == name && is_under_way(row)))
    }

    async fn until_held(&self, name: &str) -> Result<u32, Error> {
        let mut stream = self.client.events("/v1/services/stream").await?;
        while let Some(changes) = stream.next::<Changes>().await {
            for row in changes.services.into_iter().filter(|row| row.name == name) {
                match (row.pid, row.state) {
                    (Some(pid), State::Running | State::Ready) => return Ok(pid),
                    (_, State::Failed) => {
                        let reason = row.reason.unwrap_or_default();
                        return Err(Error::failed(format!("there is no place for {name}: {reason}")));
                    }
                    _ => {}
                }
            }
        }
        Err(CallError::Broken("the engine ended".to_owned()).into())
    }

    /// Waits until a place is as it should be: whoever looks next sees how its task ended.
    async fn until(&self, name: &str, is_so: impl Fn(&Service) -> bool) -> Result<(), Error> {
        let mut stream = self.client.events("/v1/services/stream").await?;
        while let Some(changes) = stream.next::<Changes>().await {
            if changes.services.iter().any(|row| row.name == name && is_so(row)) {
                break;
            }
        }
        Ok(())
    }

    /// Gives all back. What went `well` has completed for those services that wait for it.
    pub async fn leave(&mut self, well: &[String], output: &Output) -> Result<(), Error> {
        for name in std::mem::take(&mut self.held) {
            let row = self.client.services().await?.into_iter().find(|row| row.name == name);
            let pid = row.and_then(|row| row.pid);
            match pid.filter(|_| well.contains(&name)) {
                Some(pid) => signal(pid, Signal::TERM),
                None => self.client.control("stop", std::slice::from_ref(&name)).await?,
            }
            // Another run may have the place at once.
            self.until(&name, |row| row.pid.is_none() || row.pid != pid).await?;
        }
        let path = self.home.join(LENT);
        if !self.share.is_last() {
            self.owned.take().into_iter().for_each(Owned::release);
            return Ok(());
        }
        let lent = fs::read_own(&path).ok().flatten().unwrap_or_default();
        let _ = fs::remove(&path);
        if lent.lines().any(|name| name == ALL) {
            let mut stream = self.client.events("/v1/services/stream").await?;
            self.client.down(false).await?;
            while stream.next::<Changes>().await.is_some() {}
            return Ok(());
        }
        // Somebody wants the engine for longer by now.
        self.owned.take().into_iter().for_each(Owned::release);
        let names: Vec<String> = lent.lines().map(str::to_owned).collect();
        if names.is_empty() {
            return Ok(());
        }
        self.client.control("stop", &names).await?;
        settle(&self.client, &self.home, &names, Goal::Stopped, None, &output.silent()).await
    }
}

/// Whether something runs in a task's place, or is about to.
fn is_under_way(row: &Service) -> bool {
    row.pid.is_some() || matches!(row.state, State::Setup | State::Starting | State::Stopping)
}
