//! `nagaya ui`, and the dashboard of `up`: a real terminal and a real engine around `tui`.

mod attached;
mod command;
mod feeds;
mod kept;
mod plain;
mod render;
mod routes;
mod screen;
mod signals;
mod words;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::args::{Global, command_line};
use super::error::{Code, Error};
use super::locate::connect;
use super::output::Output;
use crate::api::{Client, Explain, Identity};
use crate::effects::{clock, environment, fs};
use crate::engine::Owned;
use crate::tui::{App, Ask, Command, Ending, Keymap, Msg, Page, Suggestion, Theme, Workspace};

use command::Own;
use feeds::{Feeds, Source, Task, ending};
use plain::Plain;
use screen::Screen;
use signals::{Signals, Told};
pub use words::show as heard;

/// Between two frames at least: 30 a second are enough for any eye.
const FRAME: Duration = Duration::from_millis(33);

/// Whether clicks are the dashboard's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Mouse {
    #[default]
    On,
    Off,
}

/// How the dashboard begins.
#[derive(Debug, Default)]
pub struct Begin {
    pub mouse: Mouse,
    /// The services, where it is no other page.
    pub page: Option<Page>,
}

#[derive(Debug, Args)]
pub struct Ui {
    /// The page: services, logs, topology, requests, routes, tasks, or `logs:SERVICE`, `why:SERVICE`, `trace:ID`
    #[arg(long, value_name = "NAME", env = "NAGAYA_VIEW")]
    pub view: Option<String>,
    /// Who has the mouse: `on`, and Shift leaves it to the terminal, or `off`, and it is the terminal's
    #[arg(long, value_name = "WHO", default_value = "on", env = "NAGAYA_MOUSE")]
    pub mouse: Mouse,
    /// Say what changes, a line each, and take commands as lines: for screen readers
    #[arg(long, env = "NAGAYA_WORDS", conflicts_with_all = ["view", "render"])]
    pub words: bool,
    /// Write one frame to standard output instead, as a picture or as text
    #[arg(long, value_name = "FORMAT", env = "NAGAYA_RENDER")]
    pub render: Option<render::Format>,
    /// The columns and rows of that frame
    #[arg(long, value_name = "SIZE", default_value = "160x50", value_parser = render::size, env = "NAGAYA_SIZE")]
    pub size: (u16, u16),
}

/// The dashboard of a running engine, or one frame of it.
pub async fn run(global: &Global, args: &Ui, output: &Output) -> Result<ExitCode, Error> {
    if args.words && args.render.is_none() {
        let (client, engine) = connect(global, output)?;
        return words::run(client, &engine, output).await;
    }
    if args.render.is_none() && !output.is_terminal() {
        return Err(Error::usage("the dashboard needs a terminal")
            .hint("`nagaya ps` and `nagaya logs -f` do not, and `nagaya ui --render text` writes one frame"));
    }
    let page = args.view.as_deref().map(page).transpose()?;
    let (client, _) = connect(global, output)?;
    let identity = client.identity().await?;
    if let Some(page) = &page {
        let rows = client.services().await?;
        Error::unless_known(page.services(), rows.iter().map(|row| row.name.as_str()))?;
    }
    match args.render {
        Some(format) => {
            let app = App::new(
                workspace(&identity, false),
                Theme { colors: render::has_colors(format, global.color) },
                keymap().0,
            );
            let source = Source::new(&client, &identity, Own::new(&identity), mpsc::channel(1).0);
            render::run(app, &source, page, (format, args.size), output).await
        }
        None => {
            let begin = Begin { mouse: args.mouse, page };
            show(&client, &identity, (None, begin), output).await
        }
    }
}

fn page(name: &str) -> Result<Page, Error> {
    Page::named(name).ok_or_else(|| {
        Error::usage(format!("the dashboard has no page `{name}`"))
            .hint("services, logs, topology, requests, routes, tasks, logs:SERVICE, why:SERVICE, trace:ID")
    })
}

fn workspace(identity: &Identity, owned: bool) -> Workspace {
    Workspace {
        name: identity.name.clone(),
        url: format!("http://{}.localhost:{}", identity.host_label, identity.front_door),
        owned,
    }
}

/// Shows an engine until the user leaves; `owned` ends with the dashboard unless it is left running.
pub async fn show(
    client: &Client,
    identity: &Identity,
    (owned, begin): (Option<Owned>, Begin),
    output: &Output,
) -> Result<ExitCode, Error> {
    let (keymap, problems) = keymap();
    let mut app = App::new(workspace(identity, owned.is_some()), Theme { colors: output.colors() }, keymap);
    app.commands = commands();
    app.message = problems;
    app.has_mouse = begin.mouse == Mouse::On;
    if let Some(page) = begin.page {
        app.show(page);
    }
    let (messages, inbox) = mpsc::channel(64);
    let own = Own::new(identity);
    let feeds = Feeds::new(Source::new(client, identity, own.clone(), messages.clone()));
    // What an owner's terminal would have had without the dashboard; else what is written while it is looked at.
    let since = owned.is_none().then(clock::utc);
    let mut session = Session {
        app,
        client: client.clone(),
        own,
        feeds,
        plain: Plain::new(identity, since, output),
        running: HashMap::new(),
        messages,
        inbox,
        killed: false,
    };
    let screen =
        Screen::enter(session.app.has_mouse).map_err(|error| Error::failed(format!("the terminal: {error}")))?;
    let end = session.run(screen).await;
    let left = end.map_err(|error| Error::failed(format!("the terminal: {error}")))?;
    finish(left, &session, (owned, &identity.state()), output)
}

/// The keys, with the user's own; what is wrong with these is told in a line.
fn keymap() -> (Keymap, Option<String>) {
    let home = || environment::variable("HOME").map(|home| PathBuf::from(home).join(".config"));
    let folder = environment::variable("XDG_CONFIG_HOME").filter(|it| !it.is_empty()).map(PathBuf::from).or_else(home);
    let Some(path) = folder.map(|folder| folder.join("nagaya/keys.toml")) else { return (Keymap::default(), None) };
    match fs::read_text(&path) {
        Ok(text) => {
            let (keymap, problems) = Keymap::read(&text);
            let told = (!problems.is_empty()).then(|| format!("{}: {}", path.display(), problems.join("; ")));
            (keymap, told)
        }
        Err(_) => (Keymap::default(), None),
    }
}

/// What the command line can do, for the palette.
fn commands() -> Vec<Command> {
    let mut line = command_line();
    // Each says what is below it only when it is asked for.
    line.build();
    let suggestion = |it: &clap::Command| Suggestion {
        word: it.get_name().to_owned(),
        about: it.get_about().map(ToString::to_string).unwrap_or_default(),
    };
    let command = |it: &clap::Command| Command {
        name: suggestion(it),
        below: it.get_subcommands().filter(|below| below.get_name() != "help").map(suggestion).collect(),
    };
    let help = Suggestion { word: "help".to_owned(), about: "What a command does, and its flags".to_owned() };
    line.get_subcommands().map(command).chain([Command { name: help, below: Vec::new() }]).collect()
}

/// How long it is until then.
fn until(at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(clock::utc())).unwrap_or_default()
}

/// How the dashboard ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// By the user's wish; the engine runs on.
    Running,
    /// The engine is gone.
    Gone,
}

fn finish(
    left: Left,
    session: &Session,
    (owned, state): (Option<Owned>, &Path),
    output: &Output,
) -> Result<ExitCode, Error> {
    let name = &session.app.workspace.name;
    match (left, owned) {
        (Left::Running, Some(owned)) => {
            owned.release();
            output.say(&format!("{name} runs on; `nagaya ui` shows it again, `nagaya down` stops it"));
            Ok(ExitCode::SUCCESS)
        }
        (Left::Running, None) => Ok(ExitCode::SUCCESS),
        (Left::Gone, _) if session.killed => Err(Error::silent(Code::Interrupted)),
        (Left::Gone, _) if session.app.stopping => {
            output.say(&format!("{name} is down"));
            Ok(ExitCode::SUCCESS)
        }
        (Left::Gone, _) if session.app.gone.or_else(|| ending(state)) == Some(Ending::Killed) => {
            Err(Error::failed("the engine ended unexpectedly")
                .hint("`engine.log` in the workspace's state may tell why; `nagaya up` starts again"))
        }
        (Left::Gone, _) => {
            output.say(&format!("{name} was stopped, and is down"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

struct Session {
    app: App,
    client: Client,
    own: Own,
    feeds: Feeds,
    plain: Plain,
    /// The commands that run, by their numbers.
    running: HashMap<u64, Task>,
    messages: mpsc::Sender<Msg>,
    inbox: mpsc::Receiver<Msg>,
    killed: bool,
}

impl Session {
    /// Draws when something changed, at most once a frame; sleeps otherwise.
    async fn run(&mut self, mut screen: Screen) -> io::Result<Left> {
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
                    Some(Ok(Event::Key(key))) => { dirty = true; self.app.update(Msg::Key(key)) }
                    Some(Ok(Event::Mouse(event))) => { dirty = true; self.app.update(Msg::Mouse(event)) }
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
    fn hear(&mut self, message: Msg) -> Option<Ask> {
        let was_gone = self.app.gone.is_some();
        if let Msg::Ended(id, _) = &message {
            self.running.remove(id);
        }
        let ask = self.app.update(message);
        if was_gone && self.app.gone.is_none() {
            self.feeds.begin_again();
        }
        ask
    }

    fn obey(&mut self, ask: Option<Ask>) -> Option<Left> {
        match ask? {
            Ask::Start(service) => self.control("start", service),
            Ask::Stop(service) => self.control("stop", service),
            Ask::Restart(service) => self.control("restart", service),
            Ask::Explain(path) => self.explain(path),
            Ask::Run(id, words) => {
                let run = self.own.clone().run((id, words), Some(self.app.columns), self.messages.clone());
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
    async fn hang_up(&mut self) -> io::Result<Left> {
        if self.app.workspace.owned {
            let _ = self.client.down(false).await;
            self.app.stopping = true;
            return Ok(Left::Gone);
        }
        Ok(Left::Running)
    }
}
