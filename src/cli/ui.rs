//! `nagaya ui`, and the dashboard of `up`: a real terminal and a real engine around `tui`.

mod attached;
mod command;
mod feeds;
mod guard;
mod kept;
mod palette;
mod plain;
mod render;
mod routes;
mod screen;
mod session;
mod signals;
mod words;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tokio::sync::mpsc;

use super::args::{Global, command_line};
use super::error::{Code, Error};
use super::locate::connect;
use super::output::Output;
use crate::api::{Client, Identity};
use crate::effects::{clock, environment, fs};
use crate::engine::Owned;
use crate::tui::{App, Command, Ending, Keymap, Page, Suggestion, Theme, Workspace};

pub use command::Again;
use command::Own;
use feeds::{Feeds, Source, ending};
use plain::Plain;
use screen::Screen;
use session::Session;
pub use words::show as heard;

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
    /// This process is an `up`, and may be one once more.
    pub up: Option<Again>,
    /// The engine that ends with it.
    pub owned: Option<Owned>,
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
            let mut app = App::new(
                workspace(&identity, &Begin::default()),
                Theme { colors: render::has_colors(format, global.color) },
                keymap().0,
            );
            app.zone = clock::zone();
            let source = Source::new(&client, &identity, Own::new(&identity), mpsc::channel(1).0);
            render::run(app, &source, page, (format, args.size), output).await
        }
        None => {
            let begin = Begin { mouse: args.mouse, page, ..Begin::default() };
            show(&client, &identity, begin, output).await
        }
    }
}

fn page(name: &str) -> Result<Page, Error> {
    Page::named(name).ok_or_else(|| {
        Error::usage(format!("the dashboard has no page `{name}`"))
            .hint("services, logs, topology, requests, routes, tasks, logs:SERVICE, why:SERVICE, trace:ID")
    })
}

fn workspace(identity: &Identity, begin: &Begin) -> Workspace {
    let words = || environment::arguments().into_iter().skip(1).map(|word| word.to_string_lossy().into_owned());
    Workspace {
        name: identity.name.clone(),
        url: format!("http://{}.localhost:{}", identity.host_label, identity.front_door),
        owned: begin.owned.is_some(),
        up: begin.up.as_ref().map(|_| words().collect()),
    }
}

/// Shows an engine until the user leaves; one that is owned ends with the dashboard unless it is left running.
pub async fn show(client: &Client, identity: &Identity, begin: Begin, output: &Output) -> Result<ExitCode, Error> {
    let (keymap, problems) = keymap();
    let mut app = App::new(workspace(identity, &begin), Theme { colors: output.colors() }, keymap);
    app.zone = clock::zone();
    app.commands = commands();
    app.message = problems;
    app.has_mouse = begin.mouse == Mouse::On;
    if let Some(page) = begin.page.clone() {
        app.show(page);
    }
    let (messages, inbox) = mpsc::channel(64);
    let own = Own::new(identity);
    let feeds = Feeds::new(Source::new(client, identity, own.clone(), messages.clone()));
    // What an owner's terminal would have had without the dashboard; else what is written while it is looked at.
    let since = begin.owned.is_none().then(clock::utc);
    let (hands, handed) = mpsc::unbounded_channel();
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
        again: begin.up,
        owned: begin.owned,
        handed,
        hands,
    };
    let screen =
        Screen::enter(session.app.has_mouse).map_err(|error| Error::failed(format!("the terminal: {error}")))?;
    let end = session.run(screen).await;
    let left = end.map_err(|error| Error::failed(format!("the terminal: {error}")))?;
    finish(left, session, &identity.state(), output)
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

/// How the dashboard ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// By the user's wish; the engine runs on.
    Running,
    /// The engine is gone.
    Gone,
}

fn finish(left: Left, mut session: Session, state: &Path, output: &Output) -> Result<ExitCode, Error> {
    // One that has come just now is let go of, too.
    while let Ok(owned) = session.handed.try_recv() {
        session.owned = Some(owned);
    }
    let name = &session.app.workspace.name;
    session.app.outputs.running().for_each(|words| output.say(&format!("`{words}` was ended with the dashboard")));
    match (left, session.owned) {
        // Whoever says `up` may think that it is theirs.
        (Left::Running, owned) if owned.is_some() || session.again.is_some() => {
            if let Some(owned) = owned {
                owned.release();
            }
            output.say(&format!("{name} runs on; `nagaya ui` shows it again, `nagaya down` stops it"));
            Ok(ExitCode::SUCCESS)
        }
        (Left::Running, _) => Ok(ExitCode::SUCCESS),
        (Left::Gone, _) if session.killed => {
            output.say(&format!("{name} was killed, and is down"));
            Err(Error::silent(Code::Interrupted))
        }
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
