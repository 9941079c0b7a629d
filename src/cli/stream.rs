//! The log stream of `up`: prefixed lines and changes of state until everything has ended.

use std::collections::{BTreeMap, HashSet};
use std::process::ExitCode;

use jiff::Timestamp;

use super::args::Up;
use super::error::{Code, Error};
use super::logs::{Follower, From, Printer};
use super::output::{Output, dim, state};
use crate::api::{Client, Events, Identity};
use crate::runtime::Changes;
use crate::supervise::State;
use crate::telemetry::logs::Start;
use crate::view::{Service, elapsed};

/// What is followed.
pub struct Stream {
    services: HashSet<String>,
    /// Services that join later are followed too.
    all: bool,
    /// By name and instance.
    rows: BTreeMap<(String, u32), Service>,
    /// None while it rests.
    changes: Option<Events>,
    follower: Follower,
    printer: Printer,
}

/// Why there is no more.
pub struct End {
    failed: bool,
    /// It is the engine that ended.
    pub gone: bool,
}

impl End {
    /// The exit code of an `up` that ends so. One that was asked to stop has done well.
    pub fn code(&self, asked: bool) -> ExitCode {
        if self.failed && !asked { ExitCode::from(Code::Failed as u8) } else { ExitCode::SUCCESS }
    }
}

impl Stream {
    /// Follows services from this moment on, and what they wrote since a time; since the engine started, as a rule.
    pub async fn new(
        client: &Client,
        (identity, since): (&Identity, Option<Timestamp>),
        services: &[String],
        all: bool,
    ) -> Result<Self, Error> {
        let since = since.or_else(|| identity.started.parse().ok());
        let from = From { start: since.map_or(Start::Oldest, Start::Since), since };
        Ok(Self {
            rows: BTreeMap::new(),
            changes: Some(client.events("/v1/services/stream").await?),
            follower: Follower::new(client, &identity.logs, services, from).await?,
            printer: Printer::new(services, true, false),
            services: services.iter().cloned().collect(),
            all,
        })
    }

    /// Prints what comes next; something when everything has ended.
    pub async fn next(&mut self, output: &Output) -> Result<Option<End>, Error> {
        tokio::select! {
            // Lines first: a service's last words come before the word that it has ended.
            biased;
            lines = self.follower.next() => match lines? {
                Some(lines) => {
                    self.printer.print(&lines, output);
                    self.follower.tell_lost(output);
                    Ok(None)
                }
                None => {
                    // The two streams end together, and what the other one said last may not have been read yet: whether
                    // the services were told to stop.
                    while let Some(changes) = changed(&mut self.changes).await {
                        self.take(changes, output);
                    }
                    Ok(Some(self.end(true)))
                }
            },
            changes = changed(&mut self.changes) => match changes {
                Some(changes) => {
                    self.take(changes, output);
                    Ok(self.is_over().then(|| self.end(false)))
                }
                None => Ok(Some(self.end(true))),
            },
        }
    }

    /// Follows no more for now, and keeps its place.
    pub fn pause(&mut self) {
        self.changes = None;
        self.follower.rest();
    }

    /// Goes on where it was, with all that came meanwhile.
    pub async fn go_on(&mut self, client: &Client) -> Result<(), Error> {
        self.changes = Some(client.events("/v1/services/stream").await?);
        self.follower.go_on(client).await
    }

    /// Prints what is there already.
    pub fn rest(&mut self, output: &Output) {
        while let Ok(Some(lines)) = self.follower.written() {
            self.printer.print(&lines, output);
        }
    }

    /// Prints the rest, until the engine is gone.
    pub async fn drain(&mut self, output: &Output) {
        while let Ok(Some(lines)) = self.follower.next().await {
            self.printer.print(&lines, output);
        }
    }

    fn take(&mut self, changes: Changes, output: &Output) {
        if changes.whole {
            self.rows.retain(|(name, instance), _| changes.services.iter().any(|row| row.id() == (name, *instance)));
        }
        for row in changes.services {
            let about = self.services.contains(&row.name);
            let joins = self.all && row.wanted;
            if !about && !joins {
                continue;
            }
            if !about {
                self.services.insert(row.name.clone());
                self.follower.add(&row.name);
            }
            let before = self.rows.insert((row.name.clone(), row.instance), row.clone());
            let is_news = |before: Service| before.state != row.state || (row.stale && before.reason != row.reason);
            if before.is_none_or(is_news) && !output.json {
                self.tell(&row, output);
            }
        }
    }

    fn tell(&self, row: &Service, output: &Output) {
        let worth = !matches!(row.state, State::Waiting | State::Starting | State::Stopping) || output.verbose;
        if !worth || (row.state == State::Stopped && !row.wanted && !self.services.iter().all(|name| self.knows(name)))
        {
            return;
        }
        let took = row
            .startup_ms
            .filter(|_| row.ready)
            .map(|it| format!(" in {}", elapsed(std::time::Duration::from_millis(it))));
        let reason = row.reason.as_deref().map(|reason| format!(": {reason}"));
        let text = format!("{}{}{}", state(row.state), took.unwrap_or_default(), dim(&reason.unwrap_or_default()));
        output.say(&self.printer.prefixed(row.id(), &text));
    }

    /// Services run, or should, as far as is known: an engine that ends now was not asked to.
    pub fn is_alive(&self) -> bool {
        let stops = |row: &Service| matches!(row.state, State::Stopping | State::Stopped);
        self.rows.values().any(|row| row.wanted && !stops(row)) && !self.is_over()
    }

    /// Nothing that is wanted runs, or will by itself. What somebody stopped does not count: it may be started again.
    fn is_over(&self) -> bool {
        let over =
            |row: &&Service| matches!(row.state, State::Completed | State::Failed) || (row.stuck && row.pid.is_none());
        // What lives elsewhere has no end to wait for.
        let wanted: Vec<&Service> = self.rows.values().filter(|row| row.wanted && !row.is_external()).collect();
        self.services.iter().all(|name| self.knows(name)) && !wanted.is_empty() && wanted.iter().all(over)
    }

    /// The exit code of an `up` that is to end with one of its services, once it is.
    pub fn verdict(&self, args: &Up) -> Option<u8> {
        const FAILED: u8 = Code::Failed as u8;
        let of = |row: &Service| row.exit_code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED);
        if let Some(from) = &args.exit_code_from {
            let row = self.rows.get(&(from.clone(), 1))?;
            let ended = matches!(row.state, State::Completed | State::Failed);
            return ended.then(|| of(row)).or(row.stuck.then_some(FAILED));
        }
        (args.abort_on_failure && self.rows.values().any(|row| row.stuck)).then_some(FAILED)
    }

    fn knows(&self, service: &str) -> bool {
        self.rows.keys().any(|(name, _)| name == service)
    }

    fn end(&self, gone: bool) -> End {
        End { failed: self.rows.values().any(|row| row.stuck), gone }
    }
}

async fn changed(changes: &mut Option<Events>) -> Option<Changes> {
    changes.as_mut()?.next().await
}
