//! Versions that are tried beside the manifest's services: what they are called and where their files are.

use std::path::{Path, PathBuf};

use super::{Problem, Source, TryRequest};
use crate::effects::fs;
use crate::effects::worktree::{self, NoWorktree, Worktree};
use crate::model::{BadName, Service, ServiceName, Tried, Workspace};

/// The longest label of DNS.
const LONGEST: usize = 63;

/// The files of a version, found or made.
#[derive(Debug)]
pub(super) struct Files {
    pub stands_for: PathBuf,
    pub folder: PathBuf,
    pub worktree: Option<Worktree>,
}

/// The service that a request is about, and the names of the version.
pub(super) fn named(workspace: &Workspace, request: &TryRequest) -> Result<(Service, String, ServiceName), Problem> {
    let Some(service) = workspace.services.get(request.service.as_str()) else {
        let known = workspace.services.keys().map(ServiceName::as_str);
        let hint = crate::manifest::did_you_mean(&request.service, known);
        return Err(Problem::UnknownService { name: request.service.clone(), hint });
    };
    if let Some(external) = service.external() {
        return Err(Problem::Elsewhere { name: service.name.to_string(), at: external.to_string() });
    }
    if let Some(version) = service.version.as_ref().filter(|version| version.of != service.name) {
        let message = format!("{} is a version of {} itself", service.name, version.of);
        return Err(refused(message, Some(format!("`nagaya try {} …` boots another one", version.of))));
    }
    let version = match &request.version {
        Some(version) => version.clone(),
        None => derived(&service.name, &request.source)?,
    };
    let of = |it: &&Service| it.version.as_ref().is_some_and(|known| known.of == service.name && known.name == version);
    let name = ServiceName::new(&format!("{}-{version}", service.name)).map_err(|error| {
        refused(format!("`{version}` is no name for a version: {error}"), Some("`--name` gives it another".to_owned()))
    })?;
    if workspace.services.values().any(|it| of(&it)) || workspace.has_name(&name) {
        let message = format!("there is a {name} already: the manifest has it");
        return Err(refused(message, Some("`--name` gives the version another name".to_owned())));
    }
    Ok((service.clone(), version, name))
}

pub(super) fn refused(message: String, hint: Option<String>) -> Problem {
    Problem::Try { message, hint }
}

/// What a version is called after where it comes from.
fn derived(service: &ServiceName, source: &Source) -> Result<String, Problem> {
    let text = match source {
        Source::Branch(branch) => branch.clone(),
        Source::Folder(folder) => {
            folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        }
    };
    let name = BadName::suggestion(&text).unwrap_or_else(|| text.clone());
    let most = LONGEST.saturating_sub(service.as_str().len() + 1);
    let name = name.get(..most.min(name.len())).unwrap_or_default().trim_end_matches(['-', '_']);
    match ServiceName::new(name) {
        Ok(name) => Ok(name.to_string()),
        Err(_) => {
            Err(refused(format!("no version can be called after `{text}`"), Some("`--name` names it".to_owned())))
        }
    }
}

/// Finds the files of a version, or has git make them in a worktree at `path`.
pub(super) async fn files(
    (service, foreign): (Service, Vec<PathBuf>),
    source: Source,
    path: PathBuf,
) -> Result<Files, Problem> {
    match source {
        Source::Folder(folder) => beside(&service, &foreign, &folder),
        Source::Branch(branch) => {
            let worktree = worktree::add(&service.working_dir, &branch, &path).await.map_err(no_worktree)?;
            match of_worktree(&service, &worktree) {
                Ok((stands_for, folder)) => Ok(Files { stands_for, folder, worktree: Some(worktree) }),
                Err(problem) => {
                    // There is nothing in it but what git has.
                    let _ = worktree.remove(true).await;
                    Err(problem)
                }
            }
        }
    }
}

/// The folders of a workspace's other services.
pub(super) fn foreign(workspace: &Workspace, service: &Service) -> Vec<PathBuf> {
    let folders = workspace.services.values().map(|it| &it.working_dir);
    folders.filter(|folder| **folder != service.working_dir).cloned().collect()
}

/// A folder stands for that of the service's manifest, or for the service's own; never for one of the `foreign`.
pub(super) fn beside(service: &Service, foreign: &[PathBuf], given: &Path) -> Result<Files, Problem> {
    let Ok(folder) = fs::real(given) else {
        return Err(refused(format!("{} does not exist", given.display()), None));
    };
    if !fs::is_folder(&folder) {
        return Err(refused(format!("{} is not a folder", folder.display()), None));
    }
    let files = |stands_for: &Path| Files { stands_for: stands_for.to_owned(), folder: folder.clone(), worktree: None };
    let own = &service.working_dir;
    let above = service.declared.0.parent().and_then(|folder| fs::real(folder).ok()).unwrap_or_default();
    let Ok(inside) = own.strip_prefix(&above) else {
        has_files(service, &folder)?;
        return Ok(files(own));
    };
    let mapped = if inside.as_os_str().is_empty() { folder.clone() } else { folder.join(inside) };
    if fs::is_folder(&mapped) {
        has_files(service, &mapped)?;
        return Ok(files(&above));
    }
    let is_own = match own_files(service).as_slice() {
        // What the command needs is made by the steps, of what is there.
        [] => !service.setup.is_empty() && !foreign.contains(&folder) && is_alike(own, &folder),
        _ => has_files(service, &folder).is_ok(),
    };
    if is_own {
        return Ok(files(own));
    }
    let (inside, name) = (inside.display(), &service.name);
    let message = format!("{} has no folder `{inside}`, and is none with the files of {name}", folder.display());
    let hint = format!("`--from` names what stands for {}, where {name} is in `{inside}`", above.display());
    Err(refused(message, Some(hint)))
}

/// Whether most of what is in one folder is in the other too, by its names.
fn is_alike(own: &Path, folder: &Path) -> bool {
    let names = fs::names(own).unwrap_or_default();
    let shown: Vec<&String> = names.iter().filter(|name| !name.starts_with('.')).collect();
    let there = shown.iter().filter(|name| fs::exists(&folder.join(name))).count();
    there > 0 && there * 3 >= shown.len() * 2
}

/// The folder of a service in a worktree stands for the one in the user's checkout.
pub(super) fn of_worktree(service: &Service, worktree: &Worktree) -> Result<(PathBuf, PathBuf), Problem> {
    let top = &worktree.repository;
    let inside = service.working_dir.strip_prefix(top).unwrap_or(Path::new(""));
    let folder = if inside.as_os_str().is_empty() { worktree.path.clone() } else { worktree.path.join(inside) };
    if !fs::is_folder(&folder) {
        let message = format!("`{}` has no folder `{}`, where {} is", worktree.branch, inside.display(), service.name);
        return Err(refused(message, None));
    }
    has_files(service, &folder).map_err(|problem| match problem {
        Problem::Try { message, hint } => {
            let named = message.replace(&worktree.path.display().to_string(), &format!("`{}`", worktree.branch));
            Problem::Try { message: named, hint }
        }
        other => other,
    })?;
    Ok((top.clone(), worktree.path.clone()))
}

/// Files that the command of a service names and that are there.
fn own_files(service: &Service) -> Vec<PathBuf> {
    let named = service.files_named().into_iter();
    named.filter(|file| fs::is_file(&service.working_dir.join(file))).collect()
}

fn has_files(service: &Service, folder: &Path) -> Result<(), Problem> {
    let Some(missing) = own_files(service).into_iter().find(|file| !fs::is_file(&folder.join(file))) else {
        return Ok(());
    };
    let message =
        format!("{} has no `{}`, which the command of {} names", folder.display(), missing.display(), service.name);
    let hint = "if it is built, a `setup` step of the service can do that in each of its folders";
    Err(refused(message, Some(hint.to_owned())))
}

pub(super) fn no_worktree(error: NoWorktree) -> Problem {
    let hint = match &error {
        NoWorktree::NoBranch { near: Some(near), .. } => Some(near.clone()),
        NoWorktree::NoBranch { .. } => Some("`git fetch` brings the branches of others".to_owned()),
        NoWorktree::NoRepository(..) => Some("`--from DIR` takes a folder as it is".to_owned()),
        NoWorktree::Taken(path) => Some(format!(
            "what an engine left that was killed is no use: `git worktree remove --force {}`, or remove the folder",
            path.display()
        )),
        NoWorktree::Git(_) | NoWorktree::Folder(..) => None,
    };
    refused(error.to_string(), hint)
}

/// A version as the workspace has it; `None` where its names are none, as in a file that somebody changed.
pub(super) fn tried(it: &crate::effects::tries::Try) -> Option<Tried> {
    Some(Tried {
        of: ServiceName::new(&it.service).ok()?,
        version: it.version.clone(),
        name: ServiceName::new(&it.name).ok()?,
        stands_for: it.stands_for.clone(),
        folder: it.folder.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_called_after_where_it_comes_from() {
        let service = ServiceName::new("users").unwrap();
        let of_branch = |text: &str| derived(&service, &Source::Branch(text.to_owned())).ok();
        let cases = [
            ("fix", Some("fix")),
            ("feature/Login-2", Some("feature-login-2")),
            ("refs/tags/v1.2", Some("refs-tags-v1-2")),
            ("...", None),
            ("", None),
        ];
        for (branch, name) in cases {
            assert_eq!(of_branch(branch).as_deref(), name, "{branch}");
        }
        let long = of_branch(&format!("{}-{}", "x".repeat(56), "y".repeat(20)));
        assert_eq!(long, Some("x".repeat(56)));
        let of_folder = |text: &str| derived(&service, &Source::Folder(text.into())).ok();
        assert_eq!([of_folder("/a/shop.fix"), of_folder("/")], [Some("shop-fix".to_owned()), None]);
    }
}
