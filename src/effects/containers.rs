//! Services in containers, by an engine such as Docker's or Podman's.
//!
//! An engine is looked for when the first container is wanted, and asked over its own API. What is made there bears
//! labels, by which it is found again whatever happens (`clear`). The containers of a workspace are in a network of
//! their own, through whose router they call and are called (`network`), so the proxy serves them as it serves pods.

mod body;
mod build;
mod buildkit;
mod clear;
mod context;
mod copy;
mod credentials;
mod engine;
mod found;
mod health;
mod ignore;
mod image;
mod images;
mod inside;
mod life;
mod losses;
mod network;
mod states;
mod typing;
mod vault;
mod visit;
mod volumes;
mod words;

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OnceCell, mpsc, watch};
use tokio::task::JoinSet;

use super::environment;
use super::etc;
use super::places::Home;
use super::pods::Announcer;
use crate::model::Image;
use crate::supervise::{Exit, Fact, Left};
use clear::Note;
use engine::{AGAIN, Engine, told};
use health::Check;
use inside::Tries;
use losses::Losses;
use network::{Ground, Site};
use words::Words;

pub use body::Wanted;
pub use clear::{clear, left};
pub use copy::Files;
pub use engine::describe;
pub use image::Freshness;
pub use images::Images;
pub use life::{Birth, Running, Sent};
pub use typing::Seat;
pub use vault::{Failed as VaultFailed, Vault, folder as volumes_folder, note as note_volumes, used as used_volumes};
pub use visit::exec;
pub use volumes::{remove_volumes, volumes};

/// The containers of a workspace; clones share them.
#[derive(Debug, Clone)]
pub struct Containers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    home: Home,
    announcer: Announcer,
    facts: mpsc::UnboundedSender<Fact>,
    engine: OnceCell<Engine>,
    site: Mutex<Standing>,
    losses: Losses,
    tries: Tries,
    /// Services that an engine which is back had taken along.
    returned: mpsc::UnboundedSender<Vec<String>>,
    /// All is over, and nobody waits for anything any more.
    ending: watch::Sender<bool>,
}

/// Whether there is a place for containers.
#[derive(Debug)]
enum Standing {
    /// Nobody wanted one yet.
    None,
    Here(Arc<Site>),
    /// It was lost, and its engine does not answer yet; the text says so.
    Away(String),
}

/// What is said while it is not known yet which engine there is.
const WAITS: &str = "nagaya: waiting for the engine of containers to answer";

/// What is said of containers meanwhile.
fn away(engine: &Engine) -> String {
    format!(
        "the engine of containers at {} stopped, or their router did; they are started when it is back within {} minutes",
        engine.place,
        RETURN.as_secs() / 60
    )
}

/// The word with which this program cleans up.
pub const CLEAR: &str = "clear-containers";
/// How long the making of a site may take that is under way when all ends.
const MAKING: Duration = Duration::from_secs(15);
/// What is said then, should anybody hear.
const OVER: &str = "all containers are being removed";
/// For how long an engine that was lost is looked for.
const RETURN: Duration = Duration::from_secs(10 * 60);

impl Containers {
    /// None yet. Services that are to be started again, as their engine is back, are told.
    pub fn new(
        home: &Home,
        announcer: Announcer,
        facts: mpsc::UnboundedSender<Fact>,
        returned: mpsc::UnboundedSender<Vec<String>>,
    ) -> Self {
        Self(Arc::new(Shared {
            home: home.clone(),
            announcer,
            facts,
            engine: OnceCell::new(),
            site: Mutex::new(Standing::None),
            losses: Losses::default(),
            tries: Tries::default(),
            returned,
            ending: watch::Sender::new(false),
        }))
    }

    /// The command that removes what is left, should this process be killed.
    pub fn last_will(&self) -> Option<Vec<String>> {
        let program = environment::program().ok()?.to_string_lossy().into_owned();
        let note = self.0.home.containers().to_string_lossy().into_owned();
        Some(vec![program, CLEAR.to_owned(), note])
    }

    async fn engine(&self) -> Result<&Engine, String> {
        self.0.engine.get_or_try_init(Engine::find).await.map_err(|absent| absent.to_string())
    }

    /// Where containers are started. It is made for the first one.
    async fn site(&self) -> Result<Arc<Site>, String> {
        let mut standing = self.0.site.lock().await;
        if *self.0.ending.borrow() {
            return Err(OVER.to_owned());
        }
        match &*standing {
            Standing::Here(site) => return Ok(site.clone()),
            Standing::Away(reason) => return Err(reason.clone()),
            Standing::None => {}
        }
        let site = match self.make_site().await {
            Ok(site) => Arc::new(site),
            Err(reason) => {
                // One that answered before stops at this moment.
                if let Some(engine) = self.0.engine.get().cloned()
                    && !engine.answers().await
                {
                    *standing = Standing::Away(away(&engine));
                    let own = self.clone();
                    tokio::spawn(async move { own.await_return(&engine, Instant::now()).await });
                }
                return Err(reason);
            }
        };
        *standing = Standing::Here(site.clone());
        let (own, watched) = (self.clone(), site.clone());
        tokio::spawn(async move { own.watch(&watched).await });
        Ok(site)
    }

    async fn make_site(&self) -> Result<Site, String> {
        let engine = self.engine().await?.clone();
        let home = &self.0.home;
        let note = Note { workspace: home.id.clone(), engine: engine.place.clone() };
        let written = note.write(&home.containers());
        written.map_err(|error| format!("{} cannot be written: {error}", home.containers().display()))?;
        // What an attempt that failed has left would be in the way.
        clear::remove_all(&engine, &home.id).await?;
        let program = environment::program().map_err(|error| format!("this program cannot be found: {error}"))?;
        let (socket, resolv_conf) = (home.router(), etc::of_containers(home));
        let ground = Ground { workspace: home.id.clone(), socket, program, resolv_conf };
        let (site, handover) = network::make(engine, &ground).await?;
        self.0.announcer.open_router(site.line.clone(), site.subnet, handover);
        Ok(site)
    }

    /// A site is as good as its router: where that ends, all containers are lost for this process. When the engine
    /// answers again, what is left of them is removed, and whoever lost one is told.
    async fn watch(&self, site: &Site) {
        site.ended().await;
        if *self.0.ending.borrow() {
            return;
        }
        let lost = Instant::now();
        let why = away(&site.engine);
        *self.0.site.lock().await = Standing::Away(why.clone());
        site.lose(&why);
        self.await_return(&site.engine, lost).await;
    }

    /// Waits until an engine that was missed first at `lost` is back. One that stays away is looked for again when a
    /// container is asked for.
    async fn await_return(&self, engine: &Engine, lost: Instant) {
        let back = async {
            while !engine.answers().await || clear::remove_all(engine, &self.0.home.id).await.is_err() {
                tokio::time::sleep(AGAIN).await;
            }
        };
        let is_back = tokio::time::timeout(RETURN, back).await.is_ok();
        *self.0.site.lock().await = Standing::None;
        let names = self.0.losses.take(lost);
        if is_back {
            let _ = self.0.returned.send(names);
        }
    }

    /// Has network and router made while something else is waited for.
    pub fn begin(&self) {
        let own = self.clone();
        tokio::spawn(async move {
            // Whoever needs it is told why it cannot be.
            let _ = own.site().await;
        });
    }

    /// Has an image there; what that tells goes into a pipe.
    pub async fn prepare(&self, image: &Image, freshness: Freshness, output: OwnedFd) -> Result<(), String> {
        self.unless_over(self.prepare_here(image, freshness, output)).await
    }

    /// Work that is let go of when all is over, with its pipes.
    async fn unless_over(&self, work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
        let mut ending = self.0.ending.subscribe();
        tokio::select! {
            done = work => done,
            _ = ending.wait_for(|is_over| *is_over) => Err(OVER.to_owned()),
        }
    }

    async fn prepare_here(&self, image: &Image, freshness: Freshness, output: OwnedFd) -> Result<(), String> {
        let mut words = Words::into_pipe(output);
        let engine = told(self.engine(), words.line(WAITS)).await;
        let engine = match engine {
            Ok(engine) => engine,
            Err(reason) => {
                words.line(&reason).await;
                return Err(reason);
            }
        };
        let shell: HashMap<String, String> = environment::everything().into_iter().collect();
        let result = image::prepare(engine, image, (&self.0.home.id, &shell), freshness, &mut words).await;
        let result = match result {
            Err(_) if !engine.answers().await => Err(away(engine)),
            other => other,
        };
        if let Err(reason) = &result {
            words.line(reason).await;
        }
        result
    }

    /// Begins the life of a container, which takes these signals; what becomes of it is a fact.
    pub fn launch(&self, birth: Birth, mut signals: mpsc::UnboundedReceiver<Sent>) {
        let own = self.clone();
        tokio::spawn(async move {
            let Shared { announcer, facts, losses, .. } = &*own.0;
            let Birth { incarnation, wanted, stdout, stderr, seat, running } = birth;
            let (typing, screen) = match seat.take() {
                Ok(taken) => taken,
                Err(error) => return drop(facts.send(Fact::NotLaunched(incarnation, error.to_string()))),
            };
            let stdout = screen.map(Words::to_screen).or(stdout.map(Words::into_pipe)).unwrap_or_default();
            let mut words = [stdout, Words::into_pipe(stderr)];
            let name = wanted.planned.name.as_str();
            let site = tokio::select! {
                site = told(own.site(), words[1].line(WAITS)) => site,
                signal = life::stopped(&mut signals) => {
                    return drop(facts.send(Fact::Exited(incarnation, Exit::Signal(signal), Left::Nothing)));
                }
            };
            let site = match site {
                Ok(site) => site,
                Err(reason) => {
                    losses.add(name, Instant::now());
                    return drop(facts.send(Fact::NotLaunched(incarnation, reason)));
                }
            };
            if let Err(reason) = own.note_volumes(&site, &wanted) {
                return drop(facts.send(Fact::NotLaunched(incarnation, reason)));
            }
            let check = Check::of(&site.engine, &wanted.planned, &wanted.image()).await;
            let mut judging = JoinSet::new();
            let launched = |running: &Running| {
                announcer.join(incarnation, &wanted.planned, wanted.instance, running.line.clone());
                if let Some(check) = check {
                    let _ = facts.send(Fact::HasCheck(incarnation));
                    let (engine, id, tries, facts) =
                        (site.engine.clone(), running.id.clone(), own.0.tries.clone(), facts.clone());
                    let tell = move |verdict| drop(facts.send(Fact::Judged(incarnation, verdict)));
                    judging.spawn(check.follow(engine, id, tries, tell));
                }
                let _ = facts.send(Fact::Launched(incarnation, running.pid));
            };
            let (end, is_asked) =
                Box::pin(life::live(&site, &wanted, (&running, words, typing), signals, launched)).await;
            announcer.close(incarnation);
            if !is_asked {
                losses.forget(Instant::now());
                losses.add(name, Instant::now());
            }
            let _ = facts.send(end.fact(incarnation));
        });
    }

    /// Writes down where there will be volumes, which outlive everything here.
    fn note_volumes(&self, site: &Site, wanted: &Wanted) -> Result<(), String> {
        if !volumes::has_own(&wanted.planned) {
            return Ok(());
        }
        volumes::note(&self.0.home, &site.engine)
    }

    /// One try of a probe that is a command.
    pub async fn probe(&self, container: &str, argv: Vec<String>, timeout: Duration) -> Result<(), String> {
        self.0.tries.probe(self.engine().await?, container, argv, timeout).await
    }

    /// Runs a command in a container; what it says goes into a pipe.
    pub async fn run(&self, container: &str, argv: Vec<String>, output: OwnedFd) -> Result<(), String> {
        let mut words = Words::into_pipe(output);
        let run = async { inside::run(self.engine().await?, container, argv, Some(&mut words)).await };
        self.unless_over(run).await
    }

    /// Removes all that was made. Where that fails, the note stays for the next one who comes.
    pub async fn end(&self) {
        self.0.ending.send_replace(true);
        // What is being made at this moment is waited for: it would not be found.
        if let Ok(standing) = tokio::time::timeout(MAKING, self.0.site.lock()).await
            && let Standing::Here(site) = &*standing
        {
            site.lose(OVER);
        }
        let _ = clear(&self.0.home.containers()).await;
        let _ = std::fs::remove_file(self.0.home.router());
    }
}
