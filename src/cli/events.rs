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
    /// Go on with what comes
    #[arg(short, long)]
    pub follow: bool,
}

/// Prints the changes of state so far, and what comes with `--follow`.
pub async fn run(global: &Global, args: &Events, output: &Output) -> Result<ExitCode, Error> {
    let (client, engine) = connect(global, output)?;
    let mut printer = Printer { client, next: 0 };
    if args.follow {
        printer.follow(output).await?;
        return gone(&engine, output);
    }
    printer.catch_up(output).await?;
    Ok(ExitCode::SUCCESS)
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
