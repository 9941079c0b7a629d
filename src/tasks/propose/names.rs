//! What the services are called, and what container files say of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Guess, Proposal, counted, ports};
use crate::model::{BadName, ServiceName};
use crate::tasks::around::Around;
use crate::tasks::formats::Node;
use crate::tasks::look::tidy;

const COMPOSE: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// What Compose files and Dockerfiles say of the folders that they build.
pub struct Containers {
    built: Vec<Built>,
    /// Services that are only an image, with the file.
    images: Vec<(String, String, String)>,
    /// Ports that Dockerfiles expose, by folder from the root.
    exposed: Vec<(PathBuf, u16)>,
}

/// A service that a Compose file builds.
pub struct Built {
    name: String,
    /// From the root.
    folder: PathBuf,
    port: Option<u16>,
    /// What it runs in place of what the image would.
    pub command: Option<Vec<String>>,
    depends_on: Vec<String>,
    file: String,
}

impl Containers {
    pub fn read(around: &Around<'_>, files: &[PathBuf]) -> Self {
        let mut all = Self { built: Vec::new(), images: Vec::new(), exposed: Vec::new() };
        for path in files {
            let name = path.file_name().and_then(|it| it.to_str()).unwrap_or("");
            let folder = path.parent().unwrap_or(Path::new(""));
            if COMPOSE.contains(&name)
                && let Ok(root) = around.yaml(&around.root.join(path))
            {
                all.compose(&root, folder, path);
            }
            if (name == "Dockerfile" || name == "Containerfile")
                && let Ok(text) = around.text(&around.root.join(path))
                && let Some(port) = ports::of_dockerfile(&text)
            {
                all.exposed.push((folder.to_owned(), port));
            }
        }
        all
    }

    fn compose(&mut self, root: &Node, folder: &Path, path: &Path) {
        let file = path.display().to_string();
        for (key, service) in root.below(&["services"]) {
            let build = service.get("build").and_then(|it| it.text().or_else(|| it.text_of("context")));
            match (build, service.text_of("image")) {
                (Some(context), _) => self.built.push(Built {
                    name: key.text.to_string(),
                    folder: tidy(&folder.join(context)),
                    port: service.get("ports").and_then(|it| it.items().iter().find_map(container_port)),
                    command: service.get("command").map(words).filter(|it| !it.is_empty()),
                    depends_on: service.names_of("depends_on"),
                    file: format!("{file}:{}", key.at.line),
                }),
                (None, Some(image)) => self.images.push((key.text.to_string(), image.to_owned(), file.clone())),
                (None, None) => {}
            }
        }
    }

    /// What is there and is not among those that are proposed.
    pub fn notes(&self, proposed: &[Proposal]) -> Vec<String> {
        let images = self
            .images
            .iter()
            .map(|(name, image, file)| format!("`{name}` of {file} is a container ({image}); it stays with Compose"));
        let is_lost = |built: &&Built| !proposed.iter().any(|it| it.folder == built.folder);
        let lost = self.built.iter().filter(is_lost).map(|Built { name, file, .. }| {
            format!(
                "`{name}` of {file} is built, and what would run it without a container is not known; it stays with \
                 Compose"
            )
        });
        images.chain(lost).collect()
    }

    /// What is built of a folder.
    pub fn of(&self, folder: &Path) -> Option<&Built> {
        // One folder that several services are built of names none of them.
        let mut all = self.built.iter().filter(|it| it.folder == folder);
        all.next().filter(|_| all.next().is_none())
    }

    fn exposed(&self, folder: &Path) -> Option<u16> {
        self.exposed.iter().find(|(it, _)| it == folder).map(|(_, port)| *port)
    }
}

/// A command as words; a text is taken apart where it is plain.
fn words(command: &Node) -> Vec<String> {
    match command.scalar() {
        Some(text) => text.split_whitespace().map(str::to_owned).collect(),
        None => command.texts(),
    }
}

/// The container's side of `"8080:80/tcp"`, `8080`, or `{target: 80}`.
fn container_port(port: &Node) -> Option<u16> {
    let text = port.scalar().or_else(|| port.text_of("target"))?;
    text.rsplit(':').next()?.split(['/', '-']).next()?.parse().ok()
}

/// Names for all: Compose's, else the process's and the folder's, with the folder above where two would be the same.
/// Services and tasks.
pub fn give(root: &Path, guesses: Vec<(PathBuf, Guess)>, containers: &Containers) -> (Vec<Proposal>, Vec<Proposal>) {
    let services = guesses.iter().filter(|(_, guess)| !guess.ends);
    let folders = counted(services.filter_map(|(folder, _)| folder.to_str()));
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let (mut proposals, mut tasks) = (Vec::new(), Vec::new());
    let is_single = |folder: &Path| folder.to_str().and_then(|it| folders.get(it)) == Some(&1);
    for (folder, guess) in &guesses {
        let built = containers.of(folder).filter(|_| is_single(folder) && !guess.ends);
        let own = own_name(root, folder, guess, is_single(folder), folders.len() > 1);
        let wanted = built.map_or(own, |built| built.name.clone());
        let name = free(&wanted, folder, &mut taken);
        let exposed = containers.exposed(folder).filter(|_| is_single(folder) && !guess.ends);
        let port = built.and_then(|it| it.port).or(exposed).filter(|_| guess.port.is_none()).or(guess.port);
        let because = match built {
            Some(built) => format!("{}; {}", guess.because, built.file),
            None => guess.because.clone(),
        };
        let depends_on = built.map(|it| it.depends_on.clone()).unwrap_or_default();
        let list = if guess.ends { &mut tasks } else { &mut proposals };
        list.push(Proposal { name, folder: folder.clone(), command: guess.command.clone(), port, depends_on, because });
    }
    let names: BTreeSet<String> = proposals.iter().map(|it| it.name.clone()).collect();
    for proposal in &mut proposals {
        proposal.depends_on.retain(|it| names.contains(it) && *it != proposal.name);
    }
    (proposals, tasks)
}

fn own_name(root: &Path, folder: &Path, guess: &Guess, single: bool, many_folders: bool) -> String {
    let last = if folder.as_os_str().is_empty() { root.file_name() } else { folder.file_name() };
    let last = last.map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    match &guess.name {
        // Every Procfile has a `web`.
        Some(process) if single && many_folders && !folder.as_os_str().is_empty() && process == "web" => last,
        Some(process) if many_folders && !folder.as_os_str().is_empty() => format!("{last}-{process}"),
        Some(process) => process.clone(),
        None => last,
    }
}

/// A name that is one, and nobody else's.
fn free(wanted: &str, folder: &Path, taken: &mut BTreeSet<String>) -> String {
    let as_name = |text: &str| match ServiceName::new(text) {
        Ok(_) => text.to_owned(),
        Err(_) => BadName::suggestion(text).unwrap_or_else(|| "service".to_owned()),
    };
    let above = folder.parent().and_then(Path::file_name).map(|it| it.to_string_lossy().into_owned());
    let first = as_name(wanted);
    let second = above.map(|above| as_name(&format!("{above}-{wanted}")));
    let numbered = (2..).map(|number| as_name(&format!("{wanted}-{number}")));
    let name = [Some(first), second].into_iter().flatten().chain(numbered).find(|name| !taken.contains(name));
    let name = name.unwrap_or_default();
    taken.insert(name.clone());
    name
}
