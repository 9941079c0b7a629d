//! `nagaya url`: where services are reached from the host.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::args::Global;
use super::error::Error;
use super::locate::connect;
use super::output::{Output, dim};
use crate::effects::ports;
use crate::model::Protocol;
use crate::plan::LOOPBACK;
use crate::view::{Align, Port, Service, Table, by_service};

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
    /// The program's own address, for programs that do not resolve `*.localhost`. None where others have its number.
    loopback: Option<String>,
    /// The number that `publish` chose and that others have.
    unpublished: Option<u16>,
    /// The URL is one for services alone: nothing leads there from this machine.
    only_in_pods: bool,
    #[serde(skip)]
    takes_datagrams: bool,
}

/// Prints all addresses, or those of some services; the URL alone where only one is meant.
pub async fn run(global: &Global, args: &Url, output: &Output) -> Result<ExitCode, Error> {
    let (client, _) = connect(global, output)?;
    let rows = by_service(client.services().await?);
    Error::unless_known(&args.services, rows.iter().map(|row| row.name.as_str()))?;
    let wanted = rows.iter().filter(|row| args.services.is_empty() || args.services.contains(&row.name));
    let addresses: Vec<Address> =
        wanted.flat_map(|row| row.ports.iter().map(|port| Address::new(row, port, args.https))).collect();
    if output.json {
        output.json(&addresses);
        return Ok(ExitCode::SUCCESS);
    }
    if let ([only], 1) = (addresses.as_slice(), args.services.len()) {
        output.line(&only.url);
        hidden(&addresses, output);
        return Ok(ExitCode::SUCCESS);
    }
    let columns = [("SERVICE", Align::Left), ("PORT", Align::Left), ("URL", Align::Left), ("LOOPBACK", Align::Left)];
    let mut table = Table::new(&columns);
    for address in &addresses {
        let loopback = address.loopback.clone().unwrap_or_else(|| "-".to_owned());
        table.row(vec![address.service.clone(), address.port.clone(), address.url.clone(), loopback]);
    }
    output.lines(&table.lines());
    hidden(&addresses, output);
    Ok(ExitCode::SUCCESS)
}

/// Tells which ports cannot be reached from this machine, and how they would be.
fn hidden(addresses: &[Address], output: &Output) {
    let name = |address: &Address| format!("{}'s {}", address.service, address.port);
    for address in addresses {
        let Some(number) = address.unpublished else { continue };
        output.say(&dim(&format!(
            "  {} is not published on {number}: {}; it will be once that is free",
            name(address),
            ports::taken_message(number)
        )));
    }
    let is_hidden = |address: &&Address| address.only_in_pods && address.unpublished.is_none();
    let (datagrams, streams): (Vec<_>, Vec<_>) = addresses.iter().filter(is_hidden).partition(|it| it.takes_datagrams);
    let reasons = [
        (streams, "on 127.0.0.1 the number is below 1024 or another's too; `publish` gives it one"),
        (datagrams, "UDP is not published"),
    ];
    for (hidden, reason) in reasons.iter().filter(|(hidden, _)| !hidden.is_empty()) {
        let names: Vec<String> = hidden.iter().copied().map(name).collect();
        output.say(&dim(&format!("  services alone reach {}: {reason}", names.join(", "))));
    }
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
            unpublished: port.unpublished,
            only_in_pods: port.only_in_pods,
            takes_datagrams: port.protocol == Protocol::Udp.word(),
            loopback: port.published.map(|number| format!("{scheme}://{LOOPBACK}:{number}")),
        }
    }
}
