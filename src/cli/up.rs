//! `nagaya up`.

mod closing;
mod stop;

use std::io::stdin;
use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::AnsiColor;
use tokio::time::Instant;

use super::again::again;
use super::args::{Global, Up};
use super::dtab::author;
use super::error::{Code, Error};
use super::images::before_up;
use super::output::{Output, dim, paint};
use super::stream::Stream;
use super::tries::tell_kept;
use super::wait::{Goal, settle_after};
use super::{block, down, dry_run, events, locate, ui};
use crate::api::{CallError, Client, Identity};
use crate::effects::places::LENT;
use crate::effects::registry::Registration;
use crate::effects::{self, fs};
use crate::engine::{Found, Order, Owned, Running, find_or_start, wait_for_end};
use crate::manifest::Request;
use crate::plan::Selection;
use crate::runtime::{Problem, UpRequest};
use crate::view::{Service, by_service};
pub use stop::Stop;
use stop::interruptible;

/// Boots the workspace, or attaches to it and starts what is missing.
pub fn run(global: &Global, args: Up, output: &Output) -> Result<ExitCode, Error> {
    let load = locate::manifest(global)?;
    boot(global, load, args, output)
}

/// The same with a manifest that was found already. The engine reads it; this process only finds or starts that.
pub fn boot(global: &Global, load: Request, args: Up, output: &Output) -> Result<ExitCode, Error> {
    let request = UpRequest {
        load: Some(load.clone()),
        selection: Selection::of(&args.services, &global.profile, args.no_deps),
        scale: args.scale.iter().cloned().collect(),
        rest: args.rest.clone(),
        who: author(&command(&args)),
        lazy: args.lazy,
        color: output.error_colors() && !output.json,
    };
    if args.dry_run {
        return dry_run::run(&load, &request, output);
    }
    let rebuilt = match args.build {
        true => before_up(&load, (&args.services, args.no_deps), global, output)?,
        false => Vec::new(),
    };
    // Before there is a runtime: the engine is a fork of this process.
    let order = Order { load, up: request, standard_ports: args.door_80, namerd: args.namerd, matrix: None };
    let session = Session { called_in: global.called_in.clone(), ..enter(global, &order, args, output)? };
    block(async {
        session.notices.iter().for_each(|notice| output.say(notice));
        session.replace(&rebuilt).await?;
        session.accompany(output).await
    })
}

/// Finds the engine or starts it. One that is about to end is of no use: once it is gone, another takes its place.
fn enter(global: &Global, order: &Order, args: Up, output: &Output) -> Result<Session, Error> {
    let tell = |word: &str| output.say(word);
    let engine = match find_or_start(&locate::places()?, order, &tell)? {
        Found::Started(running, owned) => return Ok(Session::own(*running, owned, &order.up, args, output)),
        Found::Running(engine) => engine,
    };
    match block(Session::attach(&engine, &order.up, args, output))? {
        Attached::Yes(session) => Ok(*session),
        Attached::Leaving(why) => {
            // It may only hang, where it did not say that it ends.
            let says_so = matches!(why, CallError::Refused(Problem::Ending));
            Err(if wait_for_end(&engine, says_so, &tell) { again(global.called_in.as_deref()) } else { why.into() })
        }
    }
}

/// What became of the attempt to attach to an engine.
enum Attached {
    Yes(Box<Session>),
    /// It ends, or has ended meanwhile.
    Leaving(CallError),
}

/// What was typed, as the history of the routes has it.
fn command(args: &Up) -> String {
    let rest = args.rest.iter().map(|rest| format!("--rest {rest}"));
    let words = std::iter::once("up".to_owned()).chain(args.services.iter().cloned()).chain(rest);
    words.collect::<Vec<_>>().join(" ")
}

/// More addresses than this are for `nagaya url`.
const ENTRANCES: usize = 5;

/// An `up` and its engine.
struct Session {
    args: Up,
    /// The manifest, where it was named by `-f`, or is the demo's.
    named: Option<PathBuf>,
    /// The folder in which it was called, where that is not the current one.
    called_in: Option<PathBuf>,
    client: Client,
    identity: Identity,
    /// The engine's state, where the logs are.
    state: PathBuf,
    /// The engine was started by this `up` and ends with it.
    owned: Option<Owned>,
    /// The engine ran before.
    attached: bool,
    /// The services that this `up` is about.
    services: Vec<String>,
    /// All services as they were before, where the engine ran already.
    before: Vec<Service>,
    notices: Vec<String>,
    /// The number of the first event that came of it.
    events_from: u64,
}

impl Session {
    async fn attach(engine: &Registration, up: &UpRequest, args: Up, output: &Output) -> Result<Attached, Error> {
        let client = locate::client(&engine.socket, engine.pid, output);
        let asked = async {
            let before = client.services().await?;
            // What runs of tasks had started for a while is wanted for longer now.
            let _ = fs::remove(&engine.state.join(LENT));
            let upped = client.up(up).await?;
            Ok((before, client.identity().await?, upped))
        };
        let (before, identity, upped) = match asked.await {
            Ok(asked) => asked,
            Err(why @ (CallError::Refused(Problem::Ending) | CallError::NoEngine(..) | CallError::Broken(_))) => {
                return Ok(Attached::Leaving(why));
            }
            Err(error) => {
                let error = Error::from(error);
                return Err(if error.code == Code::Manifest { error.hint("what runs stays as it is") } else { error });
            }
        };
        let mut notices = upped.notices;
        if args.door_80 && !engine.standard_ports {
            notices
                .push("ports 80 and 443 are taken when an engine starts: `nagaya down`, then `nagaya up`".to_owned());
        }
        if let Some(at) = args.namerd.filter(|at| engine.namerd != Some(*at)) {
            notices.push(format!("namerd's API at {at} is for an engine that starts: `nagaya down`, then `nagaya up`"));
        }
        Ok(Attached::Yes(Box::new(Self {
            args,
            named: named(up),
            called_in: None,
            identity,
            client,
            state: engine.state.clone(),
            owned: None,
            attached: true,
            services: upped.services,
            before,
            notices,
            events_from: upped.events_from,
        })))
    }

    fn own(running: Running, owned: Owned, up: &UpRequest, args: Up, output: &Output) -> Self {
        Self {
            args,
            named: named(up),
            called_in: None,
            client: locate::client(&running.socket, running.identity.pid, output),
            state: running.identity.state(),
            identity: running.identity,
            owned: Some(owned),
            attached: false,
            services: running.services,
            before: Vec::new(),
            notices: running.notices,
            events_from: 0,
        }
    }
}

fn named(up: &UpRequest) -> Option<PathBuf> {
    up.load.as_ref().filter(|load| load.explicit).and_then(|load| load.files.first().cloned())
}

impl Session {
    /// Has new instances take the place of those that run with images which are others now.
    async fn replace(&self, rebuilt: &[String]) -> Result<(), Error> {
        let ran = |name: &&String| self.before.iter().any(|row| row.name == **name && row.pid.is_some());
        let old: Vec<String> = rebuilt.iter().filter(ran).cloned().collect();
        if !old.is_empty() {
            self.client.restart(&old, false).await?;
        }
        Ok(())
    }

    async fn accompany(self, output: &Output) -> Result<ExitCode, Error> {
        if self.args.detach || self.args.wait {
            return self.leave(output).await;
        }
        let (state, owner) = (self.state.clone(), self.owned.is_some());
        let ended = self.show(output).await;
        if owner {
            tell_kept(&state, output);
        }
        ended
    }

    async fn show(mut self, output: &Output) -> Result<ExitCode, Error> {
        let judges = self.args.exit_code_from.is_some() || self.args.abort_on_failure;
        if self.args.words && !judges && !output.json {
            self.greet(output);
            return ui::heard(&self.client, &self.identity, self.owned.take(), output).await;
        }
        if output.is_terminal() && !self.args.no_tui && !judges && !output.json {
            let (up, owned) = (Some(ui::Again { called_in: self.called_in.take() }), self.owned.take());
            let begin = ui::Begin { mouse: self.args.mouse, up, owned, ..ui::Begin::default() };
            return ui::show(&self.client, &self.identity, begin, output).await;
        }
        self.stream(output).await
    }

    /// Leaves the engine to itself, after waiting where that was asked for.
    async fn leave(mut self, output: &Output) -> Result<ExitCode, Error> {
        // Whatever comes of the waiting, the services stay: one looks into what failed while the rest runs.
        match self.owned.take() {
            Some(owned) if self.args.hand_over => {
                owned.give(stdin()).map_err(|error| Error::failed(format!("nobody takes the engine: {error}")))?;
            }
            owned => owned.into_iter().for_each(Owned::release),
        }
        if self.args.wait {
            let begun = Instant::now();
            let waiting = settle_after(
                &self.before,
                &self.client,
                &self.state,
                &self.services,
                Goal::Ready,
                self.args.wait_timeout,
                output,
            );
            if output.json {
                let mut printer = events::Printer { client: self.client.clone(), next: self.events_from };
                let result = tokio::select! {
                    result = interruptible(waiting) => result,
                    Err(error) = printer.follow(output) => Err(error),
                };
                let told = printer.catch_up(output).await;
                closing::close(result.and(told), (&self.client, &self.services), begun, output).await?;
            } else {
                interruptible(waiting).await?;
            }
        }
        if !output.json {
            self.greet(output);
            self.show_stale(output).await?;
            self.show_entrances(output).await?;
            let nagaya = self.nagaya();
            output.say(&dim(&format!(
                "  `{nagaya} ui` shows it, `{nagaya} logs -f` follows it, `{nagaya} down` stops it"
            )));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// How to call for this workspace from here: a manifest that was named is not found by looking around, and its name
    /// alone does not mean it where another workspace has the same one.
    fn nagaya(&self) -> String {
        let Identity { name, host_label, .. } = &self.identity;
        match &self.named {
            None => "nagaya".to_owned(),
            Some(_) if name == host_label => format!("nagaya -p {name}"),
            Some(manifest) => format!("nagaya -p {name} -f {}", manifest.display()),
        }
    }

    /// What runs in the place of what should.
    async fn show_stale(&self, output: &Output) -> Result<(), Error> {
        for row in self.client.services().await?.iter().filter(|row| row.stale) {
            let reason = row.reason.as_deref().unwrap_or_default();
            output.say(&format!("  {}  {}", row.label(), paint(reason, AnsiColor::Yellow)));
        }
        Ok(())
    }

    /// The addresses of services that no other needs: where one would begin to look.
    async fn show_entrances(&self, output: &Output) -> Result<(), Error> {
        let rows = by_service(self.client.services().await?);
        let entrances = rows.iter().filter(|row| row.wanted && row.needed_by.is_empty() && !row.is_external());
        let all: Vec<_> = entrances.filter_map(|row| Some((row, row.front_door()?))).collect();
        for (row, url) in all.iter().take(ENTRANCES) {
            output.say(&format!("  {}  {url}", dim(&row.name)));
        }
        let more = all.len().saturating_sub(ENTRANCES);
        if more > 0 {
            output.say(&dim(&format!("  and {more} more: `{} url`", self.nagaya())));
        }
        Ok(())
    }

    fn greet(&self, output: &Output) {
        let identity = &self.identity;
        let verb = match (self.args.wait, self.attached) {
            (true, _) => "is up",
            (false, true) => "is running",
            (false, false) => "is starting",
        };
        let count = self.services.len();
        let services = if count == 1 { "1 service".to_owned() } else { format!("{count} services") };
        output.say(&format!("{} {verb}: {services}", identity.name));
        output.say(&format!(
            "  {}  http://{}.localhost:{}",
            dim("front door"),
            identity.host_label,
            identity.front_door
        ));
    }

    /// Ends with the engine, where that is this one's own; else alone.
    async fn end(&self, stream: &mut Stream, output: &Output) {
        if self.owned.is_some() {
            self.client.down(false).await.ok();
            stream.drain(output).await;
        } else {
            stream.rest(output);
        }
    }

    /// Streams what services write until they have ended or somebody has had enough.
    async fn stream(self, output: &Output) -> Result<ExitCode, Error> {
        if !output.json {
            self.greet(output);
        }
        let owner = self.owned.is_some();
        let started = effects::start_time(self.identity.pid);
        let mut stop = Stop::new()?;
        let all = self.args.services.is_empty();
        let mut stream = Stream::new(&self.client, (&self.identity, None), &self.services, all).await?;
        if let Some(from) = self.args.exit_code_from.as_ref().filter(|from| !self.services.contains(from)) {
            self.end(&mut stream, output).await;
            return Err(Error::usage(format!("there is no service `{from}` in this `up`")));
        }
        let mut stopping = false;
        loop {
            tokio::select! {
                ended = stream.next(output) => match ended? {
                    None => if let Some(code) = stream.verdict(&self.args).filter(|_| !stopping) {
                        self.end(&mut stream, output).await;
                        return Ok(ExitCode::from(code));
                    },
                    Some(end) if stopping => {
                        stream.drain(output).await;
                        return Ok(end.code(true));
                    }
                    Some(end) if end.gone && stream.is_alive() => {
                        stream.rest(output);
                        return Err(Error::failed("the engine ended unexpectedly")
                            .hint("`engine.log` in the workspace's state may tell why; `nagaya up` starts again"));
                    }
                    // Everything came to its end by itself, or the engine has.
                    Some(end) if !owner => {
                        stream.rest(output);
                        return Ok(end.code(false));
                    }
                    Some(end) => {
                        self.client.down(false).await.ok();
                        stream.drain(output).await;
                        return Ok(end.code(false));
                    }
                },
                () = stop.asked() => {
                    if !owner {
                        output.say(&dim("detached; the workspace runs on"));
                        return Ok(ExitCode::SUCCESS);
                    }
                    if stopping {
                        if down::force(&self.client, self.identity.pid, started).await {
                            stream.drain(output).await;
                        }
                        return Err(Error::silent(Code::Interrupted));
                    }
                    stopping = true;
                    output.say(&paint("stopping; once more kills", AnsiColor::Yellow));
                    // An engine that does not answer must not keep the second one from being heard.
                    let client = self.client.clone();
                    tokio::spawn(async move { client.down(false).await });
                }
            }
        }
    }
}
