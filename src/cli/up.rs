//! `nagaya up`.

use std::process::ExitCode;

use anstyle::AnsiColor;
use tokio::signal::unix::{SignalKind, signal};

use super::args::{Global, Up};
use super::engine::Order;
use super::error::{Code, Error};
use super::output::{Output, dim, paint};
use super::start::{Owned, Started, start};
use super::stream::Stream;
use super::wait::{Goal, settle};
use super::{events, locate, ui};
use crate::api::Client;
use crate::effects::places::Home;
use crate::effects::{ports, registry};
use crate::manifest::Request;
use crate::model::Workspace;
use crate::plan::{self, Plan, Selection, Surroundings};
use crate::runtime::{UpRequest, Upped};

/// Boots the workspace, or attaches to it and starts what is missing.
pub async fn run(global: &Global, args: Up, output: &Output) -> Result<ExitCode, Error> {
    let load = locate::manifest(global)?;
    boot(global, load, args, output).await
}

/// The same with a manifest that was found already.
pub async fn boot(global: &Global, load: Request, args: Up, output: &Output) -> Result<ExitCode, Error> {
    let workspace = locate::load(&load, output)?;
    let request = UpRequest {
        load: Some(load.clone()),
        selection: Selection {
            services: args.services.clone(),
            profiles: global.profile.clone(),
            no_deps: args.no_deps,
        },
        lazy: args.lazy,
    };
    let home = locate::places()?.home(&locate::id(&workspace, &load));
    if args.dry_run {
        return dry_run(&workspace, &home, &request, output);
    }
    let (engine, upped) = have_engine(&workspace, load, request, &home).await?;
    for notice in upped.iter().flat_map(|upped| &upped.notices).chain(engine.owned.iter().flat_map(|it| &it.notices)) {
        // Warnings about the manifest were drawn above, in colour.
        if engine.owned.is_none() || !notice.starts_with("warning") {
            output.say(notice);
        }
    }
    let about = Session { args, client: engine.client, owned: engine.owned, home, upped };
    about.accompany(output).await
}

/// The engine of a workspace: found or started.
struct Found {
    client: Client,
    owned: Option<Owned>,
}

async fn have_engine(
    workspace: &Workspace,
    load: Request,
    request: UpRequest,
    home: &Home,
) -> Result<(Found, Option<Upped>), Error> {
    let order = Order { id: home.id.clone(), name: workspace.name.to_string(), load, up: request };
    // Two tries: between finding none and starting one, somebody else may have started it, and the other way round.
    for _ in 0..2 {
        if let Some(running) = registry::read(home).filter(registry::Registration::is_alive) {
            let client = Client::new(&running.socket);
            let upped = client.up(&order.up).await?;
            return Ok((Found { client, owned: None }, Some(upped)));
        }
        match start(&order)? {
            Started::Now(owned) => {
                let client = Client::new(&owned.socket);
                return Ok((Found { client, owned: Some(owned) }, None));
            }
            Started::Taken => wait_for_registration(home).await,
        }
    }
    Err(Error::failed("another engine of this workspace is coming or going").hint("call again in a moment"))
}

async fn wait_for_registration(home: &Home) {
    for _ in 0..200 {
        if registry::read(home).is_some_and(|it| it.is_alive()) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

struct Session {
    args: Up,
    client: Client,
    owned: Option<Owned>,
    home: Home,
    upped: Option<Upped>,
}

impl Session {
    async fn accompany(mut self, output: &Output) -> Result<ExitCode, Error> {
        if self.args.detach || self.args.wait {
            return self.leave(output).await;
        }
        if output.is_terminal() && !self.args.no_tui && !output.json {
            let owned = self.owned.take();
            return ui::show(&self.client, owned, output).await;
        }
        self.stream(output).await
    }

    /// Leaves the engine to itself, after waiting where that was asked for.
    async fn leave(mut self, output: &Output) -> Result<ExitCode, Error> {
        // Whatever comes of the waiting, the services stay: one looks into what failed while the rest runs.
        if let Some(owned) = self.owned.take() {
            owned.release();
        }
        let selected = self.selected().await?;
        if self.args.wait {
            let waiting =
                settle(&self.client, &self.home.state, &selected, Goal::Ready, self.args.wait_timeout, output);
            if output.json {
                let next = self.upped.as_ref().map_or(0, |upped| upped.events_from);
                let mut printer = events::Printer { client: self.client.clone(), next };
                let result = tokio::select! {
                    result = interruptible(waiting) => result,
                    Err(error) = printer.follow(output) => Err(error),
                };
                printer.catch_up(output).await?;
                result?;
            } else {
                interruptible(waiting).await?;
            }
        }
        if !output.json {
            self.greet(selected.len(), output).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The services that this `up` was about.
    async fn selected(&self) -> Result<Vec<String>, Error> {
        if let Some(upped) = &self.upped {
            return Ok(upped.services.clone());
        }
        let services = self.client.services().await?;
        Ok(services.into_iter().filter(|row| row.wanted).map(|row| row.service).collect())
    }

    async fn greet(&self, count: usize, output: &Output) -> Result<(), Error> {
        let identity = self.client.identity().await?;
        let verb = if self.args.wait { "is up" } else { "is starting" };
        let services = if count == 1 { "1 service".to_owned() } else { format!("{count} services") };
        output.say(&format!("{} {verb}: {services}", identity.name));
        output.say(&format!(
            "  {}  http://{}.localhost:{}",
            dim("front door"),
            identity.host_label,
            identity.front_door
        ));
        output.say(&dim("  `nagaya ui` shows it, `nagaya logs -f` follows it, `nagaya down` stops it"));
        Ok(())
    }

    /// Streams what services write until they have ended or somebody has had enough.
    async fn stream(self, output: &Output) -> Result<ExitCode, Error> {
        let selected = self.selected().await?;
        if !output.json {
            self.greet(selected.len(), output).await?;
        }
        let owner = self.owned.is_some();
        let mut stop = Stop::new()?;
        let mut stream = Stream::new(&self.client, &self.home.logs(), selected, self.args.services.is_empty()).await?;
        let mut stopping = false;
        loop {
            tokio::select! {
                ended = stream.next(output) => match ended? {
                    None => {}
                    // Everything came to its end by itself, or the engine has.
                    Some(end) if stopping || !owner => return Ok(end.code(stopping)),
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
                        self.client.down(true).await.ok();
                        stream.drain(output).await;
                        return Err(Error::silent(Code::Interrupted));
                    }
                    stopping = true;
                    output.say(&paint("stopping; once more kills", AnsiColor::Yellow));
                    self.client.down(false).await.ok();
                }
            }
        }
    }
}

/// Ctrl-C, a request to end, or the closing of the terminal.
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(|error| Error::failed(format!("signals: {error}")));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// A wait that Ctrl-C ends with its own exit code; the workspace runs on.
async fn interruptible<T>(waiting: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut stop = Stop::new()?;
    tokio::select! {
        result = waiting => result,
        () = stop.asked() => Err(Error::new(Code::Interrupted, "interrupted; the workspace runs on").hint("`nagaya down` stops it")),
    }
}

/// Prints what would be started, and starts nothing.
fn dry_run(workspace: &Workspace, home: &Home, request: &UpRequest, output: &Output) -> Result<ExitCode, Error> {
    let mask = plan::select(workspace, &request.selection).map_err(|error| Error::usage(error.to_string()))?;
    let numbers = ports::propose(&home.id, &plan::slots(workspace), &home.ports());
    let surroundings = Surroundings {
        shell: locate::shell(),
        ports: numbers,
        data_dir: home.data(),
        host_label: workspace.name.to_string(),
    };
    let plan = plan::plan(workspace, &surroundings);
    let order: Vec<usize> = plan.graph.order().iter().copied().filter(|place| mask[*place]).collect();
    if output.json {
        output.json(&serde_json::json!({
            "workspace": plan.workspace,
            "front_door": plan.front_door,
            "services": order.iter().map(|place| planned_json(&plan, *place)).collect::<Vec<_>>(),
        }));
        return Ok(ExitCode::SUCCESS);
    }
    output.line(&format!("{}: {} services, front door {}", plan.workspace, order.len(), plan.front_door));
    for (wave, places) in waves(&plan, &order).into_iter().enumerate() {
        output.line(&format!("{}", dim(&format!("wave {}", wave + 1))));
        for place in places {
            let service = &plan.services[place];
            let ports: Vec<String> =
                service.ports.iter().map(|port| format!("{} {}->{}", port.name, port.number, port.listen)).collect();
            output.line(&format!("  {}  {}  {}", service.name, service.command, dim(&ports.join(", "))));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn planned_json(plan: &Plan, place: usize) -> serde_json::Value {
    let service = &plan.services[place];
    let name = |place: usize| plan.services[place].name.to_string();
    serde_json::json!({
        "service": service.name,
        "argv": service.argv,
        "working_dir": service.working_dir,
        "lazy": service.lazy,
        "depends_on": service.depends_on.iter().map(|it| serde_json::json!({
            "service": name(it.service), "condition": it.condition.word(),
        })).collect::<Vec<_>>(),
        "ports": service.ports.iter().map(|port| serde_json::json!({
            "name": port.name, "port": port.number, "protocol": port.protocol.word(), "published": port.listen,
        })).collect::<Vec<_>>(),
        "setup": service.setup.iter().map(|setup| plan.setups[*setup].command.clone()).collect::<Vec<_>>(),
    })
}

/// The services in groups, each of which needs only groups before it.
fn waves(plan: &Plan, order: &[usize]) -> Vec<Vec<usize>> {
    let mut wave_of = vec![0; plan.services.len()];
    let mut waves: Vec<Vec<usize>> = Vec::new();
    for &place in order {
        let needed = plan.graph.dependencies(place).iter().filter(|needed| order.contains(needed));
        let wave = needed.map(|needed| wave_of[*needed] + 1).max().unwrap_or(0);
        wave_of[place] = wave;
        if waves.len() <= wave {
            waves.push(Vec::new());
        }
        waves[wave].push(place);
    }
    waves
}
