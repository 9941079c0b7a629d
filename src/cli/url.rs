//! `nagaya url`: where services are reached from the host.

use std::process::ExitCode;

use serde::Serialize;

use super::args::{Global, Selected};
use super::error::Error;
use super::locate::connect;
use super::output::Output;
use crate::plan::LOOPBACK;
use crate::view::{Align, Table};

#[derive(Serialize)]
struct Url {
    service: String,
    port: String,
    url: String,
    /// The program's own address, for programs that do not resolve `*.localhost`.
    loopback: Option<String>,
}

/// Prints all addresses, or those of some services; the URL alone where only one is meant.
pub async fn run(global: &Global, args: &Selected, output: &Output) -> Result<ExitCode, Error> {
    let (client, _) = connect(global, output)?;
    let rows = client.services().await?;
    if let Some(missing) = args.services.iter().find(|name| rows.iter().all(|row| row.service != **name)) {
        return Err(Error::usage(format!("there is no service `{missing}`")).hint("`nagaya ps` lists the services"));
    }
    let wanted = rows.iter().filter(|row| args.services.is_empty() || args.services.contains(&row.service));
    let urls: Vec<Url> = wanted
        .flat_map(|row| {
            row.ports.iter().map(|port| Url {
                service: row.service.clone(),
                port: port.name.clone(),
                url: port.url.clone().unwrap_or_default(),
                loopback: port.published.map(|number| format!("{LOOPBACK}:{number}")),
            })
        })
        .collect();
    if output.json {
        output.json(&urls);
        return Ok(ExitCode::SUCCESS);
    }
    if let ([only], 1) = (urls.as_slice(), args.services.len()) {
        output.line(&only.url);
        return Ok(ExitCode::SUCCESS);
    }
    let mut table =
        Table::new(&[("SERVICE", Align::Left), ("PORT", Align::Left), ("URL", Align::Left), ("DIRECT", Align::Left)]);
    for url in urls {
        table.row(vec![url.service, url.port, url.url, url.loopback.unwrap_or_default()]);
    }
    output.lines(&table.lines());
    Ok(ExitCode::SUCCESS)
}
