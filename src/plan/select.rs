//! Which services an `up` means.

use crate::model::Workspace;

/// What the user asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Selection {
    /// Services by name; all that no profile holds back where empty.
    pub services: Vec<String>,
    /// Switched-on profiles.
    pub profiles: Vec<String>,
    /// Leave out what they need.
    pub no_deps: bool,
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
/// needs is no use to anybody.
pub fn select(workspace: &Workspace, selection: &Selection) -> Result<Vec<bool>, SelectError> {
    for profile in &selection.profiles {
        if profile != "*" && !workspace.profiles.contains(profile) {
            return Err(SelectError::UnknownProfile(profile.clone()));
        }
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
        return Ok(mask);
    }
    Ok(workspace.graph.closure(roots))
}

fn enabled(workspace: &Workspace, profiles: &[String]) -> Vec<usize> {
    let on = |of: &[String]| {
        of.is_empty() || of.iter().any(|it| profiles.contains(it)) || profiles.iter().any(|it| it == "*")
    };
    workspace
        .services
        .values()
        .enumerate()
        .filter(|(_, service)| on(&service.profiles))
        .map(|(place, _)| place)
        .collect()
}
