//! What follows from a change of files: the manifest's are read again, a service's do what its `watch` says.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::Engine;
use super::disco::Reading;
use crate::effects::watch::{Change, Key, News, Rule, Watcher};
use crate::model::{Reaction, ServiceName, Watch};
use crate::plan::{Plan, PlannedWatch};
use crate::route::disco::FOLDER;
use crate::supervise::{Command, Input, State};
use crate::view::Event;

/// The engine's watcher and what it has set off.
#[derive(Debug)]
pub(super) struct Watching {
    watcher: Option<Watcher>,
    pub news: mpsc::UnboundedReceiver<News>,
    /// Of what the manifest consists, as it was last read.
    manifest: Vec<PathBuf>,
    /// Commands under way; true where files have changed since they were begun.
    running: HashMap<Key, bool>,
    /// When each rebuild was begun last.
    rebuilds: HashMap<ServiceName, Timestamp>,
    ends: mpsc::UnboundedSender<Ended>,
    pub ended: mpsc::UnboundedReceiver<Ended>,
    /// Files of addresses.
    pub reading: Reading,
    /// What is not watched.
    pub troubles: Vec<String>,
}

/// The commands that followed a change are through.
#[derive(Debug)]
pub(super) struct Ended {
    name: ServiceName,
    at: usize,
    result: Result<(), String>,
}

impl Watching {
    /// Nothing is watched yet; the manifest consists of these files.
    pub fn new(manifest: Vec<PathBuf>) -> Self {
        let (_, news) = mpsc::unbounded_channel();
        let (ends, ended) = mpsc::unbounded_channel();
        Self {
            watcher: None,
            news,
            manifest,
            running: HashMap::new(),
            rebuilds: HashMap::new(),
            ends,
            ended,
            reading: Reading::default(),
            troubles: Vec::new(),
        }
    }
}

impl Engine {
    /// Begins to watch. It takes a thread, so it comes after the first services were launched.
    pub(super) fn begin_watching(&mut self) {
        match Watcher::start() {
            Ok((watcher, news)) => {
                self.watching.watcher = Some(watcher);
                self.watching.news = news;
                self.watch();
            }
            Err(error) => self.noticed(News::Trouble(format!("no file is watched: {error}"))),
        }
        // What changed since it was read, and before anybody watched.
        self.read_disco();
        self.post_notices();
    }

    /// The manifest consists of these files from now on.
    pub(super) fn watch_manifest(&mut self, files: Vec<PathBuf>) {
        self.watching.manifest = files;
        self.watch();
    }

    /// It may consist of these files too.
    pub(super) fn watch_manifest_too(&mut self, files: Vec<PathBuf>) {
        let new = files.into_iter().filter(|file| !self.watching.manifest.contains(file)).collect::<Vec<_>>();
        if !new.is_empty() {
            self.watching.manifest.extend(new);
            self.watch();
        }
    }

    /// Watches what plan and manifest want watched.
    pub(super) fn watch(&mut self) {
        let (rules, bad) = rules(self.world.plan(), &self.watching.manifest);
        if let Some(watcher) = &self.watching.watcher {
            watcher.set(rules);
        }
        bad.into_iter().for_each(|trouble| self.noticed(News::Trouble(trouble)));
    }

    pub(super) fn noticed(&mut self, news: News) {
        match news {
            News::Changed(Change { key: Key::Manifest, .. }) => self.reread(),
            News::Changed(Change { key: Key::Disco, .. }) => self.read_disco(),
            News::Changed(change) => self.changed(&change),
            News::Trouble(text) => {
                self.tell(Event::told("trouble", None, text.clone(), self.clock.wall(self.clock.now())));
                self.watching.troubles.push(text);
                self.post_notices();
            }
        }
    }

    fn changed(&mut self, change: &Change) {
        let Key::Service(name, at) = &change.key else { return };
        let plan = self.world.plan().clone();
        let Some(place) = plan.index(name.as_str()) else { return };
        let planned = &plan.services[place];
        let Some(watch) = planned.watch.get(*at) else { return };
        let status = self.world.status(place);
        // What was stopped stays so, and what nobody called yet has nothing to restart.
        if *self.ending.borrow() || !status.wanted || status.state == State::Idle {
            return;
        }
        let text = format!("{} changed: {}", files(change, &planned.working_dir), watch.files.reaction.word());
        self.tell(Event::told("changed", Some(name), text, self.clock.wall(self.clock.now())));
        match &watch.files.reaction {
            Reaction::Restart => self.step(Input::Asked(renewal(place, &watch.files))),
            Reaction::Signal(signal) => self.host.signal_main(place, *signal),
            Reaction::Rebuild | Reaction::Run(_) => self.run_for(place, name, *at, watch),
        }
    }

    /// When the rebuild was begun that failed, where what runs of a service is older than its files.
    pub(super) fn not_rebuilt_since(&self, place: usize) -> Option<String> {
        let begun = self.watching.rebuilds.get(&self.world.plan().services[place].name)?;
        self.world.status(place).stale.then(|| format!("{begun:.9}"))
    }

    /// One run at a time for a watch; changes that come meanwhile are worth one more.
    fn run_for(&mut self, place: usize, name: &ServiceName, at: usize, watch: &PlannedWatch) {
        let key = Key::Service(name.clone(), at);
        if let Some(again) = self.watching.running.get_mut(&key) {
            *again = true;
            return;
        }
        self.watching.running.insert(key, false);
        let begun = (name.clone(), self.clock.wall(self.clock.now()));
        let (ends, name) = (self.watching.ends.clone(), name.clone());
        let done = move |result| drop(ends.send(Ended { name, at, result }));
        match &watch.files.reaction {
            Reaction::Run(command) => self.host.run_for(place, watch.argv.clone(), command.written(), done),
            _ => {
                self.watching.rebuilds.insert(begun.0, begun.1);
                self.host.rebuild(place, done);
            }
        }
    }

    pub(super) fn run_ended(&mut self, ended: Ended) {
        let Ended { name, at, result } = ended;
        let again = self.watching.running.remove(&Key::Service(name.clone(), at));
        let plan = self.world.plan().clone();
        let Some(place) = plan.index(name.as_str()) else { return };
        let Some(watch) = plan.services[place].watch.get(at) else { return };
        let is_wanted = self.world.status(place).wanted && !*self.ending.borrow();
        if again == Some(true) && is_wanted {
            return self.run_for(place, &name, at, watch);
        }
        match result {
            Err(error) => {
                let rest = if watch.files.reaction == Reaction::Rebuild { "; what runs is the old one" } else { "" };
                let text = format!("{}: {error}{rest}", watch.files.reaction.word());
                self.tell(Event::told("failed", Some(&name), text, self.clock.wall(self.clock.now())));
                if watch.files.reaction == Reaction::Rebuild && is_wanted {
                    self.step(Input::Asked(Command::NotRebuilt(place, error.into())));
                }
            }
            Ok(()) if watch.files.reaction == Reaction::Rebuild && is_wanted => {
                self.step(Input::Asked(renewal(place, &watch.files)));
            }
            Ok(()) => {}
        }
    }
}

/// What has a service run with what was changed.
fn renewal(place: usize, watch: &Watch) -> Command {
    if watch.recreate { Command::Restart(vec![place]) } else { Command::Replace(vec![place]) }
}

/// The rules of a plan and its manifest, and what is wrong with them.
fn rules(plan: &Plan, manifest: &[PathBuf]) -> (Vec<Rule>, Vec<String>) {
    let mut rules = vec![Rule::of_files(Key::Manifest, manifest.iter().cloned())];
    let mut bad = Vec::new();
    match Rule::new(Key::Disco, &plan.root, &[FOLDER.to_owned()], &[]) {
        Ok(rule) => rules.push(rule),
        Err(error) => bad.push(format!("`{FOLDER}` is not watched: {error}")),
    }
    for planned in &plan.services {
        for (at, watch) in planned.watch.iter().enumerate() {
            let key = Key::Service(planned.name.clone(), at);
            match Rule::new(key, &planned.working_dir, &watch.files.paths, &watch.files.ignore) {
                Ok(rule) => rules.push(rule),
                Err(error) => bad.push(format!("`watch` of {}: {error}", planned.name)),
            }
        }
    }
    (rules, bad)
}

/// `src/a.js`, `src/a.js and 3 more`.
fn files(change: &Change, folder: &Path) -> String {
    let first = change.first.strip_prefix(folder).unwrap_or(&change.first).display();
    match change.count {
        1 => first.to_string(),
        count => format!("{first} and {} more", count - 1),
    }
}
