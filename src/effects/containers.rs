//! Services in containers, by an engine such as Docker's or Podman's.
//!
//! An engine is looked for when the first container is wanted, and asked over its own API. What is made there bears
//! labels, by which it is found again whatever happens (`clear`). The containers of a workspace are in a network of
//! their own, through whose router they call and are called (`network`), so the proxy serves them as it serves pods.

mod body;
mod build;
mod clear;
mod credentials;
mod engine;
mod found;
mod ignore;
mod image;
mod inside;
mod life;
mod losses;
mod network;
mod visit;

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OnceCell, mpsc};

use super::environment;
use super::places::Home;
use super::pods::Announcer;
use crate::model::{Image, Signal};
use crate::supervise::{Exit, Fact, Left};
use clear::Note;
use engine::Engine;
use image::Words;
use losses::Losses;
use network::{Ground, Site};

pub use body::Wanted;
pub use clear::clear;
pub use image::Freshness;
pub use life::{Birth, Running};
pub use visit::exec;

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
    /// Services that an engine which is back had taken along.
    returned: mpsc::UnboundedSender<Vec<String>>,
    ending: AtomicBool,
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

/// What is said of containers meanwhile.
fn away(engine: &Engine) -> String {
    format!(
        "the engine of containers at {} stopped, or their router did; they are started when it is back",
        engine.place
    )
}

/// The word with which this program cleans up.
pub const CLEAR: &str = "clear-containers";
/// How often an engine that was lost is looked for.
const AGAIN: Duration = Duration::from_millis(500);

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
            returned,
            ending: AtomicBool::new(false),
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
        let ground = Ground { workspace: home.id.clone(), socket: home.router(), program };
        let (site, handover) = network::make(engine, &ground).await?;
        self.0.announcer.open_router(site.line.clone(), site.subnet, handover);
        Ok(site)
    }

    /// A site is as good as its router: where that ends, all containers are lost for this process. When the engine
    /// answers again, what is left of them is removed, and whoever lost one is told.
    async fn watch(&self, site: &Site) {
        site.ended().await;
        if self.0.ending.load(Ordering::Relaxed) {
            return;
        }
        let lost = Instant::now();
        let why = away(&site.engine);
        *self.0.site.lock().await = Standing::Away(why.clone());
        site.lose(&why);
        self.await_return(&site.engine, lost).await;
    }

    /// Waits until an engine that was missed first at `lost` is back.
    async fn await_return(&self, engine: &Engine, lost: Instant) {
        while !engine.answers().await {
            tokio::time::sleep(AGAIN).await;
        }
        while clear::remove_all(engine, &self.0.home.id).await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
        *self.0.site.lock().await = Standing::None;
        let _ = self.0.returned.send(self.0.losses.take(lost));
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
        let engine = self.engine().await?;
        let shell: HashMap<String, String> = environment::everything().into_iter().collect();
        let mut words = Words::into_pipe(output);
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
    pub fn launch(&self, birth: Birth, mut signals: mpsc::UnboundedReceiver<Signal>) {
        let own = self.clone();
        tokio::spawn(async move {
            let Shared { announcer, facts, losses, .. } = &*own.0;
            let (incarnation, wanted) = (birth.incarnation, birth.wanted.clone());
            let name = wanted.planned.name.as_str();
            let site = tokio::select! {
                site = own.site() => site,
                Some(signal) = signals.recv() => {
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
            let launched = |running: &Running| {
                announcer.join(incarnation, &wanted.planned, wanted.instance, running.line.clone());
                let _ = facts.send(Fact::Launched(incarnation, running.pid));
            };
            let (end, is_asked) = Box::pin(life::live(&site, birth, signals, launched)).await;
            announcer.close(incarnation);
            if !is_asked {
                losses.forget(Instant::now());
                losses.add(name, Instant::now());
            }
            let _ = facts.send(end.fact(incarnation));
        });
    }

    /// One try of a probe that is a command.
    pub async fn probe(&self, container: &str, argv: Vec<String>, timeout: Duration) -> Result<(), String> {
        inside::probe(self.engine().await?, container, argv, timeout).await
    }

    /// Runs a command in a container; what it says goes into a pipe.
    pub async fn run(&self, container: &str, argv: Vec<String>, output: OwnedFd) -> Result<(), String> {
        inside::run(self.engine().await?, container, argv, Some(&mut Words::into_pipe(output))).await
    }

    /// Removes all that was made. Where that fails, the note stays for the next one who comes.
    pub async fn end(&self) {
        self.0.ending.store(true, Ordering::Relaxed);
        let _ = clear(&self.0.home.containers()).await;
        let _ = std::fs::remove_file(self.0.home.router());
    }
}
