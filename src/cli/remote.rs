//! `nagaya remote`: services that are looked for elsewhere.

use std::process::ExitCode;

use clap::Args;

use super::args::Global;
use super::dtab::author;
use super::error::Error;
use super::locate::connect;
use super::output::{Output, dim, state};
use super::wait::{Goal, settle};
use crate::api::{Client, Switched};
use crate::effects::registry::Registration;
use crate::supervise::State;
use crate::view::Remote as Row;

#[derive(Debug, Args)]
pub struct Remote {
    /// Services, and `on` or `off` behind them: `users off` runs users here. Without any, all that run elsewhere too are listed
    #[arg(value_name = "SERVICE… on|off")]
    words: Vec<String>,
    /// The remote, where several have the service
    #[arg(long, value_name = "REMOTE")]
    to: Option<String>,
}

/// Services that are to be looked for elsewhere, or to run here.
type Order<'w> = (&'w [String], bool);

/// Lists or switches. A service is switched back to here once it is ready here: until then its requests go on as before.
pub async fn run(global: &Global, args: Remote, output: &Output) -> Result<ExitCode, Error> {
    if args.words.is_empty() {
        return list(global, output).await;
    }
    let orders = orders(&args.words)?;
    let all: Vec<String> = orders.iter().flat_map(|(services, _)| services.iter().cloned()).collect();
    let (client, engine) = connect(global, output)?;
    let known = client.services().await?;
    Error::unless_known(&all, known.iter().map(|row| row.name.as_str()))?;
    for (services, is_on) in orders {
        if !is_on {
            back(&client, &engine, services, output).await?;
            continue;
        }
        for service in services {
            let rows = client.switch(&switched(service, true, args.to.clone())).await?;
            told(&rows, service, output);
        }
    }
    finish(&client, &all, output).await
}

/// `users web on db off`: what is to become of whom.
fn orders(words: &[String]) -> Result<Vec<Order<'_>>, Error> {
    let is_order = |word: &String| ["on", "off"].contains(&word.as_str());
    let order = |part: &[String]| match part.split_last() {
        Some((last, services)) if is_order(last) && !services.is_empty() => Ok(last == "on"),
        _ => Err(Error::usage("`remote` needs services and then `on` or `off`")
            .hint("`nagaya remote users on` looks for users elsewhere, `nagaya remote users off` runs it here")),
    };
    words.split_inclusive(is_order).map(|part| Ok((&part[..part.len() - 1], order(part)?))).collect()
}

fn switched(service: &str, is_on: bool, to: Option<String>) -> Switched {
    let word = if is_on { "on" } else { "off" };
    Switched { service: service.to_owned(), is_on, to, who: author(&format!("remote {service} {word}")) }
}

async fn back(client: &Client, engine: &Registration, services: &[String], output: &Output) -> Result<(), Error> {
    let rows = client.remotes().await?;
    client.control("start", services).await?;
    let waited = settle(client, &engine.state, services, Goal::Ready, None, output).await;
    waited.map_err(|error| {
        let away = rows.iter().find(|row| services.contains(&row.service) && row.remote.is_some());
        match away.and_then(|row| Some((&row.service, row.remote.as_ref()?))) {
            Some((service, remote)) => {
                error.hint(format!("{service} was not switched: requests to it go on to {remote}"))
            }
            None => error,
        }
    })?;
    for service in services {
        let rows = client.switch(&switched(service, false, None)).await?;
        told(&rows, service, output);
    }
    Ok(())
}

fn told(rows: &[Row], service: &str, output: &Output) {
    let row = rows.iter().find(|row| row.service == service);
    if output.json {
        return;
    }
    match row.and_then(|row| Some((row, row.remote.as_ref()?))) {
        Some((row, remote)) => {
            output.say(&format!("requests to {service} go to {remote}, {}", row.remotes[remote]));
            if !matches!(row.state, State::Stopped | State::Failed | State::Completed) {
                output.say(&dim(&format!("  it runs here too: `nagaya stop {service}` ends that")));
            }
        }
        None => output.say(&format!("requests to {service} stay here")),
    }
}

async fn finish(client: &Client, services: &[String], output: &Output) -> Result<ExitCode, Error> {
    if output.json {
        let rows = client.remotes().await?;
        output.json(&rows.iter().filter(|row| services.contains(&row.service)).collect::<Vec<_>>());
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(global: &Global, output: &Output) -> Result<ExitCode, Error> {
    let (client, _) = connect(global, output)?;
    let rows = client.remotes().await?;
    if output.json {
        output.json(&rows);
        return Ok(ExitCode::SUCCESS);
    }
    if rows.is_empty() {
        output.say("no service has a URL elsewhere: `remotes` of the manifest names them");
    }
    let width = rows.iter().map(|row| row.service.len()).max().unwrap_or(0);
    for row in &rows {
        let at = row.remote.as_deref().unwrap_or("here");
        let urls: Vec<String> = row.remotes.iter().map(|(remote, url)| format!("{remote} {url}")).collect();
        output.line(&format!("{:width$}  {at:<10}  {:<10}  {}", row.service, state(row.state), dim(&urls.join(", "))));
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_for_the_services_before_it() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let all = words("users web on db off");
        assert_eq!(orders(&all).unwrap(), [(&all[..2], true), (&all[3..4], false)]);
        for text in ["users", "on", "users on web", "users on off"] {
            assert!(orders(&words(text)).is_err(), "{text}");
        }
    }
}
