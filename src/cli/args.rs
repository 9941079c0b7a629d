//! Every command and flag.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::model::parse_duration;

/// Boots a workspace of microservices and shows it.
#[derive(Debug, Parser)]
#[command(name = "nagaya", version, about, max_term_width = 100, after_help = CODES, disable_help_subcommand = true)]
pub struct Args {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

const CODES: &str = "Exit codes: 0 fine, 1 a service failed, 2 usage, 3 manifest invalid, 4 no engine running, \
    5 timed out waiting, 70 our bug, 130 interrupted. `exec` passes the command's own code through, or 125 when \
    nagaya itself failed, 126 not executable, 127 not found.\n\n\
    Every flag can be given as a variable: NAGAYA_FILE, NAGAYA_PROFILE, NAGAYA_JSON …";

/// Reads the arguments. `--file` may also stand behind a command, and so may `-f` where that does not mean `--follow`
/// there, as it does for everybody who has ever typed `logs -f`.
pub fn parse(words: Vec<std::ffi::OsString>) -> Result<Args, clap::Error> {
    let matches = command().try_get_matches_from(words)?;
    let mut args = Args::from_arg_matches(&matches)?;
    if let Some((_, behind)) = matches.subcommand()
        && let Some(files) = behind.get_many::<PathBuf>(FILE_BEHIND)
    {
        args.global.file.extend(files.cloned());
    }
    Ok(args)
}

const FILE_BEHIND: &str = "file behind the command";

fn command() -> clap::Command {
    Args::command().mut_subcommands(|command| {
        let follows = command.get_arguments().any(|argument| argument.get_short() == Some('f'));
        let file = clap::Arg::new(FILE_BEHIND)
            .long("file")
            .value_name("PATH")
            .help("The manifest, and overlays for it")
            .action(clap::ArgAction::Append)
            .value_parser(clap::value_parser!(PathBuf));
        command.arg(if follows { file } else { file.short('f') })
    })
}

/// Flags of every command.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Global {
    /// The manifest, and overlays for it [default: nagaya.yaml here or in a folder above]
    #[arg(short, long, value_name = "PATH", env = "NAGAYA_FILE", value_delimiter = ',')]
    pub file: Vec<PathBuf>,
    /// A name for the workspace in place of the manifest's
    #[arg(short, long, global = true, value_name = "NAME", env = "NAGAYA_PROJECT_NAME")]
    pub project_name: Option<String>,
    /// Switch a profile on
    #[arg(long, global = true, value_name = "NAME", env = "NAGAYA_PROFILE", value_delimiter = ',')]
    pub profile: Vec<String>,
    /// Work in this folder
    #[arg(short = 'C', long, global = true, value_name = "DIR", env = "NAGAYA_DIRECTORY")]
    pub directory: Option<PathBuf>,
    /// Leave `.env` beside the manifest alone
    #[arg(long, global = true, env = "NAGAYA_NO_ENV_FILE")]
    pub no_env_file: bool,
    /// Print JSON
    #[arg(long, global = true, env = "NAGAYA_JSON")]
    pub json: bool,
    /// Print less
    #[arg(short, long, global = true, env = "NAGAYA_QUIET")]
    pub quiet: bool,
    /// Print more
    #[arg(short, long, global = true, env = "NAGAYA_VERBOSE")]
    pub verbose: bool,
    /// Answer questions with yes
    #[arg(short, long, global = true, env = "NAGAYA_YES")]
    pub yes: bool,
    /// Make every question an error
    #[arg(long, global = true, env = "NAGAYA_NO_INPUT")]
    pub no_input: bool,
    /// Use colours
    #[arg(long, global = true, value_name = "WHEN", env = "NAGAYA_COLOR", default_value = "auto")]
    pub color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Boot everything, or some services and all that they need
    Up(Up),
    /// Stop everything and end the engine
    Down(Down),
    /// The services and their states
    Ps(Ps),
    /// All running workspaces of this user
    Ls,
    /// What services write
    Logs(Logs),
    /// Start services and all that they need
    Start(Some),
    /// Stop services
    Stop(Some),
    /// Stop services and start them again
    Restart(Some),
    /// Wait until services are ready or completed
    Wait(Wait),
    /// Why a service is not ready
    Why(One),
    /// The variables in which a service runs
    Env(One),
    /// The addresses of services
    Url(Any),
    /// Run a command in a service's folder and environment
    Exec(Exec),
    /// The manifest as it is understood
    Config,
    /// What is wrong with the manifest
    Check,
    /// The manifest's JSON Schema, for editors
    Schema,
    /// The last requests, with caller and callee
    #[command(alias = "tap")]
    Requests(Requests),
    /// Changes of state
    Events(Events),
    /// The dashboard
    Ui,
    /// An embedded workspace that needs nothing installed
    Demo(Demo),
}

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
    /// Start services with ports on their first request
    #[arg(long, env = "NAGAYA_LAZY")]
    pub lazy: bool,
    /// Stream the logs instead of showing the dashboard
    #[arg(long, env = "NAGAYA_NO_TUI")]
    pub no_tui: bool,
    /// Print the plan and start nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Down {
    /// Kill instead of stopping
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Ps {
    /// Services; all of them where none is named
    pub services: Vec<String>,
    /// Only their names
    #[arg(long)]
    pub names: bool,
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
pub struct Some {
    /// Services
    #[arg(required = true)]
    pub services: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub struct Any {
    /// Services; all of them where none is named
    pub services: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub struct One {
    /// The service
    pub service: String,
}

#[derive(Debug, ClapArgs)]
pub struct Wait {
    /// Services; all that were started where none is named
    pub services: Vec<String>,
    /// What to wait for
    #[arg(long = "for", value_name = "STATE", default_value = "ready")]
    pub state: Goal,
    /// How long at most
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// What `wait` can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Goal {
    Ready,
    Completed,
}

#[derive(Debug, ClapArgs)]
pub struct Exec {
    /// The service
    pub service: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<std::ffi::OsString>,
}

#[derive(Debug, ClapArgs)]
pub struct Requests {
    /// Only calls by or to these services
    pub services: Vec<String>,
    /// Go on with what comes
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last requests
    #[arg(short = 'n', long, value_name = "N")]
    pub tail: Option<usize>,
}

#[derive(Debug, ClapArgs)]
pub struct Events {
    /// Go on with what comes
    #[arg(short, long)]
    pub follow: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct Demo {
    #[command(flatten)]
    pub up: Up,
    /// Write the demo's manifest here instead of running it
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
}

fn duration(text: &str) -> Result<Duration, String> {
    // A bare number is seconds, as with Compose.
    match text.parse::<u64>() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => parse_duration(text).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Args {
        parse(line.split(' ').map(Into::into).collect()).unwrap()
    }

    #[test]
    fn the_arguments_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn f_is_a_file_but_where_it_follows() {
        assert_eq!(parsed("nagaya -f a up -f b").global.file, [PathBuf::from("a"), PathBuf::from("b")]);
        let args = parsed("nagaya -f a logs -f web");
        assert_eq!(args.global.file, [PathBuf::from("a")]);
        assert!(matches!(args.command, Some(Command::Logs(Logs { follow: true, .. }))));
    }
}
