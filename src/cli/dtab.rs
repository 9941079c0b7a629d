//! `nagaya dtab`: the routes, and what names lead to.

mod eval;
mod explain;
mod get;
mod history;
mod list;
mod rollback;
mod set;

use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::args::Global;
use super::block;
use super::error::Error;
use super::output::Output;
use crate::dtab::{Path, SyntaxError};
use crate::effects::environment;
use crate::view::draw_syntax_error;

pub use explain::named;

#[derive(Debug, Args)]
pub struct Dtab {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The routes that users wrote, one a line
    Get(get::Get),
    /// Put others in their place
    Set(set::Set),
    /// Each entry, and whether anything is bound by it now
    List,
    /// How a name leads where it does
    Explain(explain::Explain),
    /// What one look-up in a dtab makes of a path; needs no engine
    Eval(eval::Eval),
    /// Every change, with who made it
    History,
    /// Go back to an earlier version
    Rollback(rollback::Rollback),
}

/// Does it.
pub fn run(global: &Global, args: Dtab, output: &Output) -> Result<ExitCode, Error> {
    match args.action {
        Action::Get(args) => block(get::run(global, &args, output)),
        Action::Set(args) => block(set::run(global, args, output)),
        Action::List => block(list::run(global, output)),
        Action::Explain(args) => block(explain::run(global, &args, output)),
        Action::Eval(args) => Ok(eval::run(&args, output)),
        Action::History => block(history::run(global, output)),
        Action::Rollback(args) => block(rollback::run(global, &args, output)),
    }
}

/// Reads an argument or a file; an error shows the line and what was meant.
fn parse<T: FromStr<Err = SyntaxError>>(text: &str, name: &str, output: &Output) -> Result<T, Error> {
    text.parse().map_err(|error: SyntaxError| {
        let drawn = draw_syntax_error(&error, text, name, output.error_colors() && !output.json);
        Error::usage(format!("{name} cannot be read: {}", error.message())).detail(drawn)
    })
}

/// A name, or a service's name as the name of requests to it.
fn parse_name(text: &str, output: &Output) -> Result<Path, Error> {
    let is_service =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let name = if is_service { format!("/svc/{text}") } else { text.to_owned() };
    parse(&name, "the path", output)
}

/// Who is written down for a change that a command makes.
pub fn author(command: &str) -> String {
    let name = environment::variable("USER").and_then(|name| name.into_string().ok()).filter(|name| !name.is_empty());
    format!("{} ({command})", name.unwrap_or_else(|| format!("uid {}", environment::user())))
}

/// "version 3 by me (dtab set), 2026-11-22T08:00:00Z".
fn version_line(version: u64, who: &str, time: &str) -> String {
    if version == 0 {
        "version 0: nothing was written yet".to_owned()
    } else {
        format!("version {version} by {who}, {time}")
    }
}
