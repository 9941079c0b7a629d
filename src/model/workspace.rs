//! All services of a manifest and their graph.

use std::path::PathBuf;

use indexmap::IndexMap;

use super::{Graph, Service, ServiceName, WorkspaceName};

/// A workspace that can be planned: every reference leads somewhere and the graph has no cycle.
#[derive(Debug, Clone, PartialEq)]
pub struct Workspace {
    pub name: WorkspaceName,
    /// The folder of the first manifest.
    pub root: PathBuf,
    pub services: IndexMap<ServiceName, Service>,
    pub graph: Graph,
    pub network: NetworkMode,
    /// Profiles that are named in the manifest, to tell a wrong one on the command line.
    pub profiles: Vec<String>,
}

/// How host processes see the network. So far there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkMode {
    /// Addresses come in environment variables.
    Env,
}

impl NetworkMode {
    /// The word for users.
    pub fn word(self) -> &'static str {
        match self {
            Self::Env => "env",
        }
    }
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
}
