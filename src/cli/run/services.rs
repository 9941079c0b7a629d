//! Services that tasks need: found or started, and stopped again where nobody else wants them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};

use super::jobs::{Among, Needed};
use crate::api::{CallError, Client};
use crate::cli::args::Global;
use crate::cli::error::{Code, Error};
use crate::cli::locate;
use crate::cli::output::Output;
use crate::cli::wait::{Goal, settle};
use crate::effects::locks::{self, Shared};
use crate::effects::places::{LENT, RUNS};
use crate::effects::{fs, signal};
use crate::engine::{Found, Order, Owned, find_or_start};
use crate::model::{Condition, Signal};
use crate::plan::Selection;
use crate::run::{Ask, Place};
use crate::runtime::{Changes, InPod, UpRequest};
use crate::supervise::State;
use crate::view::Service;

/// A run's use of an engine.
#[derive(Debug)]
pub struct Stay<'a> {
    client: Client,
    /// The workspace's folder in the state.
    home: PathBuf,
    /// The engine was started for this run.
    owned: RefCell<Option<Owned>>,
    /// What jobs need, by their places.
    among: BTreeMap<usize, Among>,
    /// Names among the services of the tasks whose places are held.
    held: RefCell<Vec<String>>,
    share: Shared,
    /// How long a task waits for them at most.
    patience: Option<Duration>,
    output: &'a Output,
}

/// Stands for the engine itself among what was started.
const ALL: &str = "*";

/// Finds the engine or starts it, with no service yet. It may fork, so there may be no thread yet.
pub fn come<'a>(
    global: &Global,
    among: BTreeMap<usize, Among>,
    patience: Option<Duration>,
    output: &'a Output,
) -> Result<Stay<'a>, Error> {
    let load = locate::manifest(global)?;
    let selection = Selection::nothing(&global.profile);
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
    let is_started = owned.is_some();
    let stay = Stay { client, home, owned: owned.into(), among, held: RefCell::default(), share, patience, output };
    if is_started {
        stay.lend(&[ALL.to_owned()])?;
    }
    Ok(stay)
}

impl Stay<'_> {
    /// Does what jobs ask for until none is left to ask. What was begun then is brought to where it can be given back.
    pub async fn serve(&self, mut asks: mpsc::UnboundedReceiver<Ask>) {
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                ask = asks.recv() => match ask {
                    Some(ask) => under_way.push(self.answer(ask)),
                    None => break,
                },
                Some(()) = under_way.next() => {}
            }
        }
        while under_way.next().await.is_some() {}
    }

    /// Who asked may have had enough meanwhile.
    async fn answer(&self, ask: Ask) {
        match ask {
            Ask::Enter(job, mut reply) => {
                let entered = self.enter(job, &mut reply).await.map_err(|error| self.told(error));
                let _ = reply.send(entered);
            }
            Ask::Leave(job, well, reply) => {
                let left = self.leave_place(job, well).await.map_err(|error| self.told(error));
                let _ = reply.send(left);
            }
        }
    }

    /// Tells what is more to an error than its message.
    fn told(&self, error: Error) -> String {
        if !self.output.json {
            error.detail.iter().for_each(|detail| self.output.tell(&format!("{detail}\n")));
            error.hints.iter().for_each(|hint| self.output.hint(hint));
        }
        error.message
    }

    /// Waits until all that a job needs is there, and makes its place.
    async fn enter(&self, job: usize, asker: &mut Asker) -> Result<Place, Error> {
        let Some(Among { name, needed, asked, .. }) = self.among.get(&job) else { return Ok(Place::default()) };
        self.bring(needed, asker).await?;
        let Some(name) = name else { return Ok(Place::default()) };
        let mut place = self.hold(name, asker).await?;
        // The shell is that of whoever runs it, and not the engine's.
        place.variables.retain(|name, _| !asked.contains(name));
        Ok(place)
    }

    async fn bring(&self, needed: &[Needed], asker: &mut Asker) -> Result<(), Error> {
        let before = self.client.services().await?;
        let is_there = |needed: &&Needed| {
            before.iter().any(|row| {
                row.name == needed.name
                    && row.settled
                    && (needed.condition != Condition::Completed || row.state == State::Completed)
            })
        };
        let missing: Vec<&Needed> = needed.iter().filter(|it| !is_there(it)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names = |wanted: &dyn Fn(&Needed) -> bool| -> Vec<String> {
            missing.iter().filter(|it| wanted(it)).map(|it| it.name.clone()).collect()
        };
        self.client.control("start", &names(&|_| true)).await?;
        // Before anything is waited for: whoever goes meanwhile takes these along.
        let was_wanted = |name: &str| before.iter().any(|row| row.name == name && row.wanted);
        let now = self.client.services().await?;
        let new: Vec<String> =
            now.into_iter().filter(|row| row.wanted && !was_wanted(&row.name)).map(|row| row.name).collect();
        if self.owned.borrow().is_none() && !new.is_empty() {
            self.lend(&new)?;
        }
        let completed = |it: &Needed| it.condition == Condition::Completed;
        let goals = [(Goal::Ready, names(&|it| !completed(it))), (Goal::Completed, names(&completed))];
        for (goal, names) in goals.into_iter().filter(|(_, names)| !names.is_empty()) {
            let settled = settle(&self.client, &self.home, &names, goal, self.patience, self.output);
            while_asked(asker, settled).await?;
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

    /// Makes a place for a task among the services: with the variables that it has there.
    async fn hold(&self, name: &str, asker: &mut Asker) -> Result<Place, Error> {
        self.take_place(name, asker).await?;
        while_asked(asker, self.until_held(name)).await?;
        let given = self.client.env(name).await?;
        let pod = match given.pod {
            InPod::No => None,
            InPod::Container(_) => return Err(Error::failed(format!("{name} is a container"))),
            InPod::Pid(init) => Some(init),
            InPod::Absent => return Err(Error::failed(format!("the pod of {name} is gone"))),
        };
        Ok(Place { pod, variables: given.own })
    }

    /// Has the place made, once nobody else runs this task.
    async fn take_place(&self, name: &str, asker: &mut Asker) -> Result<(), Error> {
        let mut is_told = false;
        loop {
            if !self.is_taken(name).await? {
                match self.client.hold(name).await {
                    Ok(()) => {
                        self.held.borrow_mut().push(name.to_owned());
                        return Ok(());
                    }
                    // Somebody was quicker.
                    Err(_) if self.is_taken(name).await? => {}
                    Err(refused) => return Err(refused.into()),
                }
            }
            if !std::mem::replace(&mut is_told, true) {
                self.output.say(&format!("{name} waits for another run of it"));
            }
            while_asked(asker, self.until(name, |row| !is_under_way(row))).await?;
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

    /// Takes a job's place back. Where it went `well` it has completed for those services that wait for it.
    async fn leave_place(&self, job: usize, well: bool) -> Result<(), Error> {
        let Some(name) = self.among.get(&job).and_then(|it| it.name.as_ref()) else { return Ok(()) };
        if !self.held.borrow().contains(name) {
            return Ok(());
        }
        self.take_back(name, well).await?;
        self.held.borrow_mut().retain(|it| it != name);
        Ok(())
    }

    async fn take_back(&self, name: &str, well: bool) -> Result<(), Error> {
        let row = self.client.services().await?.into_iter().find(|row| row.name == name);
        let pid = row.and_then(|row| row.pid);
        match pid.filter(|_| well) {
            Some(pid) => signal(pid, Signal::TERM),
            None => self.client.control("stop", &[name.to_owned()]).await?,
        }
        // Another run may have the place at once.
        self.until(name, |row| row.pid.is_none() || row.pid != pid).await
    }

    /// Gives all back.
    pub async fn leave(self) -> Result<(), Error> {
        for name in self.held.take() {
            self.take_back(&name, false).await?;
        }
        let path = self.home.join(LENT);
        if !self.share.is_last() {
            self.owned.into_inner().into_iter().for_each(Owned::release);
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
        let names: BTreeSet<&str> = lent.lines().collect();
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        if names.is_empty() {
            return Ok(());
        }
        self.client.control("stop", &names).await?;
        self.gone(names).await
    }

    /// Waits until services are gone, but for those that somebody else has started again.
    async fn gone(&self, mut names: Vec<String>) -> Result<(), Error> {
        loop {
            let settled = settle(&self.client, &self.home, &names, Goal::Stopped, None, &self.output.silent()).await;
            let Err(error) = settled else { return Ok(()) };
            let rows = self.client.services().await?;
            let before = names.len();
            names.retain(|name| rows.iter().any(|row| row.name == *name && !row.wanted));
            if names.len() == before {
                return Err(error);
            }
            if names.is_empty() {
                return Ok(());
            }
        }
    }
}

/// Where a task hears of its services. It is closed once the task has had enough.
type Asker = oneshot::Sender<Result<Place, String>>;

/// Waits for something as long as somebody wants it. What was done before is noted, and given back in the end.
async fn while_asked<T>(asker: &mut Asker, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::select! {
        done = work => done,
        () = asker.closed() => Err(Error::silent(Code::Interrupted)),
    }
}

/// Whether something runs in a task's place, or is about to.
fn is_under_way(row: &Service) -> bool {
    row.pid.is_some() || matches!(row.state, State::Setup | State::Starting | State::Stopping)
}
