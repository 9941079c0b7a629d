//! What an engine is made of, and what it makes before anything runs.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::effects::Host;
use crate::effects::places::Home;
use crate::effects::registry::Lock;
use crate::effects::trial::Possible;
use crate::effects::{descriptors, etc, ports, ranges};
use crate::manifest::Request;
use crate::model::{NetworkMode, Workspace};
use crate::pipeline::kept_jobs;
use crate::plan::{LOOPBACK_RANGES, Plan, Shell, Site, Surroundings, claim, plan, slots, uses_names};
use crate::runtime::publish::Publisher;
use crate::runtime::{Problem, Scale};
use crate::supervise::World;
use crate::telemetry::logs::{Collector, Ends};

/// Descriptors for sockets, clients and proxied connections, besides those of the services.
const ROOM: usize = 512;
/// Descriptors of a service: its output, and the line and the sockets of its pod, with those that are on their way.
const EACH: usize = 10;

/// What an engine keeps of its beginning.
#[derive(Debug)]
pub(super) struct Setup {
    pub home: Home,
    pub lock: Lock,
    pub load: Request,
    pub shell: Shell,
    pub site: Site,
    pub program: PathBuf,
    /// What this machine allows.
    pub possible: Possible,
    /// How host processes see the network where the manifest leaves that open.
    pub network: NetworkMode,
    /// Numbers of instances that were asked for at run time.
    pub scale: Scale,
    /// Its range on the loopback, from when it is first needed.
    pub range: Option<ranges::Claim>,
}

/// Descriptors for a plan.
pub(super) fn make_room(plan: &Plan) {
    descriptors::raise_limit();
    let _ = descriptors::make_room(EACH * plan.services.len() + plan.edges.len() + ROOM);
}

/// Starts the thread of the logs.
pub(super) fn collect(home: &Home, ends: &Ends) -> Result<Collector, Problem> {
    Collector::start(home.logs(), ends.clone())
        .map_err(|error| Problem::Nothing { message: format!("the log thread could not be started: {error}") })
}

/// The files that services have in the place of the host's; those of containers are made with them.
pub(super) fn write_files(
    setup: &Setup,
    workspace: &Workspace,
    world: &World,
    publisher: &Publisher,
    host: &mut Host,
) -> Result<(), Problem> {
    host.set_zone(publisher.zone());
    host.set_kept(kept_jobs(workspace, &setup.shell));
    etc::write(&setup.home, world.plan(), &publisher.zone()).map_err(|error| Problem::Nothing {
        message: format!("the services' files in {} cannot be written: {error}", setup.home.etc().display()),
    })
}

/// The first plan of an engine, and a word where the front door is not where it was: people know it by its number.
pub(super) fn first_plan(workspace: &Workspace, setup: &mut Setup) -> Result<(Arc<Plan>, Option<String>), Problem> {
    let before = ports::front_door(&setup.home);
    let plan = make_plan(workspace, setup, &HashSet::new())?;
    let now = plan.front_door;
    let moved = before.filter(|before| *before != now).map(|before| {
        let claim = claim(workspace, setup.network, before);
        let why = claim.map_or_else(|| ports::taken_message(before), |(_, claim)| claim);
        format!("the front door moved from port {before} to {now}: {why}")
    });
    Ok((Arc::new(plan), moved))
}

/// Plans a workspace; `held` are numbers that are ours.
pub(super) fn make_plan(workspace: &Workspace, setup: &mut Setup, held: &HashSet<u16>) -> Result<Plan, Problem> {
    if setup.range.is_none() && uses_names(workspace, setup.network) {
        let claim = ranges::claim(&setup.home).map_err(|error| Problem::Nothing {
            message: format!("no range of loopback addresses is free for network mode `names`: {error}"),
        })?;
        setup.range = Some(claim);
    }
    let ports = ports::allocate(&setup.home, &slots(workspace, setup.network), held);
    let surroundings = Surroundings {
        shell: setup.shell.clone(),
        ports,
        data: setup.home.data_dirs(),
        site: setup.site.clone(),
        network: setup.network,
        loopback: setup.range.as_ref().map_or(LOOPBACK_RANGES.start, |claim| claim.range),
    };
    Ok(plan(workspace, &surroundings))
}
