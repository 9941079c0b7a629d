//! `nagaya up --dry-run`.

use std::process::ExitCode;

use super::error::Error;
use super::locate;
use super::output::{Output, dim};
use crate::effects::{environment, ports, ranges};
use crate::manifest::Request;
use crate::model::{Service, Workspace};
use crate::plan::{self, Plan, Planned, PlannedPort, PlannedRun, Site, Surroundings};
use crate::route::remotes::Away;
use crate::runtime::{UpRequest, away, choose, scaled};

/// Prints what would be started, and starts nothing.
pub fn run(load: &Request, request: &UpRequest, output: &Output) -> Result<ExitCode, Error> {
    let workspace = &scaled(&locate::load_to_boot(load, output)?, &request.scale)?;
    let away = away(workspace, request, &Away::new())?;
    let is_away = |service: &Service| away.contains_key(service.name.as_str());
    let mask = plan::select(workspace, &request.selection, is_away).map_err(|error| Error::usage(error.to_string()))?;
    let plan = plan_of(workspace, load)?;
    let order: Vec<usize> = plan.graph.order().iter().copied().filter(|place| mask[*place]).collect();
    if output.json {
        output.json(&serde_json::json!({
            "workspace": plan.workspace,
            "front_door": plan.front_door,
            "away": away,
            "services": order.iter().map(|place| planned_json(&plan, *place)).collect::<Vec<_>>(),
        }));
        return Ok(ExitCode::SUCCESS);
    }
    output.line(&format!("{}: {} services, front door {}", plan.workspace, order.len(), plan.front_door));
    for (wave, places) in waves(&plan, &order).into_iter().enumerate() {
        output.line(&dim(&format!("wave {}", wave + 1)));
        for place in places {
            let service = &plan.services[place];
            let ports: Vec<String> = service.ports.iter().map(port).collect();
            output.line(&format!("  {}  {}  {}", service.name, what(service), dim(&ports.join(", "))));
        }
    }
    if !away.is_empty() {
        output.line(&dim("elsewhere"));
    }
    for (service, remote) in &away {
        let url = workspace.remotes.get(remote).and_then(|services| services.get(service));
        output.line(&format!("  {service}  {}  {}", url.map(ToString::to_string).unwrap_or_default(), dim(remote)));
    }
    Ok(ExitCode::SUCCESS)
}

/// What would be carried out now.
pub fn plan_of(workspace: &Workspace, load: &Request) -> Result<Plan, Error> {
    let home = locate::places()?.home(&locate::id(workspace, load));
    let (network, _) = choose(workspace, &crate::engine::modes_possible(), ports::lowest())?;
    let numbers = ports::propose(&home, &plan::slots(workspace, network));
    let surroundings = Surroundings {
        shell: environment::shell(),
        ports: numbers,
        data: home.data_dirs(),
        site: Site { host_label: workspace.name.to_string(), ..Site::default() },
        network,
        loopback: ranges::propose(&home),
    };
    Ok(plan::plan(workspace, &surroundings))
}

fn port(port: &PlannedPort) -> String {
    format!("{} {}->{}", port.name, port.number, port.listen().map_or(port.location.to_string(), |it| it.to_string()))
}

/// What is run, or where it lives.
fn what(service: &Planned) -> String {
    match &service.run {
        PlannedRun::Process { command, .. } => command.clone(),
        PlannedRun::Container(container) => container.written.clone(),
        PlannedRun::External(external) => external.to_string(),
    }
}

fn planned_json(plan: &Plan, place: usize) -> serde_json::Value {
    let service = &plan.services[place];
    let name = |place: usize| plan.services[place].name.to_string();
    serde_json::json!({
        "service": service.name,
        "argv": service.argv(),
        "external": service.external().map(ToString::to_string),
        "working_dir": service.working_dir,
        "lazy": service.lazy,
        "replicas": service.replicas,
        "most_replicas": service.autoscale.map_or(service.replicas, |autoscale| autoscale.max),
        "depends_on": service.depends_on.iter().map(|it| serde_json::json!({
            "service": name(it.service), "condition": it.condition.word(),
        })).collect::<Vec<_>>(),
        "ports": service.ports.iter().map(|port| serde_json::json!({
            "name": port.name, "port": port.number, "protocol": port.protocol.word(), "published": port.listen(),
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
