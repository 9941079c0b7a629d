//! Combinations of versions of services, side by side in one workspace.
//!
//! Each combination has a copy of every service whose versions are compared, and of all that calls one of them, however
//! many calls away: a request of one combination can then meet no service of another. A copy sees the workspace as the
//! service would; that names mean the copies of its own combination is told to the proxy (`Leads`). What can call none
//! of the compared services is there once, for all.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::model::{Dependency, Graph, Leads, Part, Run, Service, ServiceName, Version, Workspace, stand_in};

use super::edges::references;

/// The combinations that are to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matrix {
    pub combinations: Vec<Combination>,
    /// A caller of all of them, which each has for itself.
    pub guest: Option<ServiceName>,
    /// Each has a copy of everything.
    pub isolate: bool,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combination {
    /// `c1`: what the names of its services end with.
    pub name: String,
    /// The services that are compared, by the name of the first version, each with the files of the one that runs.
    pub versions: IndexMap<ServiceName, VersionFiles>,
}

/// Where a version comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionFiles {
    /// The manifest has it, as this service.
    Declared(ServiceName),
    /// It is the service of the manifest in all but its folder.
    Folder { stands_for: PathBuf, folder: PathBuf },
}

impl Combination {
    /// What a service is called in it.
    pub fn copy_of(&self, service: &ServiceName) -> String {
        format!("{service}-{}", self.name)
    }
}

/// What a service waits for; of a combination's services, the copies.
pub fn needs<'a>(workspace: &'a Workspace, service: &'a Service) -> impl Iterator<Item = Dependency> + 'a {
    let leads = service.leads();
    service.depends_on.iter().map(move |needed| {
        let copy = leads.and_then(|leads| leads.get(&workspace.service(needed.service).name));
        let led = copy.and_then(|copy| workspace.index(copy.as_str()));
        Dependency { service: led.unwrap_or(needed.service), ..needed.clone() }
    })
}

/// For each service, all that it calls or waits for.
pub fn calls(workspace: &Workspace) -> Vec<Vec<usize>> {
    let own = |service: &Service| service.depends_on.iter().map(|needed| needed.service).collect();
    let mut calls: Vec<Vec<usize>> = workspace.services.values().map(own).collect();
    references(workspace).into_iter().for_each(|reference| calls[reference.from].push(reference.to));
    calls
}

/// The first versions of services of which each combination has a copy, by place.
pub fn bases(workspace: &Workspace, matrix: &Matrix) -> Vec<usize> {
    let firsts: Vec<usize> = workspace.services.values().enumerate().map(|it| first(workspace, it)).collect();
    let is_here = |place: usize| workspace.service(place).external().is_none();
    let tested = |place: usize| {
        let name = &workspace.service(place).name;
        let is_guest = matrix.guest.as_ref() == Some(name);
        is_guest || matrix.combinations.iter().any(|combination| combination.versions.contains_key(name))
    };
    let mut is_apart: Vec<bool> = firsts.iter().map(|&place| tested(place) || matrix.isolate).collect();
    let calls = calls(workspace);
    // A service is apart in all its versions: calls to it may be led to any.
    while let Some(caller) =
        (0..calls.len()).find(|&from| !is_apart[from] && calls[from].iter().any(|&to| is_apart[to]))
    {
        let group = firsts[caller];
        (0..firsts.len()).filter(|&place| firsts[place] == group).for_each(|place| is_apart[place] = true);
    }
    (0..firsts.len()).filter(|&place| is_apart[place] && firsts[place] == place && is_here(place)).collect()
}

/// The place of the version that bears a service's name.
fn first(workspace: &Workspace, (place, service): (usize, &Service)) -> usize {
    let version = service.version.as_ref();
    version.and_then(|version| workspace.index(version.of.as_str())).unwrap_or(place)
}

/// The workspace with a copy of what is apart for each combination, behind its own services, whose places stay. Nothing
/// of it takes a port of this machine for its own or follows edits, and there is one instance of each copy.
pub fn combined(workspace: &Workspace, matrix: &Matrix) -> Workspace {
    let bases = bases(workspace, matrix);
    let mut all = Workspace { budget: None, ..workspace.clone() };
    for (place, service) in all.services.values_mut().enumerate() {
        service.publish.clear();
        service.watch.clear();
        if bases.contains(&first(workspace, (place, workspace.service(place)))) {
            service.part = Part::Name;
            service.setup.clear();
        }
    }
    for combination in &matrix.combinations {
        let named = |&place: &usize| {
            let name = &workspace.service(place).name;
            Some((name.clone(), ServiceName::new(&combination.copy_of(name)).ok()?))
        };
        let leads: Arc<Leads> = Arc::new(bases.iter().filter_map(named).collect());
        for (base, copy) in leads.iter() {
            let files = combination.versions.get(base);
            if let Some(service) = workspace.services.get(base).and_then(|service| of(workspace, service, files)) {
                all.services.insert(copy.clone(), copied(service, copy, combination, leads.clone(), base));
            }
        }
    }
    let edges = all.services.values().enumerate();
    let edges = edges.flat_map(|(from, service)| needs(&all, service).map(move |on| (from, on.service)));
    // Has no cycle: of each copy and what it needs there is one in the workspace.
    all.graph = Graph::new(all.services.len(), edges).unwrap_or_default();
    all
}

/// A service in the version that a combination has of it.
fn of(workspace: &Workspace, service: &Service, files: Option<&VersionFiles>) -> Option<Service> {
    match files {
        None => Some(service.clone()),
        Some(VersionFiles::Declared(name)) => {
            Some(Service { profiles: Vec::new(), ..workspace.services.get(name)?.clone() })
        }
        Some(VersionFiles::Folder { stands_for, folder }) => Some(Service {
            working_dir: stand_in(&service.working_dir, stands_for, folder),
            profiles: Vec::new(),
            ..service.clone()
        }),
    }
}

fn copied(
    mut service: Service,
    name: &ServiceName,
    combination: &Combination,
    leads: Arc<Leads>,
    base: &ServiceName,
) -> Service {
    if let Run::Container(container) = &mut service.run {
        container.settings.set_apart(&combination.name);
    }
    Service {
        name: name.clone(),
        version: Some(Version { of: base.clone(), name: combination.name.clone() }),
        part: Part::Copy(leads),
        aliases: Vec::new(),
        hostnames: Vec::new(),
        publish: Vec::new(),
        lazy: false,
        replicas: 1,
        autoscale: None,
        idle_timeout: None,
        max_age: None,
        watch: Vec::new(),
        ..service
    }
}
