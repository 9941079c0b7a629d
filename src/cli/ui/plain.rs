//! Plain lines in the place of the dashboard, as `up --no-tui` prints them, until a key asks for it again.

use std::io::{self, stdin};

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use jiff::Timestamp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::signals::{Signals, Told};
use super::{Left, Session};
use crate::api::{Client, Identity};
use crate::cli::error::Error;
use crate::cli::output::{Output, dim};
use crate::cli::stream::Stream;
use crate::tui::{Ask, Wants};

/// The lines of a session: all that it prints together is what one that never showed the dashboard would have printed.
pub struct Plain {
    identity: Identity,
    /// Since when; since the engine started, where it is no time.
    since: Option<Timestamp>,
    output: Output,
    /// Where it stopped last.
    stream: Option<Stream>,
}

impl Plain {
    /// Lines of an engine since a time.
    pub fn new(identity: &Identity, since: Option<Timestamp>, output: &Output) -> Self {
        Self { identity: identity.clone(), since, output: output.clone(), stream: None }
    }

    /// The lines, from where they stopped.
    async fn open(&mut self, client: &Client, services: &[String]) -> Result<Stream, Error> {
        match self.stream.take() {
            Some(mut stream) => {
                stream.go_on(client).await?;
                Ok(stream)
            }
            None => Stream::new(client, (&self.identity, self.since), services, true).await,
        }
    }
}

/// A terminal whose keys come one by one and unseen; all else is as in a shell. Dropping it puts it back.
struct Unseen {
    before: Termios,
    now: Termios,
}

impl Unseen {
    fn enter() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut now = before.clone();
        now.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        let unseen = Self { before, now };
        unseen.again()?;
        Ok(unseen)
    }

    /// The same after a shell had the terminal.
    fn again(&self) -> io::Result<()> {
        Ok(tcsetattr(stdin(), OptionalActions::Now, &self.now)?)
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}

impl Session {
    /// Prints lines until a key asks for the dashboard; something where there is nothing to go back to.
    pub(super) async fn plain(&mut self, keys: &mut EventStream, signals: &mut Signals) -> io::Result<Option<Left>> {
        let names: Vec<String> = self.app.groups().iter().map(|group| group.name().to_owned()).collect();
        // What only the dashboard shows is looked at by nobody now; its lines go on as they are.
        self.feeds.serve(Wants { logs: self.app.wants().logs, ..Wants::default() });
        let mut stream = match self.plain.open(&self.client, &names).await {
            Ok(stream) => stream,
            Err(error) => {
                self.app.message = Some(error.message);
                return Ok(None);
            }
        };
        let unseen = Unseen::enter()?;
        let output = self.plain.output.clone();
        output.say(&dim(&format!("plain lines; {} goes back to the dashboard", self.app.key_back())));
        let end = self.print(&mut stream, (keys, signals, &unseen), &output).await;
        drop(unseen);
        stream.pause();
        self.plain.stream = Some(stream);
        match end {
            Ok(left) => Ok(left),
            Err(error) => {
                self.app.message = Some(error.message);
                Ok(None)
            }
        }
    }

    async fn print(
        &mut self,
        stream: &mut Stream,
        (keys, signals, unseen): (&mut EventStream, &mut Signals, &Unseen),
        output: &Output,
    ) -> Result<Option<Left>, Error> {
        let failed = |error: io::Error| Error::failed(format!("the terminal: {error}"));
        loop {
            let ask = tokio::select! {
                // Keys first: services that write without end must not keep anybody here.
                biased;
                event = keys.next() => match event {
                    Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release && self.app.leads_back(key) => return Ok(None),
                    Some(Ok(_)) => None,
                    Some(Err(_)) | None => return self.hang_up().await.map(Some).map_err(failed),
                },
                told = signals.next() => match told {
                    Told::Interrupt => self.interrupted(output),
                    Told::GoOn => {
                        unseen.again().map_err(failed)?;
                        None
                    }
                    Told::End => return self.hang_up().await.map(Some).map_err(failed),
                },
                Some(owned) = self.handed.recv() => self.inherit(owned),
                Some(message) = self.inbox.recv() => self.hear(message),
                ended = stream.next(output) => {
                    let end = ended?;
                    if end.is_some_and(|end| end.gone) {
                        stream.drain(output).await;
                        return Ok(Some(Left::Gone));
                    }
                    // What has come to its end by itself is no reason to leave: the dashboard would not. Where lines
                    // never end, signals and what was asked for have their turn too.
                    tokio::task::yield_now().await;
                    None
                }
            };
            match self.obey(ask) {
                Some(Left::Gone) => {
                    stream.drain(output).await;
                    return Ok(Some(Left::Gone));
                }
                Some(left) => {
                    stream.rest(output);
                    return Ok(Some(left));
                }
                None => {}
            }
        }
    }

    /// Does what Ctrl-C does in the dashboard, and says so.
    fn interrupted(&mut self, output: &Output) -> Option<Ask> {
        let ask = self.app.interrupt();
        if let Some(message) = self.app.message.take() {
            output.say(&dim(&message));
        }
        ask
    }
}
