//! The loop around a dashboard: what the terminal and the engine tell goes in, what it asks for is done, and it is drawn.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Left;
use super::command::{Again, Own};
use super::feeds::{Feeds, Task};
use super::plain::Plain;
use super::screen::Screen;
use super::signals::{Signals, Told};
use crate::api::{Client, Explain};
use crate::effects::clock;
use crate::engine::Owned;
use crate::tui::{App, Ask, Msg};

/// Between two frames at least: 30 a second are enough for any eye.
const FRAME: Duration = Duration::from_millis(33);

/// How long it is until then.
fn until(at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(clock::utc())).unwrap_or_default()
}

/// A dashboard that is shown.
pub struct Session {
    pub(super) app: App,
    pub(super) client: Client,
    pub(super) own: Own,
    pub(super) feeds: Feeds,
    pub(super) plain: Plain,
    /// The commands that run, by their numbers.
    pub(super) running: HashMap<u64, Task>,
    pub(super) messages: mpsc::Sender<Msg>,
    pub(super) inbox: mpsc::Receiver<Msg>,
    /// Everything was killed from here.
    pub(super) killed: bool,
    /// How this process is called once more, where it is an `up`.
    pub(super) again: Option<Again>,
    /// The engine that ends with this dashboard.
    pub(super) owned: Option<Owned>,
    /// Engines that were started from here, to be owned.
    pub(super) handed: mpsc::UnboundedReceiver<Owned>,
    pub(super) hands: mpsc::UnboundedSender<Owned>,
}

impl Session {
    /// Draws when something changed, at most once a frame; sleeps otherwise.
    pub async fn run(&mut self, mut screen: Screen) -> io::Result<Left> {
        let mut keys = EventStream::new();
        let mut signals = Signals::new()?;
        let mut drawn = Instant::now() - FRAME;
        let mut dirty = true;
        // When the frame is too old, though nothing has happened.
        let mut again = None;
        loop {
            // Before all else: whoever tells without end must not keep the screen from being drawn.
            if dirty && drawn.elapsed() >= FRAME {
                screen.draw(&mut self.app)?;
                (drawn, dirty) = (Instant::now(), false);
                again = self.app.redraw_at.map(|at| drawn + until(at));
                // How much room there is for what is shown is known by now.
                self.feeds.serve(self.app.wants());
            }
            let ask = tokio::select! {
                biased;
                event = keys.next() => match event {
                    Some(Ok(Event::Key(key))) => { dirty = true; self.take(Msg::Key(key)) }
                    Some(Ok(Event::Paste(text))) => { dirty = true; self.take(Msg::Paste(text)) }
                    Some(Ok(Event::Mouse(event))) => { dirty = true; self.take(Msg::Mouse(event)) }
                    Some(Ok(Event::Resize(..))) => { dirty = true; None }
                    Some(Ok(_)) => None,
                    // The terminal is gone; so are we.
                    Some(Err(_)) | None => return self.hang_up().await,
                },
                told = signals.next() => match told {
                    Told::Interrupt => { dirty = true; self.app.interrupt() }
                    Told::End => return self.hang_up().await,
                    // Whoever suspended the dashboard takes the terminal again by itself.
                    Told::GoOn => None,
                },
                Some(owned) = self.handed.recv() => { dirty = true; self.inherit(owned) }
                Some(message) = self.inbox.recv() => { dirty = true; self.hear(message) }
                () = tokio::time::sleep_until(drawn + FRAME), if dirty => None,
                () = tokio::time::sleep_until(again.unwrap_or(drawn)), if !dirty && again.is_some() => { dirty = true; None }
            };
            self.feeds.serve(self.app.wants());
            match ask {
                Some(Ask::Suspend) => screen.suspend()?,
                Some(Ask::Mouse(is_ours)) => screen.mouse(is_ours)?,
                Some(Ask::Stream) => {
                    screen.leave();
                    if let Some(left) = self.plain(&mut keys, &mut signals).await? {
                        return Ok(left);
                    }
                    screen.come_back()?;
                    self.feeds.serve(self.app.wants());
                    dirty = true;
                    continue;
                }
                ask => {
                    if let Some(left) = self.obey(ask) {
                        return Ok(left);
                    }
                    continue;
                }
            }
            dirty = true;
        }
    }

    /// Takes in what is told. Of an engine in the place of another all is to be told again.
    pub(super) fn hear(&mut self, message: Msg) -> Option<Ask> {
        let was_gone = self.app.gone.is_some();
        if let Msg::Ended(id, _) = &message {
            self.running.remove(id);
        }
        let ask = self.take(message);
        if was_gone && self.app.gone.is_none() {
            self.feeds.begin_again();
        }
        ask
    }

    /// Owns an engine that was started from here.
    pub(super) fn inherit(&mut self, engine: Owned) -> Option<Ask> {
        self.owned = Some(engine);
        self.take(Msg::Owned)
    }

    fn take(&mut self, message: Msg) -> Option<Ask> {
        self.app.now = clock::utc();
        self.app.update(message)
    }

    pub(super) fn obey(&mut self, ask: Option<Ask>) -> Option<Left> {
        match ask? {
            Ask::Start(service) => self.control("start", service),
            Ask::Stop(service) => self.control("stop", service),
            Ask::Restart(service) => self.control("restart", service),
            Ask::Explain(path) => self.explain(path),
            Ask::Run(id, words) => {
                let run = self.own.clone().run((id, words), Some(self.app.columns), self.messages.clone());
                self.running.insert(id, Task(tokio::spawn(run)));
            }
            Ask::Again(id) => {
                let heir = self.app.workspace.owned.then(|| self.hands.clone());
                let again = self.again.clone().unwrap_or_default();
                let run = again.run(id, heir, self.messages.clone());
                self.running.insert(id, Task(tokio::spawn(run)));
            }
            Ask::EndRun(id) => {
                let next = self.hear(Msg::Ended(id, None));
                return self.obey(next);
            }
            Ask::Copy(text) => drop(Screen::copy(&text)),
            Ask::Type(typed) => self.feeds.write(typed),
            Ask::Suspend | Ask::Stream | Ask::Mouse(_) => {}
            Ask::Down => self.down(false),
            Ask::Kill => {
                self.killed = true;
                self.down(true);
            }
            Ask::Leave => return Some(Left::Running),
            Ask::Close => return Some(Left::Gone),
        }
        None
    }

    fn control(&self, verb: &'static str, service: String) {
        let (client, messages) = (self.client.clone(), self.messages.clone());
        tokio::spawn(async move {
            if let Err(error) = client.control(verb, std::slice::from_ref(&service)).await {
                let _ = messages.send(Msg::Told(format!("{verb} {service}: {error}"))).await;
            }
        });
    }

    fn explain(&self, path: String) {
        let (client, messages) = (self.client.clone(), self.messages.clone());
        tokio::spawn(async move {
            let asked = Explain { path: path.clone(), dtab: String::new(), request: None, tree: false };
            let told = client.explain(&asked).await.map(|it| it.story).map_err(|error| error.to_string());
            let _ = messages.send(Msg::Explained(path, told)).await;
        });
    }

    fn down(&self, force: bool) {
        let client = self.client.clone();
        tokio::spawn(async move { client.down(force).await });
    }

    /// Without a terminal there is nobody to ask: what is ours is stopped, as its owner is going.
    pub(super) async fn hang_up(&mut self) -> io::Result<Left> {
        if self.app.workspace.owned {
            let _ = self.client.down(false).await;
            self.app.stopping = true;
            return Ok(Left::Gone);
        }
        Ok(Left::Running)
    }
}
