//! `nagaya trust`: this user's authority in the stores of this machine.

use std::process::ExitCode;

use anstyle::AnsiColor;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::error::{Code, Error};
use super::locate::places;
use super::output::{Output, dim, tint};
use crate::effects::authority::Authority;
use crate::effects::environment;
use crate::effects::stores::{self, Action, Kind, Outcome, Report};

#[derive(Debug, Args)]
pub struct Trust {
    /// Take it away again
    #[arg(long)]
    pub uninstall: bool,
    /// Only print where the authority's certificate is
    #[arg(long)]
    pub print: bool,
    /// Only stores of this kind
    #[arg(long, value_name = "KIND")]
    pub store: Vec<Store>,
}

/// Kinds of stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Store {
    System,
    Nss,
    Java,
}

#[derive(Serialize)]
struct Answer {
    ca: String,
    name: String,
    stores: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    store: &'static str,
    place: Option<String>,
    /// `done`, `already`, `absent` or `manual`.
    status: &'static str,
    message: Option<String>,
    /// What does it by hand.
    commands: Vec<String>,
}

/// Installs or removes, and tells what became of each store.
pub fn run(args: &Trust, output: &Output) -> Result<ExitCode, Error> {
    let places = places()?;
    let action = if args.uninstall { Action::Remove } else { Action::Install };
    let broken = |error: std::io::Error| Error::failed(format!("the authority cannot be used: {error}"));
    let authority = match action {
        Action::Install => Some(Authority::open(&places).map_err(broken)?),
        Action::Remove => Authority::find(&places).map_err(broken)?,
    };
    let Some(authority) = authority else {
        return Err(Error::failed("there is no authority, so none of the stores has it from here")
            .hint(format!("it would be in {}", places.authority().display())));
    };
    if args.print {
        let file = authority.file.to_string_lossy().into_owned();
        match output.json {
            true => output.json(&Answer { ca: file, name: authority.name(), stores: Vec::new() }),
            false => output.line(&file),
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(user) = environment::variable("SUDO_USER").filter(|user| user != "root") {
        output.say(&format!(
            "by sudo this is root's own authority; workspaces of {} have another: run it without sudo",
            user.to_string_lossy()
        ));
    }
    let rows: Vec<Row> = stores::apply(&authority, action, &kinds(args)).into_iter().map(Row::from).collect();
    let left = rows.iter().any(|row| row.status == "manual");
    let answer = Answer { ca: authority.file.to_string_lossy().into_owned(), name: authority.name(), stores: rows };
    match output.json {
        true => output.json(&answer),
        false => show(&answer, action, output),
    }
    Ok(if left { ExitCode::from(Code::Failed as u8) } else { ExitCode::SUCCESS })
}

fn kinds(args: &Trust) -> Vec<Kind> {
    let of = |store: &Store| match store {
        Store::System => Kind::System,
        Store::Nss => Kind::Nss,
        Store::Java => Kind::Java,
    };
    if args.store.is_empty() { Kind::ALL.to_vec() } else { args.store.iter().map(of).collect() }
}

impl From<Report> for Row {
    fn from(report: Report) -> Self {
        let (status, message, commands) = match report.outcome {
            Outcome::Done => ("done", None, Vec::new()),
            Outcome::Already => ("already", None, Vec::new()),
            Outcome::Absent => ("absent", None, Vec::new()),
            Outcome::ByHand { why, commands } => ("manual", Some(why), commands),
        };
        let place = report.place.map(|place| place.to_string_lossy().into_owned());
        Self { store: report.kind.word(), place, status, message, commands }
    }
}

fn show(answer: &Answer, action: Action, output: &Output) {
    output.line(&format!("{}  {}", answer.name, dim(&answer.ca)));
    for row in &answer.stores {
        let word = match (row.status, action) {
            ("done", Action::Install) => tint("✓ trusted", AnsiColor::Green),
            ("done", Action::Remove) => tint("✓ removed", AnsiColor::Green),
            ("already", Action::Install) => tint("✓ trusted already", AnsiColor::Green),
            ("already", Action::Remove) => dim("– it is not there"),
            ("manual", _) => tint("✗ by hand", AnsiColor::Yellow),
            _ => dim("– no such store"),
        };
        let place = row.place.as_deref().map(|place| format!("  {}", dim(place))).unwrap_or_default();
        output.line(&format!("  {:<6}  {word}{place}", row.store));
        if let Some(message) = &row.message {
            output.line(&format!("          {message}"));
        }
        row.commands.iter().for_each(|command| output.line(&format!("          {command}")));
    }
}
