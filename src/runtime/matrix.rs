//! The versions of a compatibility matrix: found, checked all at once, and made where git has them.

mod show;

use std::collections::HashMap;
use std::path::PathBuf;

use indexmap::IndexMap;

use super::tries::{beside, foreign, no_worktree, of_worktree};
use super::{Flaw, Problem};
use crate::effects::places::Home;
use crate::effects::tries::{self, Try};
use crate::effects::worktree::{self, Found, NoWorktree, Worktree};
use crate::manifest::{GUEST, did_you_mean};
use crate::model::{NetworkMode, Service, ServiceName, Workspace};
use crate::plan::{Combination, Matrix, VersionFiles, bases};
use crate::resilience::compat::combinations;
use crate::view::matrix as shown;
use show::show;

/// Which versions of which services are to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixRequest {
    pub services: Vec<(String, Vec<Word>)>,
    /// Each combination has its own copy of everything.
    pub isolate: bool,
}

/// A version, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub meant: Meant,
}

/// What a word means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// The files as they are.
    Here,
    /// A folder, absolute.
    Folder(PathBuf),
    /// Whatever git knows by that name.
    Git(String),
    /// A version of the manifest, else what git knows.
    Named(String),
}

/// A matrix that can run.
#[derive(Debug)]
pub struct Laid {
    pub matrix: Matrix,
    /// What was made for it, to be removed.
    pub worktrees: Vec<Try>,
    pub shown: shown::Matrix,
}

/// A version that was found.
#[derive(Debug)]
enum Version {
    Declared(ServiceName),
    Folder { stands_for: PathBuf, folder: PathBuf },
    Git(Found),
}

/// A service with the versions that were found of it.
struct Row<'a> {
    service: &'a Service,
    versions: Vec<(&'a Word, Version)>,
}

/// Finds all versions, or tells everything that is wrong; then makes the worktrees. What an earlier matrix left is removed.
pub async fn lay(
    workspace: &Workspace,
    request: &MatrixRequest,
    network: NetworkMode,
    home: &Home,
) -> Result<Laid, Problem> {
    let mut flaws = Vec::new();
    let mut rows = Vec::new();
    for (name, words) in &request.services {
        match compared(workspace, name) {
            Ok(service) => rows.push(row(workspace, service, words, &mut flaws).await),
            Err(flaw) => flaws.push(flaw),
        }
    }
    told(flaws)?;
    let paths = paths(&rows, home);
    let matrix = matrix(&rows, &paths, request.isolate);
    told(unfit(workspace, &matrix, network))?;
    tries::clear(home, tries::read(&home.tries())).await;
    let worktrees = entries(&rows, &paths);
    // First this: whoever comes after a crash must know of what is made now.
    let written = tries::write(home, &worktrees.iter().collect::<Vec<_>>());
    let written = written.map_err(|error| vec![flaw(format!("{} cannot be written: {error}", home.tries().display()))]);
    let made = match written {
        Ok(()) => check_out(&rows, &paths).await,
        Err(flaws) => Err(flaws),
    };
    if let Err(flaws) = made {
        tries::clear(home, worktrees).await;
        return Err(Problem::Matrix { flaws });
    }
    Ok(Laid { shown: show(workspace, &rows, &matrix), matrix, worktrees })
}

fn told(flaws: Vec<Flaw>) -> Result<(), Problem> {
    if flaws.is_empty() { Ok(()) } else { Err(Problem::Matrix { flaws }) }
}

fn flaw(message: String) -> Flaw {
    Flaw { message, hint: None }
}

/// The service whose versions a name means.
fn compared<'a>(workspace: &'a Workspace, name: &str) -> Result<&'a Service, Flaw> {
    let known = || workspace.services.values().filter(|it| it.name.as_str() != GUEST);
    let Some(service) = known().find(|it| it.name.as_str() == name) else {
        let hint = did_you_mean(name, known().map(|it| it.name.as_str())).or_else(|| Some(listed(known())));
        return Err(Flaw { message: format!("there is no service `{name}`"), hint });
    };
    if let Some(external) = service.external() {
        return Err(flaw(format!("{name} lives elsewhere, at {external}: nothing of it runs here")));
    }
    match service.version.as_ref().filter(|version| version.of != service.name) {
        None => Ok(service),
        Some(version) => Err(Flaw {
            message: format!("{name} is a version of {} itself", version.of),
            hint: Some(format!("`{}={},…` compares it", version.of, version.name)),
        }),
    }
}

/// The services that there are, a few of many.
fn listed<'a>(known: impl Iterator<Item = &'a Service>) -> String {
    const SHOWN: usize = 8;
    // Versions are named behind their service.
    let mut names: Vec<&str> = known
        .filter(|it| it.external().is_none() && it.version.as_ref().is_none_or(|version| version.of == it.name))
        .map(|it| it.name.as_str())
        .collect();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let names = names.join(", ");
    match more {
        0 => format!("the manifest has {names}"),
        more => format!("the manifest has {names} and {more} more, which `nagaya graph` lists"),
    }
}

async fn row<'a>(workspace: &Workspace, service: &'a Service, words: &'a [Word], flaws: &mut Vec<Flaw>) -> Row<'a> {
    let mut versions = Vec::with_capacity(words.len());
    for word in words {
        match version(workspace, service, word).await {
            Ok(version) => versions.push((word, version)),
            Err(flaw) => flaws.push(flaw),
        }
    }
    Row { service, versions }
}

async fn version(workspace: &Workspace, service: &Service, word: &Word) -> Result<Version, Flaw> {
    let in_git = |branch: String| async move { worktree::find(&service.working_dir, &branch).await };
    match &word.meant {
        Meant::Here => Ok(Version::Declared(service.name.clone())),
        Meant::Folder(folder) => {
            let files = beside(service, &foreign(workspace, service), folder)
                .map_err(|problem| of_version(service, word, &problem))?;
            Ok(Version::Folder { stands_for: files.stands_for, folder: files.folder })
        }
        Meant::Git(branch) => {
            let found = in_git(branch.clone()).await;
            found.map(Version::Git).map_err(|error| of_version(service, word, &no_worktree(error)))
        }
        Meant::Named(name) => match declared(workspace, service, name) {
            Some(found) if found.external().is_none() => Ok(Version::Declared(found.name.clone())),
            Some(found) => Err(flaw(format!("{} lives elsewhere: nothing of it runs here", found.name))),
            None => {
                in_git(name.clone()).await.map(Version::Git).map_err(|error| unknown(workspace, service, name, error))
            }
        },
    }
}

fn of_version(service: &Service, word: &Word, problem: &Problem) -> Flaw {
    let hint = match problem {
        Problem::Try { hint, .. } => hint.clone(),
        _ => None,
    };
    Flaw { message: format!("{}={}: {problem}", service.name, word.text), hint }
}

/// The version of the manifest that bears a name.
fn declared<'a>(workspace: &'a Workspace, service: &Service, name: &str) -> Option<&'a Service> {
    versions(workspace, &service.name).find(|(version, _)| *version == name).map(|(_, found)| found)
}

fn versions<'a>(workspace: &'a Workspace, of: &ServiceName) -> impl Iterator<Item = (&'a str, &'a Service)> {
    workspace.services.values().filter_map(|it| {
        let version = it.version.as_ref().filter(|version| version.of == *of)?;
        Some((version.name.as_str(), it))
    })
}

fn unknown(workspace: &Workspace, service: &Service, name: &str, error: NoWorktree) -> Flaw {
    let known: Vec<&str> = versions(workspace, &service.name).map(|(version, _)| version).collect();
    let (also, near) = match error {
        NoWorktree::NoBranch { repository, near, .. } => {
            (format!(", and there is no branch, tag or commit of that name in {}", repository.display()), near)
        }
        NoWorktree::NoRepository(..) => (String::new(), None),
        other => return of_version(service, &Word { text: name.to_owned(), meant: Meant::Here }, &no_worktree(other)),
    };
    let list = || match known.as_slice() {
        [] => format!("the manifest has no `versions` of {}", service.name),
        known => format!("the manifest has {}", known.join(", ")),
    };
    let hint = did_you_mean(name, known.iter().copied()).or(near).unwrap_or_else(list);
    Flaw { message: format!("{} has no version `{name}`{also}", service.name), hint: Some(hint) }
}

/// What the names of worktrees are made of a commit.
const SHORT: usize = 12;

/// A place for each commit: services and versions share what is the same.
fn paths(rows: &[Row<'_>], home: &Home) -> HashMap<(PathBuf, String), PathBuf> {
    let mut paths = HashMap::new();
    for found in rows.iter().flat_map(Row::found) {
        let number = paths.len() + 1;
        let short = found.commit.get(..SHORT).unwrap_or(&found.commit);
        let path = home.worktrees().join(format!("matrix-{number}-{short}"));
        paths.entry((found.repository.clone(), found.commit.clone())).or_insert(path);
    }
    paths
}

type Paths = HashMap<(PathBuf, String), PathBuf>;

impl Row<'_> {
    fn found(&self) -> impl Iterator<Item = &Found> {
        self.versions.iter().filter_map(|(_, version)| match version {
            Version::Git(found) => Some(found),
            Version::Declared(_) | Version::Folder { .. } => None,
        })
    }

    fn files(&self, version: usize, paths: &Paths) -> VersionFiles {
        match &self.versions[version].1 {
            Version::Declared(name) => VersionFiles::Declared(name.clone()),
            Version::Folder { stands_for, folder } => {
                VersionFiles::Folder { stands_for: stands_for.clone(), folder: folder.clone() }
            }
            Version::Git(found) => {
                VersionFiles::Folder { stands_for: found.repository.clone(), folder: path(found, paths) }
            }
        }
    }
}

fn path(found: &Found, paths: &Paths) -> PathBuf {
    paths.get(&(found.repository.clone(), found.commit.clone())).cloned().unwrap_or_default()
}

/// What is written down of the worktrees: each is made here alone, and nothing of the user's comes into it.
fn entries(rows: &[Row<'_>], paths: &Paths) -> Vec<Try> {
    let mut all: IndexMap<PathBuf, Try> = IndexMap::new();
    for row in rows {
        for found in row.found() {
            let path = path(found, paths);
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            all.entry(path.clone()).or_insert_with(|| Try {
                service: row.service.name.to_string(),
                version: found.branch.clone(),
                name,
                stands_for: found.repository.clone(),
                folder: path.clone(),
                worktree: Some(found.clone().worktree(&path)),
                making: true,
                kept: None,
            });
        }
    }
    all.into_values().collect()
}

/// Makes the worktrees, and sees that each has the files of its services.
async fn check_out(rows: &[Row<'_>], paths: &Paths) -> Result<(), Vec<Flaw>> {
    let mut made: HashMap<PathBuf, Worktree> = HashMap::new();
    let mut flaws = Vec::new();
    for row in rows {
        for (word, found) in row.versions.iter().filter_map(|(word, version)| match version {
            Version::Git(found) => Some((word, found)),
            Version::Declared(_) | Version::Folder { .. } => None,
        }) {
            let path = path(found, paths);
            if !made.contains_key(&path) {
                match found.clone().check_out(&path).await {
                    Ok(worktree) => drop(made.insert(path.clone(), worktree)),
                    Err(error) => {
                        flaws.push(of_version(row.service, word, &no_worktree(error)));
                        continue;
                    }
                }
            }
            let own = Worktree { branch: found.branch.clone(), ..made[&path].clone() };
            if let Err(problem) = of_worktree(row.service, &own) {
                flaws.push(of_version(row.service, word, &problem));
            }
        }
    }
    if flaws.is_empty() { Ok(()) } else { Err(flaws) }
}

fn matrix(rows: &[Row<'_>], paths: &Paths, isolate: bool) -> Matrix {
    let counts: Vec<usize> = rows.iter().map(|row| row.versions.len()).collect();
    let combination = |(place, versions): (usize, Vec<usize>)| {
        let files = |(row, version): (&Row<'_>, usize)| (row.service.name.clone(), row.files(version, paths));
        Combination { name: format!("c{}", place + 1), versions: rows.iter().zip(versions).map(files).collect() }
    };
    Matrix {
        combinations: combinations(&counts).into_iter().enumerate().map(combination).collect(),
        guest: ServiceName::new(GUEST).ok(),
        isolate,
    }
}

/// Why the workspace has no room for a matrix.
fn unfit(workspace: &Workspace, matrix: &Matrix, network: NetworkMode) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    for place in bases(workspace, matrix) {
        let service = workspace.service(place);
        let copies = || matrix.combinations.iter().map(|combination| combination.copy_of(&service.name));
        for copy in copies() {
            match ServiceName::new(&copy) {
                Err(error) => flaws.push(flaw(format!("`{copy}` is no name for a copy of {}: {error}", service.name))),
                Ok(name) if workspace.has_name(&name) => {
                    flaws.push(flaw(format!(
                        "a copy of {} would be called {copy}, and the manifest has that",
                        service.name
                    )));
                }
                Ok(_) => {}
            }
        }
        let number = service.listen.iter().flatten().next();
        let is_in_pod = workspace.network_of(service, network) == NetworkMode::Pod;
        if let Some(number) = number.filter(|_| !is_in_pod && matrix.combinations.len() > 1) {
            flaws.push(Flaw {
                message: format!(
                    "{} insists on port {number} of this machine, which only one copy can have",
                    service.name
                ),
                hint: Some(
                    "in a pod each has its own ports; or leave out `listen`, and have it take its port from `PORT`"
                        .to_owned(),
                ),
            });
        }
    }
    flaws
}
