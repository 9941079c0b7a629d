//! Which services an `up` means.

use crate::model::{Part, Service, Workspace};

/// What the user asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Selection {
    /// Services by name; all that no profile holds back where empty.
    pub services: Vec<String>,
    /// None at all: they are started by and by.
    #[serde(default)]
    pub nothing: bool,
    /// Switched-on profiles.
    pub profiles: Vec<String>,
    /// Leave out what they need.
    pub no_deps: bool,
}

impl Selection {
    /// Services by name, or all, with what they need unless that is to be left out.
    pub fn of(services: &[String], profiles: &[String], no_deps: bool) -> Self {
        Self { services: services.to_vec(), profiles: profiles.to_vec(), no_deps, nothing: false }
    }

    /// None of them yet.
    pub fn nothing(profiles: &[String]) -> Self {
        Self { nothing: true, ..Self::of(&[], profiles, false) }
    }
}

/// Why a selection cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    #[error("there is no service `{0}`")]
    UnknownService(String),
    #[error("there is no profile `{0}`")]
    UnknownProfile(String),
    #[error("every service belongs to a profile, and none is switched on")]
    Nothing,
}

/// The selected services as a mask. A needed service comes along whatever its profile: a subset that lacks what it
/// needs is no use to anybody. What is elsewhere for now is needed by nobody here.
pub fn select(
    workspace: &Workspace,
    selection: &Selection,
    is_elsewhere: impl Fn(&Service) -> bool,
) -> Result<Vec<bool>, SelectError> {
    let is_elsewhere = |place: usize| is_elsewhere(workspace.service(place));
    for profile in &selection.profiles {
        if profile != "*" && !workspace.profiles.contains(profile) {
            return Err(SelectError::UnknownProfile(profile.clone()));
        }
    }
    if selection.nothing {
        return Ok(vec![false; workspace.services.len()]);
    }
    let roots: Vec<usize> = match selection.services.is_empty() {
        true => enabled(workspace, &selection.profiles),
        false => {
            let place = |name: &String| workspace.index(name).ok_or_else(|| SelectError::UnknownService(name.clone()));
            selection.services.iter().map(place).collect::<Result<_, _>>()?
        }
    };
    if roots.is_empty() {
        return Err(SelectError::Nothing);
    }
    if selection.no_deps {
        let mut mask = vec![false; workspace.services.len()];
        roots.into_iter().for_each(|root| mask[root] = true);
        versions(workspace, &mask).into_iter().for_each(|version| mask[version] = true);
        return Ok(mask);
    }
    let mut mask = workspace.graph.closure_without(roots, is_elsewhere);
    // A version may need what nobody else does, of which there are versions too.
    loop {
        let more = versions(workspace, &mask);
        if more.is_empty() {
            return Ok(mask);
        }
        let known = (0..mask.len()).filter(|place| mask[*place]);
        mask = workspace.graph.closure_without(known.chain(more), is_elsewhere);
    }
}

/// The versions that are missing of selected services: where calls may be sent to any, all of them have to run.
fn versions(workspace: &Workspace, mask: &[bool]) -> Vec<usize> {
    let of = |service: &Service| workspace.index(service.version.as_ref()?.of.as_str());
    let services = workspace.services.values().enumerate();
    let can_run = services.filter(|(_, service)| service.part != Part::Name);
    let missing = can_run.filter(|(place, service)| !mask[*place] && of(service).is_some_and(|first| mask[first]));
    missing.map(|(place, _)| place).collect()
}

fn enabled(workspace: &Workspace, profiles: &[String]) -> Vec<usize> {
    let on = |of: &[String]| {
        of.is_empty() || of.iter().any(|it| profiles.contains(it)) || profiles.iter().any(|it| it == "*")
    };
    workspace
        .services
        .values()
        .enumerate()
        .filter(|(_, service)| !service.task && service.part != Part::Name && on(&service.profiles))
        .map(|(place, _)| place)
        .collect()
}
