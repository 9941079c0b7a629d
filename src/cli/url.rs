//! `nagaya url`: where services are reached from the host.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::args::Global;
use super::error::Error;
use super::locate::connect;
use super::output::Output;
use crate::plan::LOOPBACK;
use crate::view::{Align, Port, Service, Table};

#[derive(Debug, Args)]
pub struct Url {
    /// Services; all of them where none is named
    pub services: Vec<String>,
    /// The front door by https
    #[arg(long)]
    pub https: bool,
}

#[derive(Serialize)]
struct Address {
    service: String,
    port: String,
    url: String,
    /// The front door by TLS, for what is reached there.
    https: Option<String>,
    /// The program's own address, for programs that do not resolve `*.localhost`.
    loopback: Option<String>,
}

/// Prints all addresses, or those of some services; the URL alone where only one is meant.
pub async fn run(global: &Global, args: &Url, output: &Output) -> Result<ExitCode, Error> {
    let (client, _) = connect(global, output)?;
    let rows = client.services().await?;
    if let Some(missing) = args.services.iter().find(|name| rows.iter().all(|row| row.service != **name)) {
        return Err(Error::usage(format!("there is no service `{missing}`")).hint("`nagaya ps` lists the services"));
    }
    let wanted = rows.iter().filter(|row| args.services.is_empty() || args.services.contains(&row.service));
    let addresses: Vec<Address> =
        wanted.flat_map(|row| row.ports.iter().map(|port| Address::new(row, port, args.https))).collect();
    if output.json {
        output.json(&addresses);
        return Ok(ExitCode::SUCCESS);
    }
    if let ([only], 1) = (addresses.as_slice(), args.services.len()) {
        output.line(&only.url);
        return Ok(ExitCode::SUCCESS);
    }
    let columns = [("SERVICE", Align::Left), ("PORT", Align::Left), ("URL", Align::Left), ("LOOPBACK", Align::Left)];
    let mut table = Table::new(&columns);
    for address in addresses {
        table.row(vec![address.service, address.port, address.url, address.loopback.unwrap_or_default()]);
    }
    output.lines(&table.lines());
    Ok(ExitCode::SUCCESS)
}

impl Address {
    fn new(row: &Service, port: &Port, https: bool) -> Self {
        let url = port.https.as_ref().filter(|_| https).or(port.url.as_ref());
        let scheme = port.url.as_ref().and_then(|url| url.split_once("://")).map_or("tcp", |(scheme, _)| scheme);
        Self {
            service: row.name.clone(),
            port: port.name.clone(),
            url: url.cloned().unwrap_or_default(),
            https: port.https.clone(),
            loopback: port.published.map(|number| format!("{scheme}://{LOOPBACK}:{number}")),
        }
    }
}
