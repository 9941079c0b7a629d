//! `nagaya top`: CPU and memory of services, as they change.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::args::Global;
use super::error::Error;
use super::locate::{connect, gone};
use super::output::{Output, dim, state};
use super::usage::Usage;
use crate::model::Size;
use crate::supervise::State;
use crate::view::{Align, Service, Table, state_mark};

#[derive(Debug, Args)]
pub struct Top {
    /// Services; all that run where none is named
    pub services: Vec<String>,
    /// Print once; off a terminal that is so anyway
    #[arg(long, env = "NAGAYA_NO_STREAM")]
    pub no_stream: bool,
    /// Whoever takes most first
    #[arg(long, value_name = "WHAT", env = "NAGAYA_SORT")]
    pub sort: Option<Sort>,
}

/// What there can be most of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    Cpu,
    Memory,
}

/// An instance as `--json` has it.
#[derive(Debug, Serialize)]
struct Taken<'a> {
    name: &'a str,
    service: &'a str,
    version: Option<&'a str>,
    instance: u32,
    state: State,
    pid: Option<u32>,
    container: Option<&'a str>,
    /// Of one CPU; null where it is not known.
    cpu_percent: Option<f64>,
    memory_bytes: Option<u64>,
}

/// Shows what services take: once, or on a terminal until somebody has seen enough.
pub async fn run(global: &Global, args: &Top, output: &Output) -> Result<ExitCode, Error> {
    let (client, engine) = connect(global, output)?;
    let rows = client.services().await?;
    Error::unless_known(&args.services, rows.iter().map(|row| row.name.as_str()))?;
    let mut usage = Usage::new(&client).await?;
    if !usage.measure().await {
        return gone(&engine, output);
    }
    if output.json {
        output.json(&shown(args, &usage.rows).into_iter().map(taken).collect::<Vec<_>>());
        return Ok(ExitCode::SUCCESS);
    }
    if args.no_stream || !output.is_terminal() {
        output.lines(&table(&shown(args, &usage.rows)));
        return Ok(ExitCode::SUCCESS);
    }
    let mut drawn = output.redraw(0, &table(&shown(args, &usage.rows)));
    while usage.next().await {
        drawn = output.redraw(drawn, &table(&shown(args, &usage.rows)));
    }
    gone(&engine, output)
}

/// Those that run, or were asked for.
fn shown<'a>(args: &Top, rows: &'a [Service]) -> Vec<&'a Service> {
    let is_shown = |row: &&Service| match args.services.is_empty() {
        true => row.pid.is_some() || row.memory_bytes.is_some(),
        false => args.services.contains(&row.name),
    };
    let mut out: Vec<&Service> = rows.iter().filter(is_shown).collect();
    match args.sort {
        Some(Sort::Cpu) => {
            out.sort_by(|one, other| other.cpu_percent.unwrap_or(-1.0).total_cmp(&one.cpu_percent.unwrap_or(-1.0)))
        }
        Some(Sort::Memory) => out.sort_by_key(|row| std::cmp::Reverse(row.memory_bytes)),
        None => {}
    }
    out
}

fn taken(row: &Service) -> Taken<'_> {
    Taken {
        name: &row.name,
        service: &row.service,
        version: row.version.as_deref(),
        instance: row.instance,
        state: row.state,
        pid: row.pid,
        container: row.container.as_deref(),
        cpu_percent: row.cpu_percent,
        memory_bytes: row.memory_bytes,
    }
}

/// The table, and what all of them take together where they are several.
fn table(rows: &[&Service]) -> Vec<String> {
    let columns = [
        ("SERVICE", Align::Left),
        ("STATE", Align::Left),
        ("CPU", Align::Right),
        ("MEMORY", Align::Right),
        ("PID", Align::Right),
    ];
    let mut table = Table::new(&columns);
    let plain = |row: &Service| format!("{} {}", state_mark(row.state), row.state.word());
    for row in rows {
        table.row(vec![
            row.label(),
            plain(row),
            cpu(row.cpu_percent),
            memory(row.memory_bytes),
            row.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        ]);
    }
    if rows.len() > 1 {
        let all = rows.iter().filter_map(|row| row.cpu_percent).reduce(|one, other| one + other);
        let bytes = rows.iter().filter_map(|row| row.memory_bytes).reduce(|one, other| one + other);
        table.row(vec!["together".to_owned(), String::new(), cpu(all), memory(bytes), String::new()]);
    }
    let mut lines = table.lines();
    for (place, line) in lines.iter_mut().enumerate() {
        *line = match place.checked_sub(1).map(|place| rows.get(place)) {
            Some(Some(row)) => line.replacen(&plain(row), &state(row.state), 1),
            _ => dim(line),
        };
    }
    lines
}

fn cpu(percent: Option<f64>) -> String {
    percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1}%"))
}

fn memory(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| Size(bytes).to_string())
}
