//! Answers to what clients ask.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Engine;
use super::setup::{make_plan, write_files};
use crate::effects::places::workspace_id;
use crate::effects::{ledger, ports, registry};
use crate::manifest::{Request, did_you_mean};
use crate::model::Workspace;
use crate::plan::{Lint, PlannedPort, door_clash};
use crate::route::history::Record;
use crate::route::remotes::Away;
use crate::runtime::draft::read;
use crate::runtime::keeper::of_manifest;
use crate::runtime::network::{choose, has_room};
use crate::runtime::scale::{by_hand, kept, scaled};
use crate::runtime::wanted::wanted;
use crate::runtime::{Ask, Environment, InPod, Problem, Scale, Scaled, UpRequest, Upped};
use crate::supervise::{Command, Input, State, Status, Want};
use crate::view::Graph;

/// A manifest that was read again.
pub(super) struct Loaded {
    pub cause: Cause,
    /// Of what it consists, also where it cannot be used.
    pub files: Vec<PathBuf>,
    pub result: Result<(Workspace, Vec<String>), Problem>,
}

/// Why it was read again.
pub(super) enum Cause {
    /// An `up` waits for the answer.
    Asked(Box<UpRequest>, oneshot::Sender<Result<Upped, Problem>>),
    Edited,
}

impl Engine {
    pub(super) fn answer(&mut self, ask: Ask) {
        let ending = *self.ending.borrow();
        match ask {
            // What is started now would keep an engine alive that everybody believes to be gone.
            Ask::Up(_, reply) if ending => drop(reply.send(Err(Problem::Ending))),
            Ask::Start(_, reply) | Ask::Restart { reply, .. } | Ask::Hold(_, reply) if ending => {
                drop(reply.send(Err(Problem::Ending)));
            }
            Ask::Try(_, reply) if ending => drop(reply.send(Err(Problem::Ending))),
            Ask::EndTry(_, reply) if ending => drop(reply.send(Err(Problem::Ending))),
            Ask::Shift(_, reply) if ending => drop(reply.send(Err(Problem::Ending))),
            Ask::Scale(_, reply) if ending => drop(reply.send(Err(Problem::Ending))),
            Ask::Wake(_) if ending => {}
            Ask::Shift(request, reply) => {
                let _ = reply.send(self.begin_shift(&request));
            }
            Ask::AbortShift(service, reply) => {
                let _ = reply.send(self.abort_shift(&service));
            }
            Ask::Mirror(request, reply) => {
                let begun = if ending { Err(Problem::Ending) } else { self.begin_mirror(request) };
                let _ = reply.send(begun);
            }
            Ask::EndMirror(service, reply) => drop(reply.send(self.end_mirror(&service))),
            Ask::Try(request, reply) => self.begin_try(request, reply),
            Ask::EndTry(ask, reply) => self.end_try(ask, reply),
            Ask::Tries(reply) => drop(reply.send(Ok(self.shown_tries()))),
            Ask::Up(request, reply) => self.reload(request, reply),
            Ask::Start(names, reply) => {
                let result = self.start(&names);
                let _ = reply.send(result);
            }
            Ask::Stop(names, reply) => {
                let result = self.places(&names).map(|places| self.step(Input::Asked(Command::Stop(places))));
                let _ = reply.send(result);
            }
            Ask::Restart { services, recreate, reply } => {
                let processes = self.places(&services).and_then(|places| self.processes(places));
                let command = if recreate { Command::Restart } else { Command::Replace };
                let _ = reply.send(processes.map(|places| self.step(Input::Asked(command(places)))));
            }
            Ask::Kill { services, signal, reply } => drop(reply.send(self.kill(&services, signal))),
            Ask::Scale(scale, reply) => {
                let _ = reply.send(self.scale(&scale));
            }
            Ask::Hold(name, reply) => {
                let _ = reply.send(self.hold(&name));
            }
            Ask::Attach { service, instance, size, reply } => {
                let _ = reply.send(self.attach(&service, instance, size));
            }
            Ask::Why(name, reply) => self.explain(&name, reply),
            Ask::Graph(reply) => drop(reply.send(Ok(Graph::new(self.world.plan())))),
            Ask::Env(name, reply) => {
                let _ = reply.send(self.environment(&name));
            }
            Ask::Wake(name) => {
                if let Some(place) = self.world.plan().index(&name) {
                    self.step(Input::Asked(Command::Wake(place)));
                }
            }
            Ask::Route(change, waiting) => self.keeper.change(change, waiting),
            Ask::History(namespace, reply) => self.history(namespace, reply),
            Ask::Down { force } => {
                self.ending.send_replace(true);
                registry::note_end(&self.setup.home);
                if force {
                    self.tries.call_off();
                }
                let all = 0..self.world.plan().services.len();
                self.step(Input::Asked(if force { Command::Kill(all.collect()) } else { Command::Down }));
            }
        }
    }

    pub(super) fn places(&self, names: &[String]) -> Result<Vec<usize>, Problem> {
        names.iter().map(|name| self.place(name)).collect()
    }

    pub(super) fn place(&self, name: &str) -> Result<usize, Problem> {
        let plan = self.world.plan();
        plan.index(name).ok_or_else(|| {
            let known = plan.services.iter().map(|planned| planned.name.as_str());
            Problem::UnknownService { name: name.to_owned(), hint: did_you_mean(name, known) }
        })
    }

    /// The same services, each of which is a process.
    pub(super) fn processes(&self, places: Vec<usize>) -> Result<Vec<usize>, Problem> {
        let services = &self.world.plan().services;
        let elsewhere = places.iter().find_map(|&place| Some((&services[place].name, services[place].external()?)));
        match elsewhere {
            Some((name, at)) => Err(Problem::Elsewhere { name: name.to_string(), at: at.to_string() }),
            None => Ok(places),
        }
    }

    /// Starts services with all that they need.
    pub(super) fn start(&mut self, names: &[String]) -> Result<(), Problem> {
        let places = self.places(names)?;
        let needed = self.world.needed(places.iter().copied());
        let wants = needed.iter().enumerate().filter(|(place, needed)| **needed && !places.contains(place));
        let lazy = |place: usize| self.world.plan().services[place].lazy;
        let wants = wants.map(|(place, _)| (place, if lazy(place) { Want::Idle } else { Want::Up })).collect();
        self.step(Input::Asked(Command::Up(wants)));
        self.step(Input::Asked(Command::Start(places)));
        Ok(())
    }

    /// Runs, in place of a task's command, a program that does nothing: who asked brings the command.
    fn hold(&mut self, name: &str) -> Result<(), Problem> {
        let place = self.place(name)?;
        if !self.world.plan().services[place].task {
            return Err(Problem::Nothing { message: format!("{name} is no task") });
        }
        // Also where it has only just been begun, and has no number yet.
        if self.world.status(place).pid.is_some() || self.host.is_beginning(place) {
            return Err(Problem::Nothing { message: format!("{name} is being run already") });
        }
        self.host.hold(name, &self.setup.program);
        self.step(Input::Asked(Command::UpAlone(vec![(place, Want::Up)])));
        Ok(())
    }

    fn environment(&self, name: &str) -> Result<Environment, Problem> {
        let place = self.processes(vec![self.place(name)?])?[0];
        let planned = &self.world.plan().services[place];
        let pod = match planned.is_apart() {
            _ if planned.container().is_some() => self.host.vessel_of(place).map_or(InPod::Absent, InPod::Container),
            true => self.host.pod_of(place).map_or(InPod::Absent, InPod::Pid),
            false => InPod::No,
        };
        let surroundings = self.host.surroundings(place);
        let (variables, account) = surroundings.map_err(|message| Problem::Nothing { message })?;
        let own = self.host.own_variables(place);
        Ok(Environment { folder: planned.working_dir.clone(), variables, own, pod, account })
    }

    /// Reads the manifest again, off the loop; the answer comes back as [`Loaded`].
    fn reload(&self, request: UpRequest, reply: oneshot::Sender<Result<Upped, Problem>>) {
        let from = request.load.clone().unwrap_or_else(|| self.setup.load.clone());
        self.load(from, Cause::Asked(Box::new(request), reply));
    }

    pub(super) fn load(&self, from: Request, cause: Cause) {
        let (shell, sender) = (self.setup.shell.clone(), self.load_sender.clone());
        let color = matches!(&cause, Cause::Asked(request, _) if request.color);
        tokio::task::spawn_blocking(move || {
            let (result, files) = read(&from, &shell, color);
            let _ = sender.send(Loaded { cause, files, result });
        });
    }

    pub(super) fn take_loaded(&mut self, loaded: Loaded) {
        let Loaded { cause: Cause::Asked(request, reply), files, result } = loaded else {
            return self.take_edited(loaded);
        };
        let result = if *self.ending.borrow() { Err(Problem::Ending) } else { result };
        let applied = result.and_then(|(workspace, notices)| self.apply(workspace, notices, &request));
        self.look_away();
        if applied.is_ok() {
            self.remember(&request);
            self.edits.bad = None;
            self.post_notices();
            self.watch_manifest(files);
        }
        match applied {
            // Whoever is answered finds the manifest's routes in force.
            Ok((upped, away)) => {
                self.keeper.change(of_manifest(self.world.plan().routes.clone()), oneshot::channel().0);
                self.send(away, *request, upped, reply);
            }
            Err(problem) => drop(reply.send(Err(problem))),
        }
    }

    /// Reads the history, off the loop.
    fn history(&self, namespace: Option<String>, reply: oneshot::Sender<Result<Vec<Record>, Problem>>) {
        let file = self.setup.home.routes();
        tokio::task::spawn_blocking(move || {
            let unread = |error: std::io::Error| Problem::Nothing {
                message: format!("the routes' history {} cannot be read: {error}", file.display()),
            };
            let _ = reply.send(ledger::history(&file, namespace.as_deref()).map_err(unread));
        });
    }

    /// Lays a newly read manifest over what runs. What the request selects is wanted once those services are away that
    /// are not to be here.
    fn apply(
        &mut self,
        manifest: Workspace,
        notices: Vec<String>,
        request: &UpRequest,
    ) -> Result<(Upped, Away), Problem> {
        self.refuse_other_name(&manifest)?;
        let (workspace, left_out) = self.with_tries(&manifest);
        // A wrong selection must change nothing.
        let away = self.away_for(&workspace, request)?;
        let services = wanted(&workspace, request, &away)?;
        self.refuse_to_run_again(&request.scale)?;
        let mut notices = notices;
        let events_from = self.publisher.next_event();
        let mut scale = kept(&self.setup.scale, &self.workspace, &workspace);
        scale.extend(request.scale.clone());
        notices.extend(by_hand(&workspace, &request.scale));
        if workspace != *self.workspace || scale != self.setup.scale {
            notices.extend(self.lay(&workspace, scale)?);
            notices.extend(left_out);
            self.manifest = Arc::new(manifest);
            if let Some(load) = &request.load {
                self.setup.load = load.clone();
            }
        } else if self.publisher.lacks() {
            // Whoever had a published port may be gone by now.
            notices.extend(self.publisher.plan(&self.world));
        }
        let services = services.into_iter().map(|(place, _)| workspace.service(place).name.to_string()).collect();
        Ok((Upped { services, notices, events_from }, away))
    }

    /// Plans a workspace anew, with these numbers of instances, and lays it over what runs. What is wrong changes
    /// nothing.
    pub(super) fn lay(&mut self, workspace: &Workspace, scale: Scale) -> Result<Vec<String>, Problem> {
        let wanted = scaled(workspace, &scale)?;
        let scale: Scale = scale.into_iter().filter(|(_, count)| count.is_some()).collect();
        // What `auto` means may be another mode for another manifest; that was said when the engine started.
        let (network, _) = choose(&wanted, &self.setup.possible, ports::lowest())?;
        has_room(&wanted, network)?;
        // The door's number is in the pods of what runs, and told to whoever asked: it stays while this engine does.
        if let Some(Lint { message, hint, .. }) = door_clash(&wanted, network, self.world.plan().front_door) {
            return Err(Problem::FrontDoor { message, hint });
        }
        let held = self.held_ports();
        self.setup.network = network;
        let plan = make_plan(&wanted, &mut self.setup, &held)?;
        let effects = self.world.apply(self.clock.now(), plan);
        self.host.set_plan(self.world.plan().clone());
        self.effects.extend(effects);
        let notices = self.publisher.plan(&self.world);
        write_files(&self.setup, workspace, &self.world, &self.publisher, &mut self.host)?;
        self.workspace = Arc::new(workspace.clone());
        self.setup.scale = scale;
        self.post_notices();
        Ok(notices)
    }

    /// Has more or fewer instances of services from now on.
    pub(super) fn scale(&mut self, scale: &Scale) -> Result<Scaled, Problem> {
        let mut all = self.setup.scale.clone();
        all.extend(scale.clone());
        let workspace = self.workspace.clone();
        let notices = by_hand(&workspace, scale);
        self.refuse_to_run_again(scale)?;
        if all != self.setup.scale {
            self.lay(&workspace, all)?;
        }
        Ok(Scaled { notices })
    }

    /// More instances of what has done its work would do it again, which nobody asked for.
    fn refuse_to_run_again(&self, scale: &Scale) -> Result<(), Problem> {
        for (name, count) in scale {
            let Some(place) = self.world.plan().index(name) else { continue };
            let there: Vec<Status> = self.world.statuses(place).collect();
            let is_more = count.is_some_and(|count| usize::try_from(count).is_ok_and(|count| count > there.len()));
            if is_more && there.iter().any(|status| status.state == State::Completed) {
                return Err(Problem::Scale {
                    message: format!("{name} has completed: another instance of it would only do its work again"),
                    hint: format!(
                        "`nagaya start {name}` does that; `replicas` in the manifest has several do it at the next `up`"
                    ),
                });
            }
        }
        Ok(())
    }

    /// A workspace under another name is another one: what hangs from a name is settled when an engine starts.
    pub(super) fn refuse_other_name(&self, workspace: &Workspace) -> Result<(), Problem> {
        let manifest = self.setup.load.files.first().map_or(Path::new(""), PathBuf::as_path);
        let id = &self.setup.home.id;
        match (id.strip_suffix(workspace_id("", manifest).as_str()), workspace.name.as_str()) {
            (Some(known), name) if known != name => {
                Err(Problem::Renamed { known: known.to_owned(), name: name.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Has a new workspace take the place of the present one, as a difference. What is returned are notices.
    pub(super) fn replan(&mut self, workspace: &Workspace) -> Result<Vec<String>, Problem> {
        let scale = kept(&self.setup.scale, &self.workspace, workspace);
        let notices = self.lay(workspace, scale)?;
        self.watch();
        Ok(notices)
    }

    /// Numbers that we or our services listen on: taken, but by ourselves.
    fn held_ports(&self) -> HashSet<u16> {
        let plan = self.world.plan();
        let instances =
            plan.services.iter().flat_map(|planned| (1..=planned.most_instances()).map(|it| planned.instance(it)));
        let own = instances.flat_map(|planned| planned.ports.iter().filter_map(PlannedPort::listen));
        let edges = plan.edges.iter().filter_map(|edge| edge.listen).filter(|at| *at.ip() == Ipv4Addr::LOCALHOST);
        own.chain(edges.map(|at| at.port())).chain([plan.front_door]).collect()
    }

    pub(super) fn want(&mut self, workspace: &Workspace, request: &UpRequest) -> Result<Vec<String>, Problem> {
        let away = self.away_for(workspace, request)?;
        let mut wants = wanted(workspace, request, &away)?;
        // What is tried is nobody's business but of who names it.
        let is_named = |name: &str| request.selection.services.iter().any(|named| named == name);
        wants.retain(|(place, _)| {
            let name = workspace.service(*place).name.as_str();
            !self.tries.has(name) || is_named(name)
        });
        let names = wants.iter().map(|(place, _)| workspace.service(*place).name.to_string()).collect();
        let named = request.selection.services.iter().filter_map(|name| workspace.index(name)).collect();
        if request.selection.no_deps {
            self.step(Input::Asked(Command::UpAlone(wants)));
            return Ok(names);
        }
        self.step(Input::Asked(Command::Up(wants)));
        self.step(Input::Asked(Command::Start(named)));
        Ok(names)
    }
}
