//! The command line: arguments, one file a command, the only printer of errors, exit codes.

mod add;
mod again;
mod args;
mod ask;
mod attach;
mod change;

mod check;
mod ci;
mod config;
mod contained;
mod control;
mod cp;
mod demo;
mod doctor;
mod down;
mod dry_run;
mod dtab;
mod enter;
mod env;
mod error;
mod events;
mod exec;
mod global;
mod graph;
mod hold;
mod images;
mod init;
mod kill;
mod locate;
mod logs;
mod ls;
mod matrix;
mod mirror;
mod output;
mod ps;
mod remote;
mod requests;
mod run;
mod scale;
mod schema;
mod shift;
mod snapshot;
mod status;
mod stream;
mod tasks;
mod temporary;
mod top;
mod tries;
mod trust;
mod turn;
mod ui;
mod up;
mod url;
mod usage;
mod wait;
mod why;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use args::{Args, Command};
use error::{Code, Error};
use output::Output;

use crate::effects::{containers, environment};

/// Runs the program with this process's arguments.
pub fn run() -> ExitCode {
    let words: Vec<std::ffi::OsString> = environment::arguments();
    // Those that are not for people come before everything that costs time.
    match words.get(1).and_then(|word| word.to_str()) {
        Some("launcher") if words.len() == 2 => return crate::engine::launcher(),
        Some("demo-service") => return demo::service(&words[2..]),
        Some("hold") if words.len() == 2 => return hold::run(),
        Some("router") => return contained::router(&words[2..]),
        Some(containers::CLEAR) => return contained::clear(&words[2..]),
        Some("kept") => return run::kept(&words[2..]).unwrap_or_else(|error| Output::plain().fail(&error)),
        Some("turn") => return turn::run(&words[2..]).unwrap_or_else(|error| Output::plain().fail(&error)),
        Some("enter") => return enter::run(&words[2..]).unwrap_or_else(|error| Output::plain().fail(&error)),
        _ => {}
    }
    let args = match args::parse(words) {
        Ok(args) => args,
        Err(error) => return usage(&for_a_task(error)),
    };
    let output = Output::new(&args.global);
    // What panicked has said so already.
    match catch_unwind(AssertUnwindSafe(|| dispatch(args, &output))) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => output.fail(&error),
        Err(_) => output.fail(&Error::new(Code::Bug, "this is a bug in nagaya, and what is above tells where")),
    }
}

/// What `run` does not know may be for a task; behind `--` alone, as clap advises, it would be for none.
fn for_a_task(mut error: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue};
    let is_run = error.get(ContextKind::Usage).is_some_and(|usage| usage.to_string().contains("nagaya run"));
    if let (true, Some(unknown)) = (is_run, error.get(ContextKind::InvalidArg).map(ToString::to_string))
        && error.remove(ContextKind::Suggested).is_some()
    {
        let advice = format!("`nagaya run TASK -- {unknown}` gives it to a task");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![advice.into()]));
    }
    error
}

/// clap's own words; help and version are no errors.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    match error.kind() {
        clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(Code::Usage as u8),
    }
}

fn dispatch(args: Args, output: &Output) -> Result<ExitCode, Error> {
    let mut global = args.global;
    if let Some(folder) = &global.directory {
        global.called_in = environment::folder().ok();
        environment::go_to(folder)
            .map_err(|error| Error::usage(format!("cannot go to {}: {error}", folder.display())))?;
    }
    match args.command {
        None => block(status::run(&global, output)),
        Some(Command::Up(args)) => up::run(&global, args, output),
        Some(Command::Ci(args)) => ci::run(&global, args, output),
        Some(Command::Matrix(args)) => matrix::run(&global, args, output),
        Some(Command::Down(args)) => block(down::run(&global, &args, output)),
        Some(Command::Ps(args)) => block(ps::run(&global, &args, output)),
        Some(Command::Top(args)) => block(top::run(&global, &args, output)),
        Some(Command::Ls(_)) => ls::run(output),
        Some(Command::Logs(args)) => block(logs::run(&global, args, output)),
        Some(Command::Start(args)) => block(control::run(&global, "start", &args, output)),
        Some(Command::Stop(args)) => block(control::run(&global, "stop", &args, output)),
        Some(Command::Restart(args)) => block(control::restart(&global, &args, output)),
        Some(Command::Pull(args)) => block(images::pull(&global, &args, output)),
        Some(Command::Build(args)) => block(images::build(&global, &args, output)),
        Some(Command::Kill(args)) => block(kill::run(&global, args, output)),
        Some(Command::Scale(args)) => block(scale::run(&global, args, output)),
        Some(Command::Wait(args)) => block(wait::run(&global, &args, output)),
        Some(Command::Why(args)) => why::run(&global, &args, output),
        Some(Command::Env(args)) => block(env::run(&global, &args, output)),
        Some(Command::Url(args)) => block(url::run(&global, &args, output)),
        Some(Command::Shift(args)) => block(shift::run(&global, args, output)),
        Some(Command::Mirror(args)) => block(mirror::run(&global, args, output)),
        Some(Command::Snapshot(args)) => block(snapshot::run(&global, args, output)),
        Some(Command::Try(args)) => block(tries::run(&global, args, output)),
        Some(Command::Remote(args)) => block(remote::run(&global, args, output)),
        Some(Command::Trust(args)) => trust::run(&args, output),
        Some(Command::Exec(args)) => block(exec::run(&global, args, output)),
        Some(Command::Cp(args)) => block(cp::run(&global, args, output)),
        Some(Command::Attach(args)) => block(attach::run(&global, args, output)),
        Some(Command::Doctor(_)) => Ok(doctor::run(&global, output)),
        Some(Command::Config(_)) => config::run(&global, output),
        Some(Command::Graph(args)) => graph::run(&global, &args, output),
        Some(Command::Check(_)) => check::run(&global, output),
        Some(Command::Run(args)) => run::run(&global, args, output),
        Some(Command::Tasks(args)) => tasks::run(&global, &args, output),
        Some(Command::Init(args)) => init::run(&global, &args, output),
        Some(Command::Add(args)) => add::run(&global, &args, output),
        Some(Command::Dtab(args)) => dtab::run(&global, args, output),
        Some(Command::Schema(_)) => schema::run(output),
        Some(Command::Requests(args)) => block(requests::run(&global, &args, output)),
        Some(Command::Events(args)) => block(events::run(&global, &args, output)),
        Some(Command::Ui(args)) => block(ui::run(&global, &args, output)),
        Some(Command::Demo(args)) => demo::run(global, args, output),
    }
}

/// Runs one command to its end on a runtime of its own.
fn block<T>(command: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("no runtime: {error}")))?
        .block_on(command)
}
