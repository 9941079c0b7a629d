//! `nagaya wait`, and the waiting of other commands.

mod awaited;

use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::AnsiColor;
use clap::{Args, ValueEnum};
use tokio::time::Instant;

use self::awaited::Awaited;
use super::args::{Global, duration};
use super::error::{Code, Error};
use super::locate::connect;
use super::output::{self, Output, paint, state};
use crate::api::{CallError, Client};
use crate::effects::{clock, registry};
use crate::runtime::Changes;
use crate::supervise::State;
use crate::telemetry::logs::{self, Line, Stream};
use crate::view::{Culprit, Service, by_service, elapsed};

/// Who has not answered by then does not.
const ANSWER: Duration = Duration::from_secs(5);
/// A next try that is later than this is not waited for.
const FAR_OFF: Duration = Duration::from_secs(10);
/// Details beside an error are waited for no longer.
const SOON: Duration = Duration::from_secs(1);

/// What `wait` is asked for.
#[derive(Debug, Args)]
pub struct Wait {
    /// Services; all that were started where none is named
    pub services: Vec<String>,
    /// What to wait for
    #[arg(long = "for", value_name = "STATE", default_value = "ready")]
    pub goal: Goal,
    /// How long at most
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Goal {
    /// Ready, completed, or idle by design
    Ready,
    /// Ended with 0; else the exit code is that of the one service that was waited for
    Completed,
    #[value(skip)]
    Stopped,
}

impl Goal {
    fn is_reached(self, row: &Service) -> bool {
        match self {
            Self::Ready => row.settled,
            Self::Completed => row.state == State::Completed,
            Self::Stopped => matches!(row.state, State::Stopped | State::Completed | State::Failed | State::Idle),
        }
    }

    /// Nothing will bring it about by itself.
    fn is_hopeless(self, row: &Service) -> bool {
        match self {
            Self::Ready | Self::Completed => row.stuck || row.state == State::Stopped && !row.wanted || is_looping(row),
            // Somebody asked for it again meanwhile.
            Self::Stopped => row.wanted && !self.is_reached(row),
        }
    }
}

/// Whether it crashes again and again, and has for so long that the next try is far off. One that cannot do without
/// another which is slow to come has had its chances by then.
fn is_looping(row: &Service) -> bool {
    row.crashes > 1 && is_paused(row, FAR_OFF)
}

/// Whether it is started again, and not before so long.
pub fn is_paused(row: &Service, longer_than: Duration) -> bool {
    row.state == State::Backoff && row.next_in(clock::utc()).is_some_and(|pause| pause > longer_than)
}

/// Waits for the named services, or for all that were asked for.
pub async fn run(global: &Global, args: &Wait, output: &Output) -> Result<ExitCode, Error> {
    let (client, engine) = connect(global, output)?;
    let services = match args.services.is_empty() {
        false => args.services.clone(),
        true => {
            let rows = by_service(in_time(args.timeout, client.services()).await?);
            rows.into_iter().filter(|row| row.wanted && !row.is_aside()).map(|row| row.name).collect()
        }
    };
    let waited = settle(&client, &engine.state, &services, args.goal, args.timeout, output).await;
    match (waited, services.as_slice()) {
        // Of one that was to complete the code is its own, as of a command.
        (Err(error), [service]) if args.goal == Goal::Completed && error.code == Code::Failed => {
            let code = output.fail(&error);
            let rows = client.services().await?;
            let own = rows.into_iter().find(|row| row.name == *service).and_then(|row| row.exit_code);
            let own = own.and_then(|own| u8::try_from(own).ok()).filter(|own| *own != 0);
            Ok(own.map_or(code, ExitCode::from))
        }
        (waited, _) => waited.map(|()| ExitCode::SUCCESS),
    }
}

/// Waits until all of `services` have reached the goal, telling each that does. Fails as soon as one cannot reach it,
/// with what it said last.
pub async fn settle(
    client: &Client,
    home: &Path,
    services: &[String],
    goal: Goal,
    timeout: Option<Duration>,
    output: &Output,
) -> Result<(), Error> {
    settle_after(&[], client, home, services, goal, timeout, output).await
}

/// The same after something was asked for: of services that are still as they were `before` nothing is told.
pub async fn settle_after(
    before: &[Service],
    client: &Client,
    home: &Path,
    services: &[String],
    goal: Goal,
    timeout: Option<Duration>,
    output: &Output,
) -> Result<(), Error> {
    let before: HashMap<_, _> = before.iter().map(|row| (row.id(), row)).collect();
    let is_untouched = |row: &Service| before.get(&row.id()).is_some_and(|known| is_same_run(known, row));
    let begun = Instant::now();
    let opening = async { Ok((client.services().await?, client.events("/v1/services/stream").await?)) };
    // One that answers does so whatever it is to be waited for.
    let (known, mut stream) = in_time(timeout.map(|it| it.max(ANSWER)), Box::pin(opening)).await?;
    Error::unless_known(services, known.iter().map(|row| row.name.as_str()))?;
    let mut awaited = Awaited::new(services, goal);
    let mut reminder = Reminder::new();
    let mut reached_at: Option<Instant> = None;
    loop {
        let next = async {
            match timeout {
                Some(timeout) => tokio::time::timeout_at(begun + timeout, stream.next::<Changes>()).await.ok(),
                None => Some(stream.next::<Changes>().await),
            }
        };
        let changes = tokio::select! {
            changes = next => changes,
            () = reminder.due() => {
                reminder.say(&awaited, output);
                // Nothing may come because the engine does nothing: then this tells of it.
                let client = client.clone();
                tokio::spawn(async move { client.identity().await });
                continue;
            }
            () = tokio::time::sleep_until(reached_at.unwrap_or(begun)), if reached_at.is_some() => return Ok(()),
        };
        let Some(changes) = changes else { return Err(timed_out(&awaited, timeout, client, home).await) };
        let Some(changes) = changes else {
            return match goal {
                Goal::Stopped => Ok(()),
                _ => Err(CallError::Broken("the engine ended".to_owned()).into()),
            };
        };
        awaited.take(changes, |known, row| {
            if known.is_some() || !is_untouched(row) {
                announce(known, row, goal, output);
            }
        });
        if let Some(stuck) = awaited.hopeless() {
            if goal == Goal::Stopped {
                return Err(Error::failed(format!("{} was started again meanwhile", stuck.name)));
            }
            return Err(explain_stuck(stuck, &awaited, client, home).await);
        }
        reached_at = awaited.reached_at();
        if reached_at.is_some_and(|at| at <= Instant::now()) {
            return Ok(());
        }
    }
}

/// What is asked of an engine that may not answer.
async fn in_time<T>(
    timeout: Option<Duration>,
    asked: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    match timeout {
        Some(timeout) => tokio::time::timeout(timeout, asked).await.unwrap_or(Err(CallError::Silent)),
        None => asked.await,
    }
}

/// Whether two rows tell of the same process, or of the same end of one.
fn is_same_run(one: &Service, other: &Service) -> bool {
    let run = |row: &Service| (row.name.clone(), row.instance, row.state, row.pid, row.restarts, row.startup_ms);
    run(one) == run(other)
}

/// Says who is waited for when nothing was said for a while.
struct Reminder {
    at: Instant,
    pause: Duration,
}

impl Reminder {
    fn new() -> Self {
        let pause = Duration::from_secs(2);
        Self { at: Instant::now() + pause, pause }
    }

    async fn due(&self) {
        tokio::time::sleep_until(self.at).await;
    }

    fn say(&mut self, awaited: &Awaited<'_>, output: &Output) {
        self.pause = (self.pause * 2).min(Duration::from_secs(30));
        self.at = Instant::now() + self.pause;
        if output.json {
            return;
        }
        let waiting: Vec<String> = awaited
            .late()
            .filter(|row| row.state != State::Waiting)
            .map(|row| match &row.reason {
                Some(reason) => format!("{} ({reason})", row.label()),
                None => format!("{} ({})", row.label(), row.state.word()),
            })
            .collect();
        if !waiting.is_empty() {
            output.say(&output::dim(&format!("  still waiting: {}", few(waiting))));
        }
    }
}

/// So many are named before the rest is only counted: a thousand services may be waited for.
const NAMED: usize = 12;

fn few(mut words: Vec<String>) -> String {
    let more = words.len().saturating_sub(NAMED);
    words.truncate(NAMED);
    let all = words.join(", ");
    if more > 0 { format!("{all} and {more} more") } else { all }
}

/// One line for a service that has just reached what was waited for.
fn announce(before: Option<&Service>, row: &Service, goal: Goal, output: &Output) {
    if output.json || before.is_some_and(|before| before.state == row.state) {
        return;
    }
    let took = row
        .startup_ms
        .filter(|_| row.state == State::Ready)
        .map(|millis| format!(" in {}", elapsed(Duration::from_millis(millis))));
    let line = format!("  {}  {}{}", row.label(), state(row.state), took.unwrap_or_default());
    if goal.is_reached(row) && (before.is_some() || goal == Goal::Ready) {
        output.say(&line);
    } else if row.state == State::Backoff {
        output.say(&format!("{line}  {}", row.reason.as_deref().unwrap_or("")));
    } else if output.verbose {
        output.tell(&line);
    }
}

/// The error for a service that cannot get there: why, and what it said last.
async fn explain_stuck(row: &Service, awaited: &Awaited<'_>, client: &Client, home: &Path) -> Error {
    // What it waits for is the one to look at.
    let blocker = match client.why(&row.name).await {
        Ok(why) => why.blockers.into_iter().find(|blocker| blocker.state == State::Failed),
        Err(_) => None,
    };
    let (name, reason) = match blocker {
        Some(blocker) => (blocker.service, blocker.reason),
        None => (row.name.clone(), row.reason.clone()),
    };
    let reason = reason.unwrap_or_else(|| row.state.word().to_owned());
    let message = match name == row.name {
        true => format!("{name}: {reason}"),
        false => format!("{} cannot start: {name}: {reason}", row.name),
    };
    let rows = client.services().await.unwrap_or_default();
    let failed = rows.iter().find(|row| row.name == name);
    let shared = failed.and_then(|row| shared_port(row, &tail(home, &name, 10)));
    let others = rows.iter().filter(|row| row.name != name && row.state == State::Failed && awaited.is_for(row));
    let others = others.map(|row| format!("{} ({})", row.label(), row.reason.as_deref().unwrap_or(row.state.word())));
    let others: Vec<String> = others.collect();
    let message = if others.is_empty() { message } else { format!("{message}\nfailed too: {}", few(others)) };
    let error = Error::new(Code::Failed, message).detail(last_lines(home, &name, 10));
    let error = shared.into_iter().fold(error, Error::hint);
    error.hint(format!("`nagaya logs {name}` shows more, and while the workspace is up `nagaya why {name}`"))
}

/// What to do about a port that a program says was taken, where it has to share this machine's.
pub fn shared_port(row: &Service, lines: &[String]) -> Option<String> {
    const WORDS: [&str; 3] = ["eaddrinuse", "address already in use", "address in use"];
    let number = row.ports.iter().find_map(|port| port.published).filter(|_| row.network != "pod")?;
    let says = |line: &String| WORDS.iter().any(|words| line.to_ascii_lowercase().contains(words));
    lines.iter().any(says).then(|| {
        format!(
            "in network mode `{}` all share this machine's ports: {} has to listen on its `PORT`, {number}",
            row.network, row.name
        )
    })
}

/// The last lines of a service, drawn to stand before an error.
pub fn last_lines(home: &Path, service: &str, count: usize) -> String {
    let lines = tail(home, service, count);
    if lines.is_empty() {
        return String::new();
    }
    let head = paint(&format!("the last lines of {service}:"), AnsiColor::Yellow);
    let body: Vec<String> = lines.into_iter().map(|line| format!("  {line}")).collect();
    format!("{head}\n{}", body.join("\n"))
}

/// The last lines of a service as text: none of an earlier engine's, which would pass for the cause of what is wrong now.
pub fn tail(home: &Path, service: &str, count: usize) -> Vec<String> {
    let since = registry::began(home).unwrap_or_default();
    logs::last_lines(&home.join("logs"), service, count, since).into_iter().map(|line| line.text).collect()
}

/// The last lines of whoever holds a service up.
pub fn tail_of(home: &Path, culprit: &Culprit, count: usize) -> Vec<String> {
    let began = registry::began(home).unwrap_or_default();
    let since = culprit.setup_since.as_ref().and_then(|since| since.parse().ok());
    let wanted = |line: &Line| match culprit.setup_since {
        Some(_) => line.stream == Stream::Setup,
        None => culprit.instance.is_none_or(|instance| line.instance == instance),
    };
    let lines = logs::last_lines_of(&home.join("logs"), &culprit.service, count, since.unwrap_or(began), &wanted);
    lines.into_iter().map(|line| line.text).collect()
}

async fn timed_out(awaited: &Awaited<'_>, timeout: Option<Duration>, client: &Client, home: &Path) -> Error {
    let late: Vec<&Service> = awaited.late().collect();
    // Those that wait for others are not the cause.
    let cause = late.iter().find(|row| row.state != State::Waiting).or(late.first());
    let names: Vec<String> = late.iter().map(|row| row.label()).collect();
    let waited = timeout.map(elapsed).unwrap_or_default();
    let mut error = Error::new(Code::TimedOut, format!("not there after {waited}: {}", few(names)));
    let Some(cause) = cause else { return error };
    let name = &cause.name;
    if let Ok(Ok(why)) = tokio::time::timeout(SOON, client.why(name)).await
        && let Some(reason) = why.last_probe.or(why.reason)
    {
        error.message.push_str(&format!("\n  {name} {}: {reason}", why.state.said()));
    }
    error.detail(last_lines(home, name, 10)).hint(format!("`nagaya why {name}` shows more"))
}
