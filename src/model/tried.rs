//! Versions that are tried beside the manifest's services, each in a folder of its own.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{Command, Graph, Run, Service, ServiceName, Version, Workspace};

/// A version of a service that the manifest knows nothing of. It is the service in all but its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub of: ServiceName,
    /// `fix`; as a service it is called `users-fix`.
    pub version: String,
    /// Its own name.
    pub name: ServiceName,
    /// A folder with files of the service.
    pub stands_for: PathBuf,
    /// What that is for this version: another checkout, or another folder.
    pub folder: PathBuf,
}

/// Why a version cannot be tried in a workspace as it is now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTried {
    #[error("{name} is not tried any more: the manifest has no service `{of}`")]
    Gone { name: ServiceName, of: ServiceName },
    #[error("{name} is not tried any more: `{of}` lives elsewhere now")]
    Elsewhere { name: ServiceName, of: ServiceName },
    #[error("{name} is not tried any more: the manifest has something of that name now")]
    Named { name: ServiceName },
}

/// What a path is where a folder takes the place of another; what is not below that is the folder itself.
pub fn stand_in(path: &Path, stands_for: &Path, folder: &Path) -> PathBuf {
    match path.strip_prefix(stands_for) {
        Ok(inside) if !inside.as_os_str().is_empty() => folder.join(inside),
        Ok(_) | Err(_) => folder.to_owned(),
    }
}

impl Tried {
    /// Where the version has what the service has at a path.
    pub fn folder_of(&self, path: &Path) -> PathBuf {
        stand_in(path, &self.stands_for, &self.folder)
    }

    /// The version as a service. Names and numbers by which a service is reached from outside stay with the first, which
    /// leads to the others.
    fn version_of(&self, service: &Service) -> Service {
        let mut run = service.run.clone();
        if let Run::Container(container) = &mut run
            && service.stateful
        {
            container.settings.set_apart(&self.version);
        }
        Service {
            run,
            name: self.name.clone(),
            version: Some(Version { of: self.of.clone(), name: self.version.clone() }),
            aliases: Vec::new(),
            hostnames: Vec::new(),
            publish: Vec::new(),
            working_dir: self.folder_of(&service.working_dir),
            ..service.clone()
        }
    }
}

impl Workspace {
    /// The workspace with these versions behind its own services, whose places stay the same, and why some are left out.
    pub fn trying<'a>(&self, tries: impl IntoIterator<Item = &'a Tried>) -> (Self, Vec<NotTried>) {
        let mut all = self.clone();
        let mut left_out = Vec::new();
        for tried in tries {
            let (name, of) = (tried.name.clone(), tried.of.clone());
            match self.services.get(&tried.of) {
                None => left_out.push(NotTried::Gone { name, of }),
                Some(service) if service.external().is_some() => left_out.push(NotTried::Elsewhere { name, of }),
                Some(_) if self.has_name(&tried.name) => left_out.push(NotTried::Named { name }),
                Some(service) => {
                    all.services.insert(name, tried.version_of(service));
                }
            }
        }
        let edges = all.services.values().enumerate();
        let edges = edges.flat_map(|(from, service)| service.depends_on.iter().map(move |on| (from, on.service)));
        // Cannot have a cycle: nobody waits for what is tried.
        all.graph = Graph::new(all.services.len(), edges).unwrap_or_default();
        (all, left_out)
    }

    /// Whether a service or an alias of one has a name.
    pub fn has_name(&self, name: &ServiceName) -> bool {
        self.services.contains_key(name) || self.services.values().any(|service| service.aliases.contains(name))
    }
}

impl Service {
    /// The files of its own folder that its command names, as far as the words tell: a command that is more than one
    /// may make them itself, and so may setup steps.
    pub fn files_named(&self) -> Vec<PathBuf> {
        let Run::Process(command) = &self.run else { return Vec::new() };
        if !self.setup.is_empty() {
            return Vec::new();
        }
        let words: Vec<String> = match command {
            Command::Argv(words) => words.iter().filter_map(|word| word.as_text()).map(str::to_owned).collect(),
            Command::Shell(line) => plain_words(line.as_text().unwrap_or_default()),
        };
        let mut seen = HashSet::new();
        let inside = |word: &String| !word.starts_with(['/', '-', '~']) && !word.split('/').any(|part| part == "..");
        words.into_iter().filter(|word| inside(word) && seen.insert(word.clone())).map(PathBuf::from).collect()
    }
}

/// The words of a line in which the shell has nothing to do; none of any other.
fn plain_words(line: &str) -> Vec<String> {
    let does_more = |c: char| ";&|()<>`$\n\"'\\*?[{".contains(c);
    if line.contains(does_more) { Vec::new() } else { line.split_ascii_whitespace().map(str::to_owned).collect() }
}
