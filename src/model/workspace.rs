//! All services of a manifest and their graph.

use std::path::PathBuf;

use indexmap::IndexMap;

use crate::dtab::{Dtab, Identifier};

use super::{
    Graph, Names, Namespace, NetworkMode, Remotes, Rules, Service, ServiceName, Size, Task, TaskName, WorkspaceName,
};

/// A workspace that can be planned: every reference leads somewhere and the graph has no cycle.
#[derive(Debug, Clone, PartialEq)]
pub struct Workspace {
    pub name: WorkspaceName,
    /// It has the name that its manifest gives it, whoever else gave it that too.
    pub has_own_name: bool,
    /// The folder of the first manifest.
    pub root: PathBuf,
    pub services: IndexMap<ServiceName, Service>,
    pub graph: Graph,
    /// Commands that end, by name.
    pub tasks: IndexMap<TaskName, Task>,
    /// What they need of each other.
    pub task_graph: Graph,
    /// `None` for `auto`: the best mode that the machine allows.
    pub network: Option<NetworkMode>,
    /// The Kubernetes namespace, for `users.NAMESPACE.svc`.
    pub namespace: Namespace,
    /// Calls to services that were not declared as dependencies are refused.
    pub strict: bool,
    /// Memory for all services; above it lazy ones are stopped.
    pub budget: Option<Size>,
    /// What names mean where it is not the service of that name.
    pub routes: Dtab,
    /// The same for some requests alone.
    pub rules: Rules,
    /// What names requests, in turn; it is the service that is called where nothing does.
    pub identifiers: Vec<Identifier>,
    /// Places where services run that are not run here.
    pub remotes: Remotes,
    /// Profiles that are named in the manifest, to tell a wrong one on the command line.
    pub profiles: Vec<String>,
}

impl Workspace {
    /// The place of a service.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.services.get_index_of(name)
    }

    /// The service at a place that came from this workspace.
    pub fn service(&self, index: usize) -> &Service {
        &self.services[index]
    }

    /// Which service a host name means.
    pub fn names(&self) -> Names<'_> {
        Names::new(self)
    }

    /// How a service sees the network, where `auto` means the mode that is given.
    pub fn network_of(&self, service: &Service, auto: NetworkMode) -> NetworkMode {
        // Containers have networks of their own wherever there are containers.
        let own = service.container().map(|_| NetworkMode::Pod);
        own.or(service.network).or(self.network).unwrap_or(auto)
    }
}
