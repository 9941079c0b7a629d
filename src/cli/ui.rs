//! `nagaya ui`, and the dashboard of `up`: a real terminal and a real engine around `tui`.

use std::io::{self, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::args::Global;
use super::error::{Code, Error};
use super::locate::connect;
use super::logs::{Follower, From};
use super::output::Output;
use crate::api::{Client, Identity};
use crate::effects::clock;
use crate::engine::Owned;
use crate::runtime::Changes;
use crate::telemetry::logs::Start;
use crate::tui::{App, Ask, Msg, Theme, Workspace, draw};

/// Between two frames at least: 30 a second are enough for any eye.
const FRAME: Duration = Duration::from_millis(33);
/// Lines of the past that are shown of a service.
const PAST: usize = 1000;

/// The dashboard of a running engine.
pub async fn run(global: &Global, output: &Output) -> Result<ExitCode, Error> {
    if !output.is_terminal() {
        return Err(Error::usage("the dashboard needs a terminal").hint("`nagaya ps` and `nagaya logs -f` do not"));
    }
    let (client, _) = connect(global, output)?;
    let identity = client.identity().await?;
    show(&client, &identity, None, output).await
}

/// Shows an engine until the user leaves; `owned` ends with the dashboard unless it is left running.
pub async fn show(
    client: &Client,
    identity: &Identity,
    owned: Option<Owned>,
    output: &Output,
) -> Result<ExitCode, Error> {
    let workspace = Workspace {
        name: identity.name.clone(),
        url: format!("http://{}.localhost:{}", identity.host_label, identity.front_door),
        owned: owned.is_some(),
    };
    let app = App::new(workspace, Theme { colors: output.colors() });
    let (messages, inbox) = mpsc::channel(64);
    let rows = tokio::spawn(watch_rows(client.clone(), messages.clone()));
    let mut session = Session {
        app,
        client: client.clone(),
        logs: identity.logs.clone(),
        messages,
        inbox,
        following: None,
        killed: false,
    };
    let screen = Screen::enter().map_err(|error| Error::failed(format!("the terminal: {error}")))?;
    let end = session.run(screen).await;
    rows.abort();
    if let Some(following) = session.following.take() {
        following.abort();
    }
    let left = end.map_err(|error| Error::failed(format!("the terminal: {error}")))?;
    finish(left, &session, owned, output)
}

/// How the dashboard ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// By the user's wish; the engine runs on.
    Running,
    /// The engine is gone.
    Gone,
}

fn finish(left: Left, session: &Session, owned: Option<Owned>, output: &Output) -> Result<ExitCode, Error> {
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
        (Left::Gone, Some(_)) => Err(Error::failed("the engine ended unexpectedly")),
        (Left::Gone, None) => {
            output.say(&format!("{name} is down"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

struct Session {
    app: App,
    client: Client,
    logs: PathBuf,
    messages: mpsc::Sender<Msg>,
    inbox: mpsc::Receiver<Msg>,
    following: Option<JoinHandle<()>>,
    killed: bool,
}

impl Session {
    /// Draws when something changed, at most once a frame; sleeps otherwise.
    async fn run(&mut self, mut screen: Screen) -> io::Result<Left> {
        let mut keys = EventStream::new();
        let mut hangup = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut drawn = Instant::now() - FRAME;
        let mut dirty = true;
        loop {
            let draw_at = drawn + FRAME;
            let ask = tokio::select! {
                biased;
                event = keys.next() => match event {
                    Some(Ok(Event::Key(key))) => { dirty = true; self.app.update(Msg::Key(key)) }
                    Some(Ok(Event::Resize(..))) => { dirty = true; None }
                    Some(Ok(_)) => None,
                    // The terminal is gone; so are we.
                    Some(Err(_)) | None => return self.hang_up().await,
                },
                _ = hangup.recv() => return self.hang_up().await,
                _ = terminate.recv() => return self.hang_up().await,
                Some(message) = self.inbox.recv() => { dirty = true; self.app.update(message) }
                () = tokio::time::sleep_until(draw_at), if dirty => {
                    screen.draw(&mut self.app)?;
                    drawn = Instant::now();
                    dirty = false;
                    None
                }
            };
            if let Some(left) = self.obey(ask) {
                return Ok(left);
            }
        }
    }

    fn obey(&mut self, ask: Option<Ask>) -> Option<Left> {
        match ask? {
            Ask::Follow(service) => self.follow(&service),
            Ask::Start(service) => self.control("start", service),
            Ask::Stop(service) => self.control("stop", service),
            Ask::Restart(service) => self.control("restart", service),
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

    fn follow(&mut self, service: &str) {
        if let Some(before) = self.following.take() {
            before.abort();
        }
        let task = follow(self.client.clone(), self.logs.clone(), service.to_owned(), self.messages.clone());
        self.following = Some(tokio::spawn(task));
    }

    fn control(&self, verb: &'static str, service: String) {
        let (client, messages) = (self.client.clone(), self.messages.clone());
        tokio::spawn(async move {
            if let Err(error) = client.control(verb, std::slice::from_ref(&service)).await {
                let _ = messages.send(Msg::Told(format!("{verb} {service}: {error}"))).await;
            }
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

async fn watch_rows(client: Client, messages: mpsc::Sender<Msg>) {
    if let Ok(mut stream) = client.events("/v1/services/stream?usage=true").await {
        while let Some(changes) = stream.next::<Changes>().await {
            if messages.send(Msg::Rows(changes)).await.is_err() {
                return;
            }
        }
    }
    let _ = messages.send(Msg::Gone).await;
}

async fn follow(client: Client, logs: PathBuf, service: String, messages: mpsc::Sender<Msg>) {
    let services = [service.clone()];
    let from = From { start: Start::Tail(PAST), since: None };
    let Ok(mut follower) = Follower::new(&client, &logs, &services, from).await else { return };
    while let Ok(Some(lines)) = follower.next().await {
        let lines = lines.into_iter().map(|(_, line)| line).collect();
        if messages.send(Msg::Lines(service.clone(), lines)).await.is_err() {
            return;
        }
    }
}

/// The terminal in the dashboard's state; dropping it restores it, also in a panic.
struct Screen {
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
}

impl Screen {
    fn enter() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
        crossterm::terminal::enable_raw_mode()?;
        crossterm::execute!(stdout(), crossterm::terminal::EnterAlternateScreen, crossterm::cursor::Hide)?;
        Ok(Self { terminal: Terminal::new(CrosstermBackend::new(stdout()))? })
    }

    fn draw(&mut self, app: &mut App) -> io::Result<()> {
        self.terminal.draw(|frame| draw(app, frame, clock::utc())).map(|_| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
        let _ = std::panic::take_hook();
    }
}

fn restore() {
    let _ = crossterm::execute!(stdout(), crossterm::terminal::LeaveAlternateScreen, crossterm::cursor::Show);
    let _ = crossterm::terminal::disable_raw_mode();
}
