//! `nagaya events`, and the event lines of other commands.

use std::process::ExitCode;

use clap::Args;

use super::args::Global;
use super::error::Error;
use super::locate::{connect, gone};
use super::output::{Output, dim, state};
use crate::api::{Client, Happened};
use crate::view::{Event, label};

#[derive(Debug, Args)]
pub struct Events {
    /// Only those of these services
    pub services: Vec<String>,
    /// Go on with what comes
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last ones
    #[arg(short = 'n', long, value_name = "N")]
    pub tail: Option<usize>,
}

impl Events {
    /// Those of what happened that are wanted.
    fn wanted<'e>(&self, happened: &'e [Event]) -> Vec<&'e Event> {
        let is_wanted = |event: &&Event| {
            self.services.is_empty() || event.service.as_ref().is_some_and(|service| self.services.contains(service))
        };
        happened.iter().filter(is_wanted).collect()
    }

    /// The last ones of what there was already.
    fn last<'e>(&self, happened: &'e [Event]) -> Vec<&'e Event> {
        let wanted = self.wanted(happened);
        let skip = self.tail.map_or(0, |tail| wanted.len().saturating_sub(tail));
        wanted.into_iter().skip(skip).collect()
    }

    /// Each name is a service's, or was.
    async fn check(&self, client: &Client) -> Result<(), Error> {
        let (rows, past) = (client.services().await?, client.happened(0).await?.events);
        let gone = past.iter().filter_map(|event| event.service.as_deref());
        Error::unless_known(&self.services, rows.iter().map(|row| row.name.as_str()).chain(gone))
    }
}

/// Prints the changes of state so far, and what comes with `--follow`.
pub async fn run(global: &Global, args: &Events, output: &Output) -> Result<ExitCode, Error> {
    let (client, engine) = connect(global, output)?;
    if !args.services.is_empty() {
        args.check(&client).await?;
    }
    if !args.follow {
        args.last(&client.happened(0).await?.events).into_iter().for_each(|event| print(event, output));
        return Ok(ExitCode::SUCCESS);
    }
    let mut stream = client.events("/v1/events/stream?from=0").await?;
    let mut is_past = true;
    while let Some(Happened { events, .. }) = stream.next().await {
        // What there was comes at once, all of it.
        let wanted = if std::mem::take(&mut is_past) { args.last(&events) } else { args.wanted(&events) };
        wanted.into_iter().for_each(|event| print(event, output));
    }
    gone(&engine, output)
}

/// Prints each event once, from a number on.
pub struct Printer {
    pub client: Client,
    pub next: u64,
}

impl Printer {
    /// Prints what comes until the engine is gone; may be dropped at any time.
    pub async fn follow(&mut self, output: &Output) -> Result<(), Error> {
        let mut stream = self.client.events(&format!("/v1/events/stream?from={}", self.next)).await?;
        while let Some(happened) = stream.next::<Happened>().await {
            self.print(&happened, output);
        }
        Ok(())
    }

    /// Prints what there is now.
    pub async fn catch_up(&mut self, output: &Output) -> Result<(), Error> {
        let happened = self.client.happened(self.next).await?;
        self.print(&happened, output);
        Ok(())
    }

    fn print(&mut self, happened: &Happened, output: &Output) {
        happened.events.iter().for_each(|event| print(event, output));
        self.next = happened.next;
    }
}

fn print(event: &Event, output: &Output) {
    if output.json {
        return output.json_line(event);
    }
    let time = event.time.get(11..23).unwrap_or(&event.time);
    let word = event.state.map(state).unwrap_or_default();
    let message = event.message.as_deref().map(|message| format!("  {message}")).unwrap_or_default();
    let whose = event.service.as_deref().map(|service| label(service, event.instance.unwrap_or(1))).unwrap_or_default();
    output.line(&format!("{} {whose}  {word}{}", dim(time), dim(&message)));
}
