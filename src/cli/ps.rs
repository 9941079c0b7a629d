//! `nagaya ps`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::args::Global;
use super::error::Error;
use super::locate::connect;
use super::output::{Output, state};
use crate::supervise::State;
use crate::view::{Align, Port, Service, Table, by_service, elapsed, lost_lines};

#[derive(Debug, Args)]
pub struct Ps {
    /// Services; all of them where none is named
    pub services: Vec<String>,
    /// Only their names
    #[arg(long)]
    pub names: bool,
}

/// Lists the instances of services.
pub async fn run(global: &Global, args: &Ps, output: &Output) -> Result<ExitCode, Error> {
    let (client, _) = connect(global, output)?;
    let mut rows = client.services().await?;
    Error::unless_known(&args.services, rows.iter().map(|row| row.name.as_str()))?;
    rows.retain(|row| !row.is_aside() && args.services.is_empty() || args.services.contains(&row.name));
    if output.json {
        output.json(&rows);
    } else if args.names {
        by_service(rows).iter().for_each(|row| output.line(&row.name));
    } else {
        table(&rows, output);
        // An engine of an earlier version has none.
        client.notices().await.unwrap_or_default().iter().for_each(|notice| output.say(notice));
    }
    Ok(ExitCode::SUCCESS)
}

/// The table of services, with what is wrong in words.
pub fn table(rows: &[Service], output: &Output) {
    let columns = [
        ("SERVICE", Align::Left),
        ("STATE", Align::Left),
        ("UP", Align::Right),
        ("RESTARTS", Align::Right),
        ("PID", Align::Right),
        ("PORTS", Align::Left),
        ("", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for row in rows {
        let up = row.uptime_ms.map(|millis| elapsed(Duration::from_millis(millis)));
        table.row(vec![
            row.label(),
            format!("{} {}", crate::view::state_mark(row.state), row.state.word()),
            up.unwrap_or_default(),
            row.restarts.to_string(),
            row.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            row.ports.iter().map(port).collect::<Vec<_>>().join(" "),
            remarks(row),
        ]);
    }
    for (line, row) in table.lines().into_iter().zip(std::iter::once(None).chain(rows.iter().map(Some))) {
        let Some(row) = row else {
            output.line(&super::output::dim(&line));
            continue;
        };
        let plain = format!("{} {}", crate::view::state_mark(row.state), row.state.word());
        output.line(&line.replacen(&plain, &state(row.state), 1));
    }
}

/// What there is to say of it in words.
fn remarks(row: &Service) -> String {
    let joint = if row.state == State::Backoff { " " } else { ", next " };
    let next = row.next_in(crate::effects::clock::utc()).map(|next| format!("in {}", elapsed(next)));
    let reason = row.reason.iter().cloned().chain(next).collect::<Vec<_>>().join(joint);
    Some(reason)
        .filter(|it| !it.is_empty())
        .into_iter()
        .chain(unpublished(row))
        .chain(lost_lines(row.lost_lines))
        .collect::<Vec<_>>()
        .join("; ")
}

/// The numbers that it publishes and others have; who does is said below the table.
fn unpublished(row: &Service) -> impl Iterator<Item = String> {
    row.ports.iter().filter_map(|port| port.unpublished).map(|number| format!("not published on {number}"))
}

/// `http:8080→21034`: production's number and this machine's.
fn port(port: &Port) -> String {
    match port.published {
        Some(published) if published != port.port => format!("{}:{}→{published}", port.name, port.port),
        _ => format!("{}:{}", port.name, port.port),
    }
}
