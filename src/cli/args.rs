//! Every command and flag.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args as ClapArgs, FromArgMatches, ValueEnum};

use super::add::Add;
use super::attach::Attach;
use super::ci::Ci;
use super::control::{Named, Restart};
use super::cp::Cp;
use super::demo::Demo;
use super::dtab::Dtab;
use super::events::Events;
use super::exec::Exec;
use super::graph::Graph;
use super::images::{BuildImages, Pull};
use super::init::Init;
use super::kill::Kill;
use super::matrix::Matrix;
use super::mirror::Mirror;
use super::ps::Ps;
use super::remote::Remote;
use super::requests::Requests;
use super::run::Run;
use super::scale::Scale;
use super::shift::Shift;
use super::snapshot::Snapshot;
use super::tasks::Tasks;
use super::top::Top;
use super::tries::Try;
use super::trust::Trust;
use super::ui::Ui;
use super::url::Url;
use super::wait::Wait;
use crate::model::parse_duration;

use super::global::helped;
pub use super::global::{Color, Global};

/// What was asked for.
#[derive(Debug)]
pub struct Args {
    pub global: Global,
    pub command: Option<Command>,
}

const CODES: &str = "Exit codes: 0 fine, 1 a service failed, 2 usage, 3 manifest invalid, 4 no engine running, \
    5 timed out waiting, 70 our bug, 130 interrupted. `exec`, `run` and `ci` pass the command's own code through, or 125 when \
    nagaya itself failed, 126 not executable, 127 not found.\n\n\
    Every flag can be given as a variable: NAGAYA_FILE, NAGAYA_PROFILE, NAGAYA_JSON …";

/// Reads the arguments. The flags of every command may stand before it or behind it.
pub fn parse(words: Vec<OsString>) -> Result<Args, clap::Error> {
    let mut top = command_line();
    let matches = top.try_get_matches_from_mut(helped(words))?;
    let mut global = Global::from_arg_matches(&matches)?;
    let Some((name, behind)) = matches.subcommand() else { return Ok(Args { global, command: None }) };
    global.add(Global::from_arg_matches(behind)?);
    if let Some((_, behind)) = behind.subcommand() {
        global.add(Global::from_arg_matches(behind)?);
    }
    Ok(Args { global, command: Some(Command::read(name, behind)?) })
}

/// Everything that the command line can do.
pub fn command_line() -> clap::Command {
    let top = clap::Command::new("nagaya")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(CODES)
        .max_term_width(100)
        .disable_help_subcommand(true);
    // After the flags, whose own description would take its place.
    let top = with_words(Global::augment_args(top)).about("Boots a workspace of microservices and shows it");
    Command::add_to(top)
}

/// Declares the commands. Each completes its arguments only when it is called: all of them together would be a
/// third of the time that a small command takes.
macro_rules! commands {
    ($( #[doc = $about:literal] $(#[alias = $alias:literal])? $variant:ident($args:ty) = $name:literal, )*) => {
        /// What to do.
        #[derive(Debug)]
        pub enum Command {
            $( #[doc = $about] $variant($args), )*
        }

        impl Command {
            fn add_to(top: clap::Command) -> clap::Command {
                top $( .subcommand(
                    clap::Command::new($name).about($about.trim()) $( .alias($alias) )? .defer(complete::<$args>)
                ) )*
            }

            fn read(name: &str, matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
                match name {
                    $( $name => <$args>::from_arg_matches(matches).map(Self::$variant), )*
                    _ => Err(clap::Error::new(clap::error::ErrorKind::InvalidSubcommand)),
                }
            }
        }
    };
}

/// A flag's variable is set by any word but `0`, `no`, `off` and `false`: `NAGAYA_JSON=1` means what it says.
fn with_words(command: clap::Command) -> clap::Command {
    command.mut_args(|argument| match argument.get_action() {
        ArgAction::SetTrue => argument.value_parser(FalseyValueParser::new()),
        _ => argument,
    })
}

/// A command with the flags of every command, whose description would take the place of its own.
fn with_flags(command: clap::Command) -> clap::Command {
    with_words(keeping_about(command, Global::augment_args))
}

/// Arguments whose description, written for who reads the code, would take the place of the command's own.
fn keeping_about(command: clap::Command, augment: impl FnOnce(clap::Command) -> clap::Command) -> clap::Command {
    let about = command.get_about().cloned().unwrap_or_default();
    augment(command).about(about).long_about(None::<&str>)
}

/// A command's own arguments and the flags of every command. `-f` is the manifest's, but for those commands that
/// follow something: everybody has typed `logs -f`.
fn complete<A: ClapArgs>(command: clap::Command) -> clap::Command {
    let command = with_flags(keeping_about(command, A::augment_args)).mut_subcommands(with_flags);
    let follows = command.get_arguments().any(|argument| argument.get_id() == "follow");
    if follows { command.mut_arg("file", |file| file.short(None)) } else { command }
}

commands! {
    /// Boot everything, or some services and all that they need
    Up(Up) = "up",
    /// Stop everything and end the engine
    Down(Down) = "down",
    /// The services and their states
    Ps(Ps) = "ps",
    /// CPU and memory of services, as they change
    Top(Top) = "top",
    /// All running workspaces of this user
    Ls(Nothing) = "ls",
    /// What services write
    Logs(Logs) = "logs",
    /// Start services and all that they need
    Start(Named) = "start",
    /// Stop services
    Stop(Named) = "stop",
    /// Replace services by new instances, without a gap where that is possible
    Restart(Restart) = "restart",
    /// Fetch the images of services
    Pull(Pull) = "pull",
    /// Build the images of services
    Build(BuildImages) = "build",
    /// Kill services, or send them another signal
    Kill(Kill) = "kill",
    /// Have more or fewer instances of services
    Scale(Scale) = "scale",
    /// Wait until services are ready or completed
    Wait(Wait) = "wait",
    /// Why a service is not ready, or why a task would run
    Why(Either) = "why",
    /// The variables in which a service runs
    Env(One) = "env",
    /// The addresses of services
    Url(Url) = "url",
    /// Boot another version of a service, which only requests that ask for it reach
    Try(Try) = "try",
    /// Share the requests to a service among its versions, at once or over time
    Shift(Shift) = "shift",
    /// Send copies of the requests to a service to another of its versions, and compare the answers
    Mirror(Mirror) = "mirror",
    /// Services that are looked for elsewhere: which they are, and to switch one
    Remote(Remote) = "remote",
    /// Have this machine trust https at the front door
    Trust(Trust) = "trust",
    /// Run a command in a service's folder and environment
    Exec(Exec) = "exec",
    /// Copy files out of a service, or into it
    Cp(Cp) = "cp",
    /// Look at the terminal of a service, and type there
    Attach(Attach) = "attach",
    /// Boot, run a command among the services, take everything down
    Ci(Ci) = "ci",
    /// Boot combinations of versions side by side, run a command against each, and tell which versions go together
    Matrix(Matrix) = "matrix",
    /// What this machine allows, and what is in the way of more
    Doctor(Nothing) = "doctor",
    /// The manifest as it is understood
    Config(Nothing) = "config",
    /// Who calls whom by the manifest, as text, or for a tool that draws
    Graph(Graph) = "graph",
    /// What is wrong with the manifest
    Check(Nothing) = "check",
    /// Routes at run time: get, set, list, explain, eval, history, rollback
    Dtab(Dtab) = "dtab",
    /// The manifest's JSON Schema, for editors
    Schema(Nothing) = "schema",
    /// Run tasks of the manifest or of any task runner, with all that comes before them
    Run(Run) = "run",
    /// Every task of every task runner in the workspace
    Tasks(Tasks) = "tasks",
    /// The last requests, with caller and callee
    #[alias = "tap"]
    Requests(Requests) = "requests",
    /// Write a manifest of the services that are found, or add them to it
    Init(Init) = "init",
    /// Add something to the manifest: a task of a task runner
    Add(Add) = "add",
    /// The data of stateful services as it was: save, restore, list, rm
    Snapshot(Snapshot) = "snapshot",
    /// Changes of state
    Events(Events) = "events",
    /// The dashboard
    Ui(Ui) = "ui",
    /// An embedded workspace that needs nothing installed
    Demo(Demo) = "demo",
}

/// No arguments of its own.
#[derive(Debug, Clone, ClapArgs)]
pub struct Nothing {}

#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Up {
    /// Services; all of them where none is named
    pub services: Vec<String>,
    /// Leave everything running in the background
    #[arg(short, long, env = "NAGAYA_DETACH")]
    pub detach: bool,
    /// Return once all are ready
    #[arg(long, env = "NAGAYA_WAIT")]
    pub wait: bool,
    /// How long to wait at most
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "NAGAYA_WAIT_TIMEOUT")]
    pub wait_timeout: Option<Duration>,
    /// Only the named services, without what they need
    #[arg(long, env = "NAGAYA_NO_DEPS")]
    pub no_deps: bool,
    /// End as soon as this service does, with its exit code, and stop the others
    #[arg(long, value_name = "SERVICE", env = "NAGAYA_EXIT_CODE_FROM", conflicts_with_all = ["detach", "wait"])]
    pub exit_code_from: Option<String>,
    /// End as soon as a service fails, and stop the others
    #[arg(long, env = "NAGAYA_ABORT_ON_FAILURE", conflicts_with_all = ["detach", "wait"])]
    pub abort_on_failure: bool,
    /// So many instances of a service, whatever the manifest says
    #[arg(long, value_name = "SERVICE=N", value_parser = super::scale::scale)]
    pub scale: Vec<(String, Option<u32>)>,
    /// Send requests to all other services to this remote, instead of running them
    #[arg(long, value_name = "REMOTE", requires = "services", env = "NAGAYA_REST")]
    pub rest: Option<String>,
    /// Build images before anything is started
    #[arg(long, env = "NAGAYA_BUILD")]
    pub build: bool,
    /// Start services with ports on their first request
    #[arg(long, env = "NAGAYA_LAZY")]
    pub lazy: bool,
    /// Stream the logs instead of showing the dashboard
    #[arg(long, env = "NAGAYA_NO_TUI")]
    pub no_tui: bool,
    /// Say what changes, a line each, and take commands as lines, instead of showing the dashboard: for screen readers
    #[arg(long, env = "NAGAYA_WORDS")]
    pub words: bool,
    /// Who has the mouse in the dashboard: `on`, and Shift leaves it to the terminal, or `off`
    #[arg(long, value_name = "WHO", default_value = "on", env = "NAGAYA_MOUSE")]
    pub mouse: super::ui::Mouse,
    /// Open the front door at ports 80 and 443 of the loopback too, for all workspaces
    #[arg(long, env = "NAGAYA_DOOR_80")]
    pub door_80: bool,
    /// Serve namerd's HTTP API at an address of the loopback: 127.0.0.1:4180
    #[arg(long, value_name = "ADDRESS", value_parser = loopback, env = "NAGAYA_NAMERD")]
    pub namerd: Option<SocketAddr>,
    /// Print the plan and start nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Give an engine that is started to whoever is at the other end of standard input, a socket
    #[arg(long, env = "NAGAYA_HAND_OVER", hide = true)]
    pub hand_over: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Down {
    /// Remove the data of services and the named volumes of containers too, for good; this asks
    #[arg(long)]
    pub volumes: bool,
    /// Kill instead of stopping
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Logs {
    /// Services; all of them where none is named
    pub services: Vec<String>,
    /// Go on with what comes
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last lines of each service
    #[arg(short = 'n', long, value_name = "N")]
    pub tail: Option<usize>,
    /// From a time, or so long ago: `2026-11-21T12:00:00Z`, `10m`
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Up to a time, or so long ago
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only lines that match a regular expression
    #[arg(long, value_name = "RE")]
    pub grep: Option<String>,
    /// Only lines of this level or worse
    #[arg(long, value_name = "LEVEL")]
    pub level: Option<Level>,
    /// Only lines of one request, by its id or trace id
    #[arg(long, value_name = "ID")]
    pub request: Option<String>,
    /// Show the time of each line
    #[arg(short, long)]
    pub timestamps: bool,
}

/// The levels of log lines, from harmless to fatal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

#[derive(Debug, ClapArgs)]
pub struct Either {
    /// The service, or the task of the manifest or of any runner
    #[arg(value_name = "SERVICE|TASK")]
    pub name: String,
}

#[derive(Debug, ClapArgs)]
pub struct One {
    /// The service
    pub service: String,
}

/// An API without a token is for nobody else.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let at: SocketAddr = text.parse().map_err(|_| "it is an address and a port: 127.0.0.1:4180".to_owned())?;
    if at.ip().is_loopback() { Ok(at) } else { Err("only this machine may be served: 127.0.0.1:4180".to_owned()) }
}

pub fn duration(text: &str) -> Result<Duration, String> {
    // A bare number is seconds, as with Compose.
    match text.parse::<u64>() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => parse_duration(text).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn parsed(line: &str) -> Args {
        parse(line.split(' ').map(Into::into).collect()).unwrap()
    }

    #[test]
    fn the_arguments_are_consistent() {
        command_line().debug_assert();
        for command in command_line().get_subcommands() {
            let (name, about) = (command.get_name(), command.get_about().unwrap().to_string());
            let help = parse(vec!["nagaya".into(), name.into(), "--help".into()]).unwrap_err();
            assert_eq!(help.kind(), clap::error::ErrorKind::DisplayHelp);
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words(&help.to_string()).starts_with(&words(&about)), "{name}: {help}");
        }
    }

    #[test]
    fn f_is_a_file_but_where_it_follows() {
        assert_eq!(parsed("nagaya -f a up -f b").global.file, [PathBuf::from("a"), PathBuf::from("b")]);
        let args = parsed("nagaya -f a logs -f web");
        assert_eq!(args.global.file, [PathBuf::from("a")]);
        assert!(matches!(args.command, Some(Command::Logs(Logs { follow: true, .. }))));
        assert_eq!(parsed("nagaya logs --file a").global.file, [PathBuf::from("a")]);
    }

    #[test]
    fn common_flags_stand_anywhere() {
        let global = parsed("nagaya --color never -p a ps --json -p b --color always").global;
        assert_eq!((global.json, global.project_name.as_deref(), global.color), (true, Some("b"), Some(Color::Always)));
    }
}
